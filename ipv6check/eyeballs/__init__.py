"""Happy Eyeballs: in which order a client tries a name's addresses, and which of them wins."""
