"""Who is where in the lab, and how it behaves: data only, everything else is generated from it.

Behaviour number N owns 2d00:6ab:N::/48 and 198.18.N.0/24 (the same digits in both), so an address
seen in a packet dump can be read without a table. 2d00::/8 is global unicast that IANA has not
given to anybody; 198.18.0.0/15 is reserved for benchmarks (RFC 2544).
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

LAB_NETWORK6 = IPv6Network("2d00:6ab::/32")
LAB_NETWORKS4 = (IPv4Network("198.18.0.0/16"), IPv4Network("198.19.0.0/16"))

_IGNORE_PING = ("icmpv6 type echo-request drop", "icmp type echo-request drop")


def _reject_tcp(icmpv6: str, icmp: str) -> tuple[str, ...]:
    return (
        f"meta l4proto tcp reject with icmpv6 type {icmpv6}",
        f"meta l4proto tcp reject with icmp type {icmp}",
    )


def _drop_first_syn(family: str, flows: str) -> str:
    flow = f"{family} saddr . tcp sport . {family} daddr . tcp dport"
    return f"tcp flags & (syn | ack) == syn {flow} != @{flows} add @{flows} {{ {flow} }} drop"


_SYN, _DATA = "tcp flags & (syn | ack) == syn", "tcp flags & psh == psh"


def _first(family: str, what: str, memory: str, verdict: str) -> str:
    """What becomes of the first such packet from an address to another and its port."""
    pair = f"{family} saddr . {family} daddr . tcp dport"
    return f"{what} {pair} != @{memory} add @{memory} {{ {pair} }} {verdict}"


def _both_first(what: str, verdict6: str, verdict4: str) -> tuple[str, ...]:
    return _first("ip6", what, "known6", verdict6), _first("ip", what, "known4", verdict4)


def _drop_every_second_echo(family: str, icmp: str, echoes: str) -> tuple[str, ...]:
    # Each flow of pings has a memory of its own, so two at a time do not change each other.
    flow = f"{family} saddr . {family} daddr . {icmp} id"
    echo = f"{icmp} type echo-request"
    return (
        f"{echo} {flow} @{echoes} delete @{echoes} {{ {flow} }} drop",
        f"{echo} add @{echoes} {{ {flow} }}",
    )


def _refuse_after_first(family: str, known: str) -> tuple[str, ...]:
    pair = f"{family} saddr . {family} daddr . tcp dport"
    opening = "tcp flags & (syn | ack) == syn"
    return (
        f"{opening} {pair} @{known} reject with tcp reset",
        f"{opening} add @{known} {{ {pair} }}",
    )


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to packets for one prefix: nftables rules of the server, and a path delay.

    ``replies`` are rules of the router for what comes back from it. ``tls`` is what nginx does on
    port 443 of its first ``TLS_FAULTS_MAX`` addresses: a handshake, an alert, plain HTTP, or a
    handshake for names of ``test.`` alone.
    """

    name: str
    number: int
    about: str
    rules: tuple[str, ...] = ()
    rtt_ms: int = 0
    replies: tuple[str, ...] = ()
    tls: Literal["good", "alert", "none", "named"] = "good"

    @property
    def network6(self) -> IPv6Network:
        """The IPv6 prefix that behaves so."""
        return IPv6Network(f"2d00:6ab:{self.number}::/48")

    @property
    def network4(self) -> IPv4Network:
        """The IPv4 prefix that behaves so."""
        return IPv4Network(f"198.18.{self.number}.0/24")


# nginx tells its addresses apart by name, and not by prefix.
TLS_FAULTS_MAX = 4

