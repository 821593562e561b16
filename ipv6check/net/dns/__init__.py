"""DNS over UDP and TCP, and what the resolver of this host is and does (RFC 1035, RFC 7766)."""
