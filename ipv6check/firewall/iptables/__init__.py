"""iptables-save and ip6tables-save to the one model."""