_BEHAVIOURS = (
    Behaviour("open", 1, "answers everything"),
    Behaviour("drop", 2, "TCP dropped, ping answers", ("meta l4proto tcp drop",)),
    Behaviour("silent", 3, "everything dropped", ("drop",)),
    Behaviour("reset", 4, "TCP reset, ping answers", ("meta l4proto tcp reject with tcp reset",)),
    Behaviour("no-route", 5, "TCP: ICMPv6 1/0", _reject_tcp("no-route", "net-unreachable")),
    Behaviour(
        "admin-prohibited",
        6,
        "TCP: ICMPv6 1/1",
        _reject_tcp("admin-prohibited", "admin-prohibited"),
    ),
    Behaviour(
        "addr-unreachable",
        7,
        "TCP: ICMPv6 1/3",
        _reject_tcp("addr-unreachable", "host-unreachable"),
    ),
    Behaviour(
        "port-unreachable",
        8,
        "TCP: ICMPv6 1/4",
        _reject_tcp("port-unreachable", "port-unreachable"),
    ),
    Behaviour("policy-fail", 9, "TCP: ICMPv6 1/5", _reject_tcp("policy-fail", "host-prohibited")),
    Behaviour("reject-route", 10, "TCP: ICMPv6 1/6", _reject_tcp("reject-route", "net-prohibited")),
    Behaviour("no-ping", 11, "ping dropped, TCP open", _IGNORE_PING),
    Behaviour(
        "ping-prohibited",
        12,
        "ping: administratively prohibited, TCP open",
        (
            "icmpv6 type echo-request reject with icmpv6 type admin-prohibited",
            "icmp type echo-request reject with icmp type admin-prohibited",
        ),
    ),
    Behaviour(
        "only-80", 13, "TCP 80 open, others reset", ("tcp dport != 80 reject with tcp reset",)
    ),
    Behaviour(
        "only-443", 14, "TCP 443 open, others reset", ("tcp dport != 443 reject with tcp reset",)
    ),
    Behaviour("drop-443", 15, "TCP 443 dropped, others open", ("tcp dport 443 drop",)),
    Behaviour(
        "lossy",
        16,
        "first SYN of each flow dropped",
        (_drop_first_syn("ip6", "flows6"), _drop_first_syn("ip", "flows4")),
    ),
    Behaviour(
        "half-loss",
        17,
        "every second ping dropped, by source, destination and identifier",
        (
            *_drop_every_second_echo("ip6", "icmpv6", "echoes6"),
            *_drop_every_second_echo("ip", "icmp", "echoes4"),
        ),
    ),
    Behaviour("stall", 18, "TCP accepts, then silence", ("tcp flags & psh == psh drop",)),
    Behaviour("slow-40", 21, "RTT 40 ms", rtt_ms=40),
    Behaviour("slow-100", 22, "RTT 100 ms", rtt_ms=100),
    Behaviour("slow-300", 23, "RTT 300 ms", rtt_ms=300),
    Behaviour("slow-600", 24, "RTT 600 ms", rtt_ms=600),
    Behaviour("slow-1200", 25, "RTT 1200 ms", rtt_ms=1200),
    # Between the connection attempt delays of real clients: 200, 250, 300 and 500 ms.
    Behaviour("slow-220", 26, "RTT 220 ms", rtt_ms=220),
    Behaviour("slow-275", 27, "RTT 275 ms", rtt_ms=275),
    Behaviour("slow-400", 28, "RTT 400 ms", rtt_ms=400),
    Behaviour(
        "slow-300-reset",
        29,
        "TCP reset after RTT 300 ms",
        ("meta l4proto tcp reject with tcp reset",),
        rtt_ms=300,
    ),
    Behaviour(
        "reset-data",
        30,
        "TCP accepts, then a reset meets the first data",
        ("tcp flags & psh == psh reject with tcp reset",),
    ),
    Behaviour("tls-alert", 31, "TLS: an alert instead of a certificate", tls="alert"),
    Behaviour("tls-none", 32, "port 443 speaks HTTP without TLS", tls="none"),
    Behaviour(
        "once",
        34,
        "TCP: the first connection from an address is accepted, the next are reset",
        (*_refuse_after_first("ip6", "known6"), *_refuse_after_first("ip", "known4")),
    ),
    Behaviour(
        "pmtu-hole",
        33,
        "replies of more than 1280 bytes are lost, and nobody says so",
        replies=("meta length > 1280 drop",),
    ),
    Behaviour(
        "lose-one",
        70,
        "the first SYN from an address to a port dropped, the next connection is well",
        _both_first(_SYN, "drop", "drop"),
    ),
    Behaviour(
        "no-route-once",
        71,
        "the first SYN from an address to a port: ICMPv6 1/0, the next connection is well",
        _both_first(
            _SYN,
            "reject with icmpv6 type no-route",
            "reject with icmp type net-unreachable",
        ),
    ),
    Behaviour(
        "accept-reset",
        72,
        "TCP accepts, and then resets at once, without having heard a word",
        ("tcp flags & (syn | ack | psh) == ack reject with tcp reset",),
    ),
    Behaviour(
        "icmp-after-tcp",
        73,
        "TCP accepts; the first data meets ICMPv6 1/0, what is sent again gets through",
        _both_first(
            _DATA,
            "reject with icmpv6 type no-route",
            "reject with icmp type net-unreachable",
        ),
    ),
    Behaviour(
        "icmp-for-data",
        74,
        "TCP accepts; all data meets ICMPv6 1/0",
        (
            f"{_DATA} reject with icmpv6 type no-route",
            f"{_DATA} reject with icmp type net-unreachable",
        ),
    ),
    Behaviour("tls-named", 75, "TLS: only for who names the site", tls="named"),
)
BEHAVIOURS = {behaviour.name: behaviour for behaviour in _BEHAVIOURS}


