"""Targets as the user writes them: parsed once, and never a raw string again.

A host name is kept as its A-labels (RFC 5891), lower case, without the final dot; an address in the
canonical text of RFC 5952. Nothing here opens a socket, and time is linear in the input's length.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ipv6check.model import BadInputError, Place
from ipv6check.model.text import harmless, quoted, without_user

MAX_TEXT = 2048
MAX_NAME = 253  # RFC 1035 section 2.3.4: 255 octets on the wire
MAX_LABEL = 63

# TCP ports of the IANA service registry. `smtps` is the common name of `submissions` (RFC 8314).
SCHEMES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "dns": (53,),
        "ftp": (21,),
        "ftps": (990,),
        "http": (80,),
        "https": (443,),
        "imap": (143,),
        "imaps": (993,),
        "ldap": (389,),
        "ldaps": (636,),
        "mqtt": (1883,),
        "mqtts": (8883,),
        "mysql": (3306,),
        "pop3": (110,),
        "pop3s": (995,),
        "postgresql": (5432,),
        "sip": (5060,),
        "sips": (5061,),
        "smtp": (25,),
        "smtps": (465,),
        "ssh": (22,),
        "submission": (587,),
        "submissions": (465,),
    }
)

# Schemes that begin with TLS, and the registered ports of such services (8443 by custom).
TLS_SCHEMES = frozenset(
    {"ftps", "https", "imaps", "ldaps", "mqtts", "pop3s", "sips", "smtps", "submissions"}
)
TLS_PORTS = frozenset({443, 465, 563, 636, 853, 990, 992, 993, 995, 5061, 5671, 6697, 8443, 8883})

_LABEL = r"(?!xn--){first}(?:[a-z0-9_-]{{0,61}}[a-z0-9_])?"
# Most targets of a long list. The last label starts with a letter, so it is not an IPv4 address.
_PLAIN = re.compile(
    rf"(?:{_LABEL.format(first='[a-z0-9_]')}\.)*{_LABEL.format(first='[a-z_]')}",
    re.IGNORECASE | re.ASCII,
)
_URL = re.compile(r"([^/?#]*)://([^/?#]*)([^#]*)", re.DOTALL)
_BRACKETED = re.compile(r"\[([^][]*)\](?::(.*))?", re.DOTALL)
_NETWORK = re.compile(r"[0-9a-f:.]+/[0-9]+", re.IGNORECASE | re.ASCII)
_PORT = re.compile("[0-9]{1,5}")
_OUTSIDE_A_LABEL = re.compile("[^a-z0-9_-]")
_LINK_LOCAL = re.compile("fe[89ab][0-9a-f]:", re.IGNORECASE)
_ZONE = re.compile("[a-zA-Z0-9_.:@-]{1,15}")  # the name or the number of an interface
_NUMBER = re.compile("[0-9]+|0x[0-9a-f]*")
_NOT_ASCII = re.compile("[^\x00-\x7f]+")
_JOINERS = str.maketrans("", "", "\u200c\u200d")  # RFC 5892 appendix A: letters of some names


class TargetError(BadInputError):
    """A text that is not a target. The message is one printable line."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host to check, with its ports where the user named them.

    Attributes:
        text: what was written.
        host: the name in A-labels, or the canonical address.
        literal: whether the host is an address.
        ports: the port that was written, else the scheme's; empty for a bare name.
        scheme: empty where none was written.
        path: with the query, ASCII, begins with ``/``; empty where none was written.
        place: file and line where it was written, None on a command line.
        service: the name of the service that it belongs to, empty for none.
    """

    text: str
    host: str
    literal: bool = False
    ports: tuple[int, ...] = ()
    scheme: str = ""
    path: str = ""
    place: Place | None = None
    service: str = ""

    @property
    def key(self) -> tuple[str, tuple[int, ...], str, str, str]:
        """The identity of the target: equal for two spellings of one target."""
        return self.host, self.ports, self.scheme, self.path, self.service

    @property
    def server_name(self) -> str:
        """The name for TLS's SNI (RFC 6066 section 3), empty for an address."""
        return "" if self.literal else self.host

    def begins_with_tls(self, port: int) -> bool:
        """Whether a client starts with a ClientHello there: by the scheme, else by the port."""
        return self.scheme in TLS_SCHEMES if self.scheme else port in TLS_PORTS


