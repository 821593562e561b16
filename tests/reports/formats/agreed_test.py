"""What was agreed on a result, in one sentence for every format that has room for one."""

from __future__ import annotations

import datetime as dt

import pytest

from ipv6check.model import Result, Status, Term, Waived, Waiver
from ipv6check.reports.formats import agreed

WAIVER = Waiver("tcp", "*", "new load balancer", "net team", dt.date(2026, 12, 31))


@pytest.mark.parametrize(
    ("term", "known", "sentence"),
    [
        (None, False, ""),
        (None, True, "known: the baseline has it already"),
        (Term.ACTIVE, False, "waived until 2026-12-31 by net team: new load balancer"),
        (Term.EXPIRING, True, "waived until 2026-12-31 by net team: new load balancer"),
        (Term.EXPIRED, False, "waiver expired on 2026-12-31 by net team: new load balancer"),
        (Term.EXPIRED, True, "waiver expired on 2026-12-31 by net team: new load balancer"),
    ],
)
def test_what_excuses_a_result_is_named(term: Term | None, known: bool, sentence: str) -> None:  # noqa: FBT001
    """Reason, owner and day where a waiver excuses it; that it counts again where none does."""
    waived = None if term is None else Waived(WAIVER, term, 0)
    result = Result("tcp", Status.FAIL, "silent", waived=waived, known=known)
    assert agreed(result) == sentence
    assert result.excused == (sentence.startswith(("waived", "known")))
