"""What a run learns of its uplink, without packets."""

from __future__ import annotations

import asyncio

import pytest

from ipv6check.net import uplink

WELL = "2a00:1450:4001::1"


@pytest.mark.parametrize(("pinged", "works"), [(True, True), (False, False)])
def test_who_vouches_for_the_uplink(
    monkeypatch: pytest.MonkeyPatch,
    pinged: bool,  # noqa: FBT001
    works: bool,  # noqa: FBT001
) -> None:
    """A port that takes no more connections says nothing of it, where the address answers pings."""
    monkeypatch.setattr(uplink, "_source", lambda _family: "2a00:1450:4002::2")
    asked: list[tuple[str, int]] = []

    async def ask(address: str, port: int, _timeout_s: float) -> bool:
        asked.append((address, port))
        return port == uplink.ECHO

    async def main() -> bool:
        known = uplink.Uplink((), ask, 1.0)
        known.hear(WELL, 443, 1.0)
        if pinged:
            known.hear(WELL, uplink.ECHO, 1.1)
        return await known.works(6)

    assert asyncio.run(main()) is works
    assert set(asked) == {(WELL, uplink.ECHO if pinged else 443)}