def address6(behaviour: str, n: int) -> IPv6Address:
    """Address N of a behaviour's IPv6 prefix."""
    return BEHAVIOURS[behaviour].network6[n]


def address4(behaviour: str, n: int) -> IPv4Address:
    """Address N of a behaviour's IPv4 prefix."""
    return BEHAVIOURS[behaviour].network4[n]


@dataclass(frozen=True, slots=True)
class Client:
    """A namespace that commands run in."""

    name: str
    number: int
    about: str
    ipv4: bool = True
    ipv6: bool = True
    # What the router does to IPv6 and IPv4 that come from it, as an nftables verdict.
    ipv6_uplink: str = "accept"
    ipv4_uplink: str = "accept"
    # And to some packets of both, as whole rules.
    refused: tuple[str, ...] = ()

    @property
    def connected(self) -> bool:
        """Whether it has a link to the router."""
        return self.ipv4 or self.ipv6

    @property
    def router_interface(self) -> str:
        """The router's end of its link."""
        return f"client{self.number}"

    @property
    def network4(self) -> IPv4Network:
        """The IPv4 subnet of its link: .1 is the router, .2 the client."""
        return IPv4Network(f"198.19.{self.number}.0/24")

    @property
    def network6(self) -> IPv6Network:
        """The IPv6 subnet of its link: ::1 is the router, ::2 the client."""
        return IPv6Network(f"2d00:6ab:c:{self.number}::/64")

    @property
    def nameserver(self) -> str:
        """The one resolver in its resolv.conf."""
        by_ipv4 = self.ipv4 and self.ipv4_uplink == "accept"
        return RESOLVER.ipv4 if by_ipv4 or not self.ipv6 else RESOLVER.ipv6


_CLIENTS = (
    Client("dual", 1, "IPv4 and IPv6"),
    Client("ipv4-only", 2, "IPv4; IPv6 has link-local addresses only", ipv6=False),
    Client("dead-uplink", 3, "IPv6 address and route, but the router drops it", ipv6_uplink="drop"),
    Client(
        "rejecting-uplink",
        4,
        "IPv6 address and route, but the router answers no-route",
        ipv6_uplink="reject with icmpv6 type no-route",
    ),
    Client("ipv6-only", 5, "IPv6 and no IPv4 address at all", ipv4=False),
    Client("offline", 6, "loopback only", ipv4=False, ipv6=False),
    Client("dead-ipv4", 7, "IPv6, and an IPv4 that the router drops", ipv4_uplink="drop"),
    Client(
        "no-port-25", 8, "its provider lets nothing out to port 25", refused=("tcp dport 25 drop",)
    ),
    Client(
        "partial-routes",
        9,
        "its router knows no route to slow-40 over IPv6",
        refused=(f"ip6 daddr {address6('slow-40', 0)}/48 reject with icmpv6 type no-route",),
    ),
)
CLIENTS = {client.name: client for client in _CLIENTS}


