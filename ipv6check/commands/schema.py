"""``ipv6check schema``: the JSON Schemas of what is printed, recorded and configured."""

from __future__ import annotations

import json
from importlib.resources import files

KINDS = ("output", "config", "observations")


def text(kind: str = "output") -> str:
    """One of them as JSON. Raises ValueError for another kind than those in ``KINDS``."""
    if kind not in KINDS:
        raise ValueError(f"{kind!a} is not a schema: {', '.join(KINDS)}")
    if kind != "config":
        return files("ipv6check.reports").joinpath("schemas", f"{kind}.json").read_text("utf-8")
    from ipv6check.config.schema import config_schema  # noqa: PLC0415 - few runs print it
    from ipv6check.reports.formats import format_names  # noqa: PLC0415

    return json.dumps(config_schema(format_names()), indent=2) + "\n"
