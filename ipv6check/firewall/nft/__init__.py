"""nftables: its JSON and its text to the one model."""
