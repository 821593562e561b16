"""Renew every generated part of the documents: ``python -m tests.docs``."""

from __future__ import annotations

from tests.docs import ROOT, renewed, text
from tests.docs.parts import FILES, PARTS, alike


def main() -> None:
    """Write what says something else than before."""
    made = {name: renewed(text(name), parts) for name, parts in PARTS.items()}
    made |= {name: make() for name, make in FILES.items()}
    for name, new in made.items():
        path = ROOT / name
        if not path.exists() or not alike(name, path.read_text("utf-8"), new):
            path.write_text(new, "utf-8")
            print(name)


if __name__ == "__main__":
    main()
