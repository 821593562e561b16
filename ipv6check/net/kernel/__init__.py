"""What this host's kernel says of itself; nothing is sent."""
