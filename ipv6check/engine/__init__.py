"""Loads checks, plans, observes, judges and tries again: targets in, reports out."""
