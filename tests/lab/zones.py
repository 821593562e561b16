"""Zone files as text: the root, test., bulk.test., ipv4only.arpa and the reverse zones."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import pairwise

from tests.lab import plan
from tests.lab.scenarios import Scenario

Address = IPv4Address | IPv6Address

# Zone-file form of the control characters in hostile.CONTROL_LABEL.
CONTROL_HOST = r"evil\027[31m\007\155\133\127\010\013.hostile.test."
_REVERSE6 = "b.a.6.0.0.0.d.2.ip6.arpa"
_REVERSE4 = {"18.198.in-addr.arpa": "198.18.0.0/16", "19.198.in-addr.arpa": "198.19.0.0/16"}


def root_zone() -> str:
    """The root: its own servers, and delegations of everything else."""
    lines = [_soa("a.root-servers.net."), *(f". NS {root}." for root in _root_names())]
    lines += _root_hosts()
    for zone in ("test", "ipv4only.arpa", *reverse_networks()):
        lines += (f"{zone}. NS ns1.test.", f"{zone}. NS ns2.test.")
    lines += _name_server_hosts()
    return _zone(".", lines)


def root_hints() -> str:
    """The file a resolver starts from."""
    return _zone(".", [*(f". NS {root}." for root in _root_names()), *_root_hosts()])


def authoritative_zones(scenarios: Iterable[Scenario], bulk: int) -> dict[str, str]:
    """Every zone below the root: name to file text."""
    scenarios = tuple(scenarios)
    pointers = [*_pointers(scenarios), *_fixed_pointers(), *_bulk_pointers(bulk)]
    zones = {"test": _test_zone(scenarios), "ipv4only.arpa": _ipv4only_zone()}
    for zone, network in reverse_networks().items():
        records = [record for address, record in pointers if address in network]
        zones[zone] = _zone(zone + ".", [*_apex(), *records])
    if bulk:
        zones["bulk.test"] = _zone("bulk.test.", [*_apex(), *_bulk_hosts(bulk)])
    return zones


def reverse_networks() -> dict[str, IPv4Network | IPv6Network]:
    """The reverse zones and the addresses that are theirs."""
    networks4 = {zone: IPv4Network(network) for zone, network in _REVERSE4.items()}
    return {_REVERSE6: plan.LAB_NETWORK6, **networks4}


def _zone(origin: str, lines: Iterable[str]) -> str:
    return "\n".join((f"$ORIGIN {origin}", "$TTL 300", *lines, ""))


def _soa(server: str) -> str:
    return f"@ SOA {server} hostmaster.test. 1 3600 600 86400 300"


def _apex() -> list[str]:
    return [_soa("ns1.test."), "@ NS ns1.test.", "@ NS ns2.test."]


def _hosts(name: str, addresses: Iterable[Address | str]) -> list[str]:
    return [f"{name} {'AAAA' if ':' in str(a) else 'A'} {a}" for a in addresses]


def _root_names() -> list[str]:
    return [f"{letter}.root-servers.net" for letter in plan.ROOT_SERVERS]


def _root_hosts() -> Iterator[str]:
    for name, addresses in zip(_root_names(), plan.ROOT_SERVERS.values(), strict=True):
        yield from _hosts(name + ".", addresses)


def _name_server_hosts() -> list[str]:
    servers = {"ns1.test.": plan.AUTHORITATIVE, "ns2.test.": plan.AUTHORITATIVE_2}
    return [line for name, s in servers.items() for line in _hosts(name, (s.ipv4, s.ipv6))]


def _test_zone(scenarios: Iterable[Scenario]) -> str:
    lines = [*_apex(), *_name_server_hosts()]
    lines += ("hostile NS ns.hostile", *_hosts("ns.hostile", _both(plan.HOSTILE)))
    lines += ("bulk NS ns1", "bulk NS ns2", *_hosts("ns.broken", _both(plan.BROKEN)))
    lines += _hosts("elsewhere", _elsewhere())
    for scenario in scenarios:
        lines += _scenario_records(scenario)
    return _zone("test.", lines)


def _both(server: plan.DnsServer) -> tuple[str, str]:
    return server.ipv4, server.ipv6


def _elsewhere() -> tuple[Address, Address]:
    n = plan.ELSEWHERE_N
    return plan.address6("open", n), plan.address4("open", n)


def _scenario_records(scenario: Scenario) -> Iterator[str]:
    chain = (scenario.name, *scenario.cname)
    for alias, target in pairwise(chain):
        yield f"{alias} CNAME {target}"
    yield from _hosts(scenario.owner, (*scenario.aaaa, *scenario.a))


def _ipv4only_zone() -> str:
    return _zone("ipv4only.arpa.", [*_apex(), *_hosts("@", ("192.0.0.170", "192.0.0.171"))])


def _pointers(scenarios: Iterable[Scenario]) -> Iterator[tuple[Address, str]]:
    for scenario in scenarios:
        target = {
            "good": f"PTR {scenario.host}.",
            "other": "PTR elsewhere.test.",
            "dangling": "PTR gone.test.",
            "servfail": "NS ns.broken.test.",
        }.get(scenario.ptr)
        addresses: tuple[Address, ...] = (*scenario.aaaa, *scenario.a)
        for address in addresses:
            if target:
                yield address, f"{address.reverse_pointer}. {target}"


def _fixed_pointers() -> Iterator[tuple[Address, str]]:
    names = {
        plan.HEALTHY_N: "healthy.hostile.test.",
        plan.CONTROL_N: CONTROL_HOST,
        plan.ELSEWHERE_N: "elsewhere.test.",
    }
    for n, name in names.items():
        for address in (plan.address6("open", n), plan.address4("open", n)):
            yield address, f"{address.reverse_pointer}. PTR {name}"


def _bulk_hosts(bulk: int) -> Iterator[str]:
    for i in range(bulk):
        yield from _hosts(f"{plan.bulk_host(i)}.", _bulk_addresses(i))


def _bulk_addresses(i: int) -> list[Address]:
    addresses = (plan.bulk_address6(i), plan.bulk_address4(i))
    return [address for address in addresses if address is not None]


def _bulk_pointers(bulk: int) -> Iterator[tuple[Address, str]]:
    for i in range(bulk):
        for address in _bulk_addresses(i):
            yield address, f"{address.reverse_pointer}. PTR {plan.bulk_host(i)}."
