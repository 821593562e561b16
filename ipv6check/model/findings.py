"""Findings: what a check returns, and the explanation of each kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ipv6check.model.text import closest


class Status(StrEnum):
    """Status of one finding about one target."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    UNKNOWN = "unknown"
    ERROR = "error"


class Cause(StrEnum):
    """Where the trouble is; every finding but ``pass`` and ``skip`` has one."""

    VANTAGE = "vantage"
    DNS = "dns"
    NETWORK = "network"
    FIREWALL = "firewall"
    HOST = "host"
    APPLICATION = "application"
    TOOL = "tool"


# Observations behind a finding, for programs: plain data for JSON, units in the names.
Evidence = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: ``message`` states the fact, ``hint`` what to do, a line each.

    ``subject``: the address, port or server that it is about, where it is not the whole target.
    ``id``: a short word such as ``refused``, by which programs recognise the finding whatever its
    message says; empty where the check declares no findings.
    """

    status: Status
    message: str
    hint: str = ""
    subject: str = ""
    cause: Cause | None = None
    evidence: Evidence = field(default_factory=dict)
    id: str = ""


# All results of one check for one target.
Findings = tuple[Finding, ...]


def ok(
    message: str, *, subject: str = "", evidence: Evidence | None = None, id: str = ""
) -> Finding:
    """Finding with status pass: nothing is wrong."""
    return Finding(Status.PASS, message, subject=subject, evidence=evidence or {}, id=id)


def warn(
    message: str,
    *,
    hint: str = "",
    subject: str = "",
    cause: Cause | str | None = None,
    evidence: Evidence | None = None,
    id: str = "",
) -> Finding:
    """Finding with status warn, which degrades; ``cause`` defaults to the check's."""
    return Finding(
        Status.WARN, message, hint, subject, Cause(cause) if cause else None, evidence or {}, id
    )


def fail(
    message: str,
    *,
    hint: str = "",
    subject: str = "",
    cause: Cause | str | None = None,
    evidence: Evidence | None = None,
    id: str = "",
) -> Finding:
    """Finding with status fail; ``cause`` defaults to the check's."""
    return Finding(
        Status.FAIL, message, hint, subject, Cause(cause) if cause else None, evidence or {}, id
    )


def skip(
    message: str, *, subject: str = "", evidence: Evidence | None = None, id: str = ""
) -> Finding:
    """Finding with status skip: does not apply, or an input is missing; says which."""
    return Finding(Status.SKIP, message, subject=subject, evidence=evidence or {}, id=id)


def unknown(
    message: str,
    *,
    hint: str = "",
    subject: str = "",
    cause: Cause | str = Cause.VANTAGE,
    evidence: Evidence | None = None,
    id: str = "",
) -> Finding:
    """Finding with status unknown: could not be measured; says why."""
    return Finding(Status.UNKNOWN, message, hint, subject, Cause(cause), evidence or {}, id)


# A kebab-case word, or several: it is typed on a command line and stands in other tools' reports.
FINDING_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# One spelling for each, so that readers find theirs at the same name in every finding.
SOFTWARE = (
    *("nginx", "Apache", "Caddy", "HAProxy", "Traefik", "Envoy", "Varnish", "lighttpd", "IIS"),
    *("Postfix", "Exim", "Dovecot", "sshd", "PostgreSQL", "MariaDB", "MySQL", "MongoDB", "Redis"),
    *("BIND", "Unbound", "Knot DNS", "NSD", "PowerDNS", "dnsmasq", "dig", "OpenSSL"),
    *("Node.js", "Python", "Go", "Java", "systemd", "Docker", "Kubernetes"),
    *("nftables", "ip6tables", "ufw", "firewalld", "pf", "MikroTik", "Cisco", "Juniper"),
    *("Linux", "FreeBSD", "Windows", "netplan", "NetworkManager", "Ansible", "Terraform"),
    *("AWS", "Google Cloud", "Azure", "Hetzner", "Cloudflare", "CloudFront", "Fastly"),
)


@dataclass(frozen=True, slots=True)
class Explained:
    """Explanation of one finding that a check can give: ``@check(findings=(Explained(...),))``.

    ``id`` is the Finding's. ``status``: each that it can have, such as ``fail`` or ``warn fail``.
    ``what``: what it means, ``mend``: how to fix it, both in whole sentences. ``examples``: the
    lines that fix it, by the software they are for, one of `SOFTWARE`. ``see``: the checks that
    report its root cause, separated by blanks, the first cause first; where none of them is part of
    the run, their findings are reported in place of this one.

    A check may have a page instead, NAME.md beside NAME.py, as ours have.

    Raises ValueError for an id, a status or a software that is not known.
    """

    id: str
    status: str
    what: str
    mend: str = ""
    examples: Mapping[str, str] = field(default_factory=dict)
    see: str = ""

    def __post_init__(self) -> None:
        if not FINDING_ID.fullmatch(self.id):
            raise ValueError(f'"{self.id}" cannot be a finding\'s id (a-z, 0-9, words joined by -)')
        if not self.statuses:
            raise ValueError(f'finding "{self.id}" has no status')
        for name in self.examples:
            if name not in SOFTWARE:
                near = closest(name, SOFTWARE)
                meant = f'did you mean "{near}"?' if near else f"there are: {', '.join(SOFTWARE)}"
                raise ValueError(f'an example of "{self.id}" is for "{name}"; {meant}')

    @property
    def statuses(self) -> tuple[Status, ...]:
        """Every status that it can have."""
        return tuple(map(Status, self.status.split()))
