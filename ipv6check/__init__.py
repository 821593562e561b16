"""Tells whether what you run is ready for IPv6."""

__version__ = "0.1.0"