@dataclass(frozen=True, slots=True)
class DnsServer:
    """A DNS server's addresses: number N is 198.18.53.N and 2d00:6ab:53::N."""

    number: int
    about: str

    @property
    def ipv4(self) -> str:
        """Its IPv4 address."""
        return f"198.18.53.{self.number}"

    @property
    def ipv6(self) -> str:
        """Its IPv6 address."""
        return f"2d00:6ab:53::{self.number}"


DNS_NETWORK4 = IPv4Network("198.18.53.0/24")
DNS_NETWORK6 = IPv6Network("2d00:6ab:53::/48")

RESOLVER = DnsServer(1, "recursive resolver")
AUTHORITATIVE = DnsServer(2, "ns1.test, authoritative for test. and the reverse zones")
AUTHORITATIVE_2 = DnsServer(3, "ns2.test, the same")
REFUSING = DnsServer(5, "answers REFUSED to everything")
SILENT = DnsServer(9, "answers nothing at all")
REJECTING = DnsServer(10, "port 53 rejected: ICMP port unreachable")
ROTATING = DnsServer(11, "recursive resolver that rotates the records of an answer, as most do")
DNS64 = DnsServer(64, "recursive resolver with DNS64, prefix 64:ff9b::/96")
DNS64_OWN_PREFIX = DnsServer(65, "recursive resolver with DNS64, prefix 2d00:6ab:64::/96")
HOSTILE = DnsServer(66, "faulty on demand: authoritative for hostile.test, answers any name")
BROKEN = DnsServer(68, "answers SERVFAIL to everything; owns the broken reverse delegations")
# Resolvers of a network that does something to every name alike.
AAAA_SERVFAIL = DnsServer(70, "resolver: SERVFAIL to every AAAA")
AAAA_NXDOMAIN = DnsServer(71, "resolver: NXDOMAIN to every AAAA")
AAAA_SILENT = DnsServer(72, "resolver: no answer to any AAAA")
AAAA_FILTERED = DnsServer(73, "resolver: no AAAA of any name, with the extended error 17")
BLOCKING = DnsServer(74, "resolver: :: and 0.0.0.0 for every name")
WITHOUT_EDNS = DnsServer(75, "resolver: FORMERR to EDNS")
OVER_TCP = DnsServer(76, "resolver: silent over UDP")
TRAILING = DnsServer(77, "resolver: four octets behind each message")
DNS64_SILENT = DnsServer(
    78, "resolver with DNS64 that nobody is told of, prefix 2d00:6ab:1:64::/96"
)
DENYING = DnsServer(79, "resolver: NXDOMAIN to everything, the root too")
INVENTING = DnsServer(80, "resolver: the addresses of a live host for names that have none")
DNS_SERVERS = (
    RESOLVER,
    AUTHORITATIVE,
    AUTHORITATIVE_2,
    REFUSING,
    SILENT,
    REJECTING,
    ROTATING,
    DNS64,
    DNS64_OWN_PREFIX,
    HOSTILE,
    BROKEN,
    AAAA_SERVFAIL,
    AAAA_NXDOMAIN,
    AAAA_SILENT,
    AAAA_FILTERED,
    BLOCKING,
    WITHOUT_EDNS,
    OVER_TCP,
    TRAILING,
    DNS64_SILENT,
    DENYING,
    INVENTING,
)
DNS64_PREFIXES = {DNS64: "64:ff9b::/96", DNS64_OWN_PREFIX: "2d00:6ab:64::/96"}

