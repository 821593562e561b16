"""Shared observations. One module a probe: its function has the module's name.

A probe names its inputs by its parameters: ``target``, ``settings``, ``net`` or another probe.
"""
