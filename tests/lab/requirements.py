"""What a machine needs to run the lab, and why this one cannot, if so."""

import functools
import importlib.util
import os
import shutil
import subprocess

# Debian package: the programs that the lab and its tests take from it.
PACKAGES = {
    "bind9-dnsutils": ("dig",),
    "coreutils": ("env", "sleep"),
    "iproute2": ("ip",),
    "iputils-ping": ("ping",),
    "mount": ("mount",),
    "nftables": ("nft",),
    "nginx": ("nginx",),
    "nsd": ("nsd",),
    "openssl": ("openssl",),
    "unbound": ("unbound",),
    "util-linux": ("nsenter", "unshare"),
}

# The same for the tests of firewall rules, which skip one by one where something is missing.
FIREWALLS = {
    "dbus-daemon": ("dbus-daemon",),
    "firewalld": ("firewalld",),
    "iptables": ("ip6tables-nft", "ip6tables-legacy"),
    "ufw": ("ufw",),
}

# And for the tests of formats: who reads them in earnest.
READERS = {
    "icinga2-bin": ("icinga2",),
    "monitoring-plugins-basic": ("/usr/lib/nagios/plugins/negate",),
    "prometheus": ("promtool",),
}

# What the lab will do later, tried on an empty namespace.
_TRIAL = (
    "mount -t tmpfs tmpfs /run && ip netns add a && ip netns add b"
    " && ip link add name x netns a type veth peer name y netns b"
    " && nft add table inet lab"
)


def search_path() -> str:
    """PATH with the system directories, which ordinary users often lack."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def unshare_command() -> list[str]:
    """Private mount, process and network namespaces that die with this command."""
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return ["unshare", *user, "--mount", "--net", "--pid", "--fork", "--kill-child", "--"]


@functools.cache
def unavailable() -> str | None:
    """Why the lab cannot run here, or None if it can."""
    if importlib.util.find_spec("dns") is None:
        return "the lab needs dnspython"
    missing = [
        f"{program} (Debian package {package})"
        for package, programs in PACKAGES.items()
        for program in programs
        if shutil.which(program, path=search_path()) is None
    ]
    if missing:
        return f"the lab needs {', '.join(missing)}"
    return _trial_failure()


def _trial_failure() -> str | None:
    trial = subprocess.run(
        [*unshare_command(), "sh", "-c", f"mount -t proc proc /proc && {_TRIAL}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
        env=os.environ | {"PATH": search_path()},
    )
    if trial.returncode == 0:
        return None
    reason = (trial.stderr.strip().splitlines() or ["no reason given"])[-1]
    return f"the lab cannot make namespaces here: {reason}"