# The real addresses, so that a query to a real root server is answered inside the lab.
ROOT_SERVERS = {
    "a": ("198.41.0.4", "2001:503:ba3e::2:30"),
    "b": ("170.247.170.2", "2801:1b8:10::b"),
    "c": ("192.33.4.12", "2001:500:2::c"),
    "d": ("199.7.91.13", "2001:500:2d::d"),
    "e": ("192.203.230.10", "2001:500:a8::e"),
    "f": ("192.5.5.241", "2001:500:2f::f"),
    "g": ("192.112.36.4", "2001:500:12::d0d"),
    "h": ("198.97.190.53", "2001:500:1::53"),
    "i": ("192.36.148.17", "2001:7fe::53"),
    "j": ("192.58.128.30", "2001:503:c27::2:30"),
    "k": ("193.0.14.129", "2001:7fd::1"),
    "l": ("199.7.83.42", "2001:500:9f::42"),
    "m": ("202.12.27.33", "2001:dc3::35"),
}
OLD_B_ROOT = "199.9.14.201"
ROOT_ADDRESSES = (*(a for pair in ROOT_SERVERS.values() for a in pair), OLD_B_ROOT)

# Labels below hostile.test., and what they make of the answer.
DNS_FAULTS = {
    "{aaaa,a,both}-{servfail,refused,nxdomain,notimp,formerr}": "that response code",
    "{aaaa,a,both}-silent": "no answer",
    "{aaaa,a,both}-late-MS": "the right answer, MS milliseconds late",
    "nxdomain": "the name does not exist",
    "cname-loop": "two aliases that point at each other",
    "cname-long": "a chain of 40 aliases",
    "aaaa-cname-broken": "AAAA: alias of a name that does not exist; A: direct",
    "truncated": "UDP: TC and nothing else; TCP: everything",
    "truncated-tcp-silent": "the same, but TCP never answers",
    "truncated-tcp-refused": "the same, but TCP is reset once the query is there",
    "many-N": "N AAAA records (up to 1000)",
    "control": "alias and PTR with terminal control characters in their labels",
    "garbage": "a header and then noise",
    "wrong-id": "a reply with another transaction id, then nothing",
    "wrong-question": "a reply to another question",
    "oversize-rdata": "AAAA: the record's length runs past the end of the message",
    "mapped": "AAAA ::ffff:198.18.1.250",
    "unspecified": "AAAA ::, A as ever",
    "embedded": "AAAA is the A under 2d00:6ab:1:64::/96, published so",
    "bogus": "SERVFAIL with the extended error 6",
    "behind": "an alias behind the addresses that it leads to",
    "chain-20": "a chain of 20 aliases that ends",
    "truncated-again": "TC over UDP and over TCP",
    "elsewhere": "an alias into another zone, by an authoritative server",
    "referral": "the name servers of the zone, by a server that does not recurse",
}

# Numbers in `open` that belong to names which are not in the truth table; that one counts from 1.
HEALTHY_N = 250
CONTROL_N = 251
ELSEWHERE_N = 252
MANY_BASE_N = 0x1000
MANY_MAX = 1000

BulkKind = Literal["healthy", "drop", "reset", "no-aaaa"]
_BULK_FAULTS: dict[int, BulkKind] = {17: "drop", 18: "reset", 19: "no-aaaa"}
_BULK_BASE_N = 0x100000
BULK_NETWORK4 = IPv4Network("198.19.128.0/17")
BULK_MAX = BULK_NETWORK4.num_addresses - 1


def bulk_kind(i: int) -> BulkKind:
    """What bulk name number i is: 17 of 20 are healthy, and one of each fault."""
    return _BULK_FAULTS.get(i % 20, "healthy")


def bulk_host(i: int) -> str:
    """The host name of bulk name number i."""
    return f"n{i:05d}.bulk.test"


def bulk_address6(i: int) -> IPv6Address | None:
    """The AAAA of bulk name number i."""
    kind = bulk_kind(i)
    if kind == "no-aaaa":
        return None
    return address6("open" if kind == "healthy" else kind, _BULK_BASE_N + i)


def bulk_address4(i: int) -> IPv4Address:
    """The A of bulk name number i."""
    return BULK_NETWORK4[i + 1]
