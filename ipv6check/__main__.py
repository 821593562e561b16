"""``python -m ipv6check``."""

from ipv6check.cli import main

main()
