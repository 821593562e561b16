"""The firewall rules in force on this host, where the target is this host."""

from __future__ import annotations

from ipv6check.model import Failure, RuleTexts, Settings
from ipv6check.net import Net
from ipv6check.probes.here import Here


async def in_force(
    here: Here | Failure, settings: Settings, net: Net
) -> RuleTexts | Failure | None:
    """The output of nft and iptables-save for the rules loaded here; None where it does not apply.

    The rules of another host cannot be seen, and with ``--firewall`` others are judged.
    """
    if settings.rules is not None or isinstance(here, Failure) or not here.addresses:
        return None
    return None if net.kernel is None else await net.kernel.rules()