def parse(text: str) -> Target:
    """The target that ``text`` names.

    Args:
        text: a name, ``name:port``, an IPv6 address, ``[address]:port``, or ``scheme://…`` around
            one of these (RFC 3986 section 3.2).

    Raises:
        TargetError: it is not a target, with the reason.
    """
    if len(text) <= MAX_NAME and _PLAIN.fullmatch(text):
        return Target(text, text.lower())
    try:
        return _parse(text)
    except TargetError:
        if "@" not in text:
            raise
    # Whatever else is wrong, the reason could quote a part of a password.
    raise TargetError(
        f"{quoted(without_user(text))} has a user name or password in it: give only the host"
    )


def hostname(text: str) -> str:
    """The ASCII form of a host name: A-labels (RFC 5891), lower case, no final dot.

    Underscores are allowed, because service names have them (RFC 8552).

    Raises:
        TargetError: it is not a host name, or is an IPv4 address.
    """
    if len(text) > MAX_NAME + 1:
        raise _long_name(text)
    name = text.lower() if text.isascii() else _mapped(text)
    labels = [_label(label, text) for label in name.removesuffix(".").split(".")]
    name = ".".join(labels)
    if len(name) > MAX_NAME:
        raise _long_name(text)
    if _NUMBER.fullmatch(labels[-1]):
        raise _ipv4(name)
    return name


def address(text: str) -> str:
    """The canonical text of an IPv4 or IPv6 address (RFC 5952), without brackets.

    Raises:
        TargetError: it is not an address, or has a zone identifier (RFC 4007 section 11).
    """
    if "%" in text:
        raise TargetError(f"{quoted(text)} has a zone identifier, which only this host can use")
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        raise TargetError(f"{quoted(text)} is not an IP address") from None
    # str() of a mapped address differs between versions of Python.
    mapped = ip.ipv4_mapped if ip.version == 6 else None
    return f"::ffff:{mapped}" if mapped else str(ip)


def ipv6_address(text: str) -> str:
    """The canonical text of an IPv6 address (RFC 5952), without brackets.

    Raises:
        TargetError: it is not; an IPv4-mapped one (RFC 4291 section 2.5.5.2) is IPv4 on the wire.
    """
    canonical = address(text)
    if ":" not in canonical:
        raise TargetError(f"{quoted(text)} is an IPv4 address, not an IPv6 address")
    if "." in canonical:
        raise TargetError(f"{quoted(text)} is an IPv4-mapped address: connections to it use IPv4")
    return canonical


def port_number(text: str) -> int:
    """A port, 1 to 65535 (RFC 6335 section 6).

    Raises:
        TargetError: it is not one.
    """
    if _PORT.fullmatch(text) and 1 <= int(text) <= 65535:
        return int(text)
    raise TargetError(f"{quoted(text)} is not a port: a port is 1 to 65535")


def address_and_port(text: str, default: int) -> tuple[str, int]:
    """The address and the port of ``address``, ``[address]``, ``[address]:port``, ``ipv4:port``.

    A link-local address may have its zone (``fe80::1%eth0``), as resolv.conf(5) writes it.

    Raises:
        TargetError: it is none of these.
    """
    if text.count(":") > 1 and not text.startswith("["):
        return _zoned(text), default
    host, port = _authority(text)
    if text.startswith("["):
        ipv6_address(host.partition("%")[0])
    return _zoned(host), default if port is None else port_number(port)


def _zoned(text: str) -> str:
    """The canonical address; a link-local one may have a zone (RFC 4007 section 11)."""
    plain, percent, zone = text.partition("%")
    scoped = percent and _ZONE.fullmatch(zone) and _LINK_LOCAL.match(plain)
    return f"{address(plain)}%{zone}" if scoped else address(text)


def _parse(text: str) -> Target:
    _refuse_unclean(text)
    scheme, authority, path = _split(text)
    host, port = _authority(authority)
    literal = ":" in host or authority.startswith("[")
    if literal and scheme and not authority.startswith("["):
        raise TargetError(
            f"{quoted(authority)} is neither host nor host:port: "
            f"an IPv6 address needs brackets here, {scheme}://[2001:db8::1]/"
        )
    ports = SCHEMES.get(scheme, ()) if port is None else (port_number(port),)
    host = ipv6_address(host) if literal else hostname(host)
    return Target(text, host, literal, ports, scheme, path)


