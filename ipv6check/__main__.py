"""``python -m ipv6check``."""

from ipv6check.commands.main import main

main()
