"""How a check is written, found, run and blamed."""