def _refuse_unclean(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise TargetError(f"{quoted(text)} is too long: {len(text)} characters, at most {MAX_TEXT}")
    if not text:
        raise TargetError(f"{quoted(text)} is empty: give a host, such as example.com")
    if any(char.isspace() for char in text):
        raise TargetError(f"{quoted(text)} has white space in it: give one target at a time")
    if not text.translate(_JOINERS).isprintable():
        raise TargetError(f"{quoted(text)} has a control or invisible character in it")


def _split(text: str) -> tuple[str, str, str]:
    """Scheme, authority and path; the first and the last are empty where there is no ``://``."""
    url = _URL.match(text)
    if url is None:
        _refuse_path(text)
        return "", text, ""
    scheme, authority, path = url[1].lower(), url[2], url[3]
    if scheme not in SCHEMES:
        raise TargetError(f"{quoted(url[1])} is not a supported scheme: {', '.join(SCHEMES)}")
    if not authority:
        raise TargetError(f"{quoted(text)} has no host after {scheme}://")
    return scheme, authority, _ascii_path(path)


def _refuse_path(text: str) -> None:
    if _NETWORK.fullmatch(text):
        raise TargetError(f"{quoted(text)} is a network: give one host or one address")
    if re.search("[/?#]", text):
        raise TargetError(f"{quoted(text)} has a path but no scheme: write https:// before it")


def _ascii_path(path: str) -> str:
    """The path with percent-encoded UTF-8 for all that is not ASCII (RFC 3987 section 3.1)."""
    rooted = f"/{path}" if path.startswith("?") else path
    return _NOT_ASCII.sub(
        lambda match: "".join(f"%{octet:02X}" for octet in match[0].encode()), rooted
    )


def _authority(text: str) -> tuple[str, str | None]:
    """Host without brackets, and the text of the port if there is one."""
    if bracketed := _BRACKETED.fullmatch(text):
        host, port = bracketed[1], bracketed[2]
    elif "[" in text or "]" in text:
        raise TargetError(f"{quoted(text)} has unbalanced brackets: write [2001:db8::1]:443")
    elif text.count(":") > 1:
        host, port = text, None
    else:
        host, colon, rest = text.partition(":")
        port = rest if colon else None
    if port == "":
        raise TargetError(f"{quoted(text)} has no port after the colon")
    return host, port


def _mapped(text: str) -> str:
    """The mapping of UTS 46 section 4, steps 1 and 2."""
    import idna  # noqa: PLC0415 - its tables cost 10 ms, and few names need them

    try:
        return idna.uts46_remap(text, std3_rules=False, transitional=False)
    except UnicodeError as error:
        raise _not_idna(text, error) from None


def _label(label: str, name: str) -> str:
    """The ASCII form of one label, which is lower case and mapped already."""
    if not label.isascii() or label.startswith("xn--"):
        label = _a_label(label, name)
    if not label:
        raise TargetError(f"{quoted(name)} has an empty label")
    if len(label) > MAX_LABEL:
        raise TargetError(f"{quoted(name)} has a label of more than {MAX_LABEL} characters")
    if forbidden := _OUTSIDE_A_LABEL.search(label):
        raise TargetError(
            f"{quoted(name)} is not a host name: {quoted(forbidden[0])} is not allowed"
        )
    if label.startswith("-") or label.endswith("-"):
        raise TargetError(f"{quoted(name)} has a label that begins or ends with a hyphen")
    return label


def _a_label(label: str, name: str) -> str:
    """The A-label of a U-label (RFC 5891 section 4); one that claims to be an A-label stays.

    The DNS has names that IDNA 2008 would not register, emoji among them, and clients open them.
    """
    import idna  # noqa: PLC0415 - as above

    if label.startswith("xn--") and label.isascii():
        return label
    try:
        return idna.alabel(idna.ulabel(label)).decode()
    except UnicodeError as error:
        raise _not_idna(name, error) from None


def _not_idna(name: str, error: UnicodeError) -> TargetError:
    return TargetError(f"{quoted(name)} is not a valid IDNA 2008 name: {harmless(str(error), 160)}")


def _long_name(text: str) -> TargetError:
    return TargetError(f"{quoted(text)} is too long for a host name: at most {MAX_NAME} characters")


def _ipv4(name: str) -> TargetError:
    """The error of a name that ends in a number: clients read it as IPv4 (WHATWG URL 3.5)."""
    hint = "give a host name, an IPv4 address has nothing to check over IPv6"
    try:
        return TargetError(f"{ipaddress.IPv4Address(name)} is an IPv4 address: {hint}")
    except ValueError:
        return TargetError(
            f"{quoted(name)} ends in a number, so clients read it as an IPv4 address: {hint}"
        )
