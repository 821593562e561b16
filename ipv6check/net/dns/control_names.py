"""Names whose answers are known: what a resolver does to them it does to every name (law 1)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TypeVar

from ipv6check.model import Answer, Failure, Kind
from ipv6check.net.dns import nat64
from ipv6check.net.shared import SharedQuestion
from ipv6check.net.special_addresses import UNSPECIFIED

Value = TypeVar("Value")
# A name and a type of record, to the resolver's answer.
Ask = Callable[[str, str], Coroutine[None, None, Answer | Failure]]

# Has both families, wherever on the Internet one asks.
BOTH_FAMILIES = "a.root-servers.net"
# Has A alone, by its purpose: who has AAAA for it makes them up.
IPV4_ONLY = "ipv4.google.com"
# How long that a resolver answers, or fails at a control name, is taken for so.
A_MOMENT_S = 1.0
_A_WHILE_S = 5.0


class ControlNames:
    """Asks a resolver for names that tell its own faults from those of a target's name."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._root = SharedQuestion(self._ask_root)
        self._denial = SharedQuestion(self._ask_whether_denied)
        self._both_families = SharedQuestion(self._ask_both_families)
        self._ipv4_only = SharedQuestion(self._ask_ipv4_only)
        self._ipv4only_arpa = SharedQuestion(self._ask_ipv4only_arpa)

    def expect_aaaa(self) -> None:
        """Begin to ask for pref64: whoever asks for AAAA needs to know the network's own."""
        self._ipv4only_arpa.begin()

    async def answers(self) -> bool:
        """Whether a name server answers for the root, which every resolver knows, by now.

        A resolver without an uplink answers SERVFAIL to that, too; one that refuses it works.
        """
        return await self._root.answer(A_MOMENT_S)

    async def root_denied(self) -> Failure | None:
        """How the resolver denies that the very root exists; None where it does not."""
        return await _again(self._denial, lambda denial: denial is not None)

    async def aaaa_withheld(self) -> Failure | None:
        """How AAAA of a name that has one fails where A is answered; None where it does not."""
        return await _again(self._both_families, lambda failure: failure is not None)

    async def aaaa_made_up(self) -> tuple[str, ...] | None:
        """The AAAA of a name that has A alone; None where the resolver does not know that name."""
        return await _again(self._ipv4_only, lambda records: records is None)

    async def pref64(self) -> tuple[str, ...]:
        """The NAT64 prefixes that this network's DNS64 adds (RFC 7050 section 3)."""
        return nat64.prefixes(await self._arpa_records())

    async def aaaa_of_all(self) -> tuple[str, ...]:
        """The AAAA that the resolver gives even a name that has none, and no DNS64 makes."""
        return nat64.unexplained(await self._arpa_records())

    def close(self) -> None:
        """Wait for no answer any more."""
        self._root.close()
        self._denial.close()
        self._both_families.close()
        self._ipv4_only.close()
        self._ipv4only_arpa.close()

    async def _ask_root(self) -> bool:
        return serves(await self._ask("", "NS"))

    async def _ask_both_families(self) -> Failure | None:
        aaaa = await self._ask(BOTH_FAMILIES, "AAAA")
        if _has_address(aaaa):
            return None
        if not _has_address(await self._ask(BOTH_FAMILIES, "A")):
            return None  # a server that knows nothing of it, such as a zone's own
        reason = aaaa.detail if isinstance(aaaa, Failure) else _summary(aaaa)
        return Failure(Kind.RESOLVER_UNREACHABLE, f"no AAAA for {BOTH_FAMILIES} either: {reason}")

    async def _ask_whether_denied(self) -> Failure | None:
        root = await self._ask("", "NS")
        if not isinstance(root, Answer) or root.rcode != "NXDOMAIN":
            return None
        return Failure(Kind.RESOLVER_UNREACHABLE, f"{_summary(root)} for the root, too")

    async def _ask_ipv4_only(self) -> tuple[str, ...] | None:
        a = await self._ask(IPV4_ONLY, "A")
        aaaa = await self._ask(IPV4_ONLY, "AAAA")
        known = _has_address(a) and isinstance(aaaa, Answer)
        return aaaa.records if known and isinstance(aaaa, Answer) else None

    async def _ask_ipv4only_arpa(self) -> tuple[str, ...] | None:
        answer = await self._ask(nat64.WELL_KNOWN_NAME, "AAAA")
        return answer.records if isinstance(answer, Answer) else None

    async def _arpa_records(self) -> tuple[str, ...]:
        return await _again(self._ipv4only_arpa, lambda records: records is None) or ()


def serves(answer: Answer | Failure) -> bool:
    """Whether a name server that was asked for the root serves anybody: who refuses it does."""
    return isinstance(answer, Answer) or answer.kind is Kind.DNS_REFUSED


async def _again(question: SharedQuestion[Value], failed: Callable[[Value], bool]) -> Value:
    """The answer of a question asked once a run, and again after a while where it failed."""
    answer = await question.answer()
    return await question.answer(_A_WHILE_S) if failed(answer) else answer


def _has_address(answer: Answer | Failure) -> bool:
    return isinstance(answer, Answer) and bool({*answer.records} - UNSPECIFIED)


def _summary(answer: Answer) -> str:
    return " ".join((answer.rcode, *answer.records[:1], "from", answer.nameserver))
