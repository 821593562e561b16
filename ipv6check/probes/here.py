"""Which of the target's addresses are this host's own."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from ipv6check.model import Address, Answer, is_ipv6
from ipv6check.net import Net
from ipv6check.probes.addresses import Addresses


@dataclass(frozen=True, slots=True)
class Here:
    """Those of the target's addresses that this host has, IPv6 before IPv4.

    Empty for another's, and where the vantage has no host to look into.
    """

    addresses: tuple[Address, ...]

    @property
    def loopback(self) -> bool:
        """Whether the target is this host as only itself can reach it."""
        addresses = [ip_address(address) for address in self.addresses]
        return bool(addresses) and all(address.is_loopback for address in addresses)

    @property
    def ipv6(self) -> tuple[str, ...]:
        """Own addresses of IPv6."""
        return tuple(address for address in self.addresses if is_ipv6(address))

    @property
    def ipv4(self) -> tuple[str, ...]:
        """Own addresses of IPv4."""
        return tuple(address for address in self.addresses if not is_ipv6(address))


async def here(addresses: Addresses, net: Net) -> Here:
    """Ask the kernel of each address, also of those that packets may not go to.

    A name that was published with a loopback address does not mean this host, however.
    """
    kernel = net.kernel
    if kernel is None:
        return Here(())
    records = addresses.a.records if isinstance(addresses.a, Answer) else ()
    others = (*(bad.address for bad in addresses.unusable), *records)
    published = (address for address in others if not ip_address(address).is_loopback)
    known = dict.fromkeys((*addresses.ipv6, *addresses.ipv4, *published))
    own = [address for address in known if kernel.is_own(address)]
    return Here(tuple(sorted(own, key=lambda address: not is_ipv6(address))))
