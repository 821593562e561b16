"""What was agreed on a result, in one sentence for every format that has room for one."""

from __future__ import annotations

import datetime as dt

import pytest

from ipv6check.model import Result, Status, Waived, Waiver, WaiverState
from ipv6check.reports.sentences import excuse

WAIVER = Waiver("tcp", "*", "new load balancer", "net team", dt.date(2026, 12, 31))


@pytest.mark.parametrize(
    ("term", "known", "sentence"),
    [
        (None, False, ""),
        (None, True, "known: already in the baseline"),
        (WaiverState.ACTIVE, False, "waived until 2026-12-31 by net team: new load balancer"),
        (WaiverState.EXPIRING, True, "waived until 2026-12-31 by net team: new load balancer"),
        (WaiverState.EXPIRED, False, "waiver expired on 2026-12-31 by net team: new load balancer"),
        (WaiverState.EXPIRED, True, "waiver expired on 2026-12-31 by net team: new load balancer"),
    ],
)
def test_what_excuses_a_result_is_named(
    term: WaiverState | None,
    known: bool,  # noqa: FBT001
    sentence: str,
) -> None:
    """Reason, owner and day where a waiver excuses it; that it counts again where none does."""
    waived = None if term is None else Waived(WAIVER, term, 0)
    result = Result("tcp", Status.FAIL, "silent", waived=waived, known=known)
    assert excuse(result) == sentence
    assert result.excused == (sentence.startswith(("waived", "known")))
