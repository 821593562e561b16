"""Names of protocols and services that stand in rules, with their IANA numbers.

Only those on which the usual /etc/services and /etc/protocols agree: a host may have others, and
what a name that is not here means there cannot be determined. The kernel never sees a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

ICMP, TCP, UDP, DCCP, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 33, 58, 132, 136
ESP, AH, MH = 50, 51, 135
WITH_PORTS = frozenset({TCP, UDP, DCCP, SCTP, UDPLITE})


class Icmpv6Type(IntEnum):
    """Types of ICMPv6 messages (IANA, "ICMPv6 Parameters")."""

    DESTINATION_UNREACHABLE = 1
    PACKET_TOO_BIG = 2
    TIME_EXCEEDED = 3
    PARAMETER_PROBLEM = 4
    ECHO_REQUEST = 128
    ECHO_REPLY = 129
    MLD_QUERY = 130
    MLD_REPORT = 131
    MLD_DONE = 132
    ROUTER_SOLICITATION = 133
    ROUTER_ADVERTISEMENT = 134
    NEIGHBOUR_SOLICITATION = 135
    NEIGHBOUR_ADVERTISEMENT = 136
    REDIRECT = 137
    ROUTER_RENUMBERING = 138
    NODE_INFORMATION_QUERY = 139
    NODE_INFORMATION_RESPONSE = 140
    INVERSE_NEIGHBOUR_SOLICITATION = 141
    INVERSE_NEIGHBOUR_ADVERTISEMENT = 142
    MLDV2_REPORT = 143
    HOME_AGENT_ADDRESS_DISCOVERY_REQUEST = 144
    CERTIFICATION_PATH_SOLICITATION = 148
    CERTIFICATION_PATH_ADVERTISEMENT = 149
    MULTICAST_ROUTER_ADVERTISEMENT = 151
    MULTICAST_ROUTER_SOLICITATION = 152
    MULTICAST_ROUTER_TERMINATION = 153


class IcmpType(IntEnum):
    """Types of ICMP messages (IANA, "ICMP Parameters")."""

    ECHO_REPLY = 0
    DESTINATION_UNREACHABLE = 3
    SOURCE_QUENCH = 4
    REDIRECT = 5
    ECHO_REQUEST = 8
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12
    TIMESTAMP_REQUEST = 13
    TIMESTAMP_REPLY = 14
    INFORMATION_REQUEST = 15
    ADDRESS_MASK_REQUEST = 17


def _spelled(types: type[IntEnum]) -> Mapping[str, int]:
    """The types by their names as ``--packet`` takes them: ``packet-too-big``."""
    return MappingProxyType({kind.name.lower().replace("_", "-"): kind.value for kind in types})


ICMPV6_NAMES, ICMP_NAMES = _spelled(Icmpv6Type), _spelled(IcmpType)

_PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "ipencap": 4,
    "tcp": 6,
    "egp": 8,
    "igp": 9,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "ipv6-route": 43,
    "ipv6-frag": 44,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "icmp6": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "eigrp": 88,
    "ospf": 89,
    "ipip": 94,
    "etherip": 97,
    "pim": 103,
    "comp": 108,
    "ipcomp": 108,
    "vrrp": 112,
    "l2tp": 115,
    "isis": 124,
    "sctp": 132,
    "fc": 133,
    "ipv6-mh": 135,
    "mobility-header": 135,
    "mh": 135,
    "udplite": 136,
}

_SERVICES = {
    "tcpmux": 1,
    "echo": 7,
    "discard": 9,
    "daytime": 13,
    "chargen": 19,
    "ftp-data": 20,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "mail": 25,
    "smtp": 25,
    "time": 37,
    "whois": 43,
    "domain": 53,
    "bootps": 67,
    "bootpc": 68,
    "tftp": 69,
    "gopher": 70,
    "finger": 79,
    "http": 80,
    "www": 80,
    "kerberos": 88,
    "kerberos5": 88,
    "pop-3": 110,
    "pop3": 110,
    "portmapper": 111,
    "sunrpc": 111,
    "auth": 113,
    "ident": 113,
    "nntp": 119,
    "nntps": 563,
    "ntp": 123,
    "netbios-ns": 137,
    "netbios-dgm": 138,
    "netbios-ssn": 139,
    "imap": 143,
    "imap2": 143,
    "snmp": 161,
    "snmp-trap": 162,
    "snmptrap": 162,
    "bgp": 179,
    "ldap": 389,
    "https": 443,
    "microsoft-ds": 445,
    "kpasswd": 464,
    "smtps": 465,
    "ssmtp": 465,
    "submissions": 465,
    "isakmp": 500,
    "login": 513,
    "shell": 514,
    "syslog": 514,
    "printer": 515,
    "talk": 517,
    "route": 520,
    "uucp": 540,
    "dhcpv6-client": 546,
    "dhcpv6-server": 547,
    "rtsp": 554,
    "submission": 587,
    "ipp": 631,
    "ldaps": 636,
    "domain-s": 853,
    "rsync": 873,
    "ftps-data": 989,
    "ftps": 990,
    "telnets": 992,
    "imaps": 993,
    "pop3s": 995,
    "socks": 1080,
    "openvpn": 1194,
    "ms-sql-s": 1433,
    "ms-sql-m": 1434,
    "l2f": 1701,
    "radius": 1812,
    "radius-acct": 1813,
    "nfs": 2049,
    "dict": 2628,
    "gpsd": 2947,
    "iscsi-target": 3260,
    "mysql": 3306,
    "ms-wbt-server": 3389,
    "nut": 3493,
    "distcc": 3632,
    "subversion": 3690,
    "svn": 3690,
    "sieve": 4190,
    "epmd": 4369,
    "ipsec-nat-t": 4500,
    "iax": 4569,
    "munin": 4949,
    "sip": 5060,
    "sip-tls": 5061,
    "xmpp-client": 5222,
    "xmpp-server": 5269,
    "mdns": 5353,
    "postgres": 5432,
    "postgresql": 5432,
    "nrpe": 5666,
    "amqps": 5671,
    "amqp": 5672,
    "x11": 6000,
    "redis": 6379,
    "ircs-u": 6697,
    "afs3-fileserver": 7000,
    "http-alt": 8080,
    "webcache": 8080,
    "puppet": 8140,
    "bacula-dir": 9101,
    "bacula-fd": 9102,
    "bacula-sd": 9103,
    "git": 9418,
    "zabbix-agent": 10050,
    "zabbix-trapper": 10051,
    "nbd": 10809,
    "hkp": 11371,
}

PROTOCOLS: Mapping[str, int] = MappingProxyType(_PROTOCOLS)
SERVICES: Mapping[str, int] = MappingProxyType(_SERVICES)
