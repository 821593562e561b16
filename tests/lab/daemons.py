"""The server programs of the lab: their configuration files, and how each is started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.lab import netns, plan, zones
from tests.lab.scenarios import Scenario

_NSD = """
server:
  server-count: 1
  {addresses}
  # No user to change to: in an unprivileged user namespace there is only one.
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{directory}"
  xfrdir: "{directory}"
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  pidfile: "{directory}/nsd.pid"
  logfile: "{directory}/log"
  tcp-count: 1000
  rrl-ratelimit: 0
remote-control:
  control-enable: no
{zones}
"""

_UNBOUND = """
server:
  {addresses}
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: ""
  use-syslog: no
  logfile: "{directory}/log"
  root-hints: "{directory}/root.hints"
  module-config: "{modules}"
  {dns64}
  # Unbound answers "no such name" for these by itself otherwise.
  local-zone: "test." nodefault
  qname-minimisation: no
  num-threads: 1
  outgoing-range: 512
  num-queries-per-thread: 1024
  incoming-num-tcp: 200
  rrset-roundrobin: {rotates}
  # A server that is silent for one name must stay usable for the next.
  infra-host-ttl: 0
  infra-keep-probing: yes
  infra-cache-max-rtt: 20000
  # An answer that is late on purpose must be waited for, and not asked for again.
  infra-cache-min-rtt: 3000
  unknown-server-time-limit: 3000
remote-control:
  control-enable: no
"""

_NGINX = """
daemon off;
# A master would change its workers' user, which an unprivileged user namespace forbids.
master_process off;
user root;
pid {directory}/pid;
error_log {directory}/log;
events {{ worker_connections 8000; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate {directory}/cert.pem;
  ssl_certificate_key {directory}/key.pem;
  server {{
    listen 80 backlog=8192; listen [::]:80 backlog=8192 ipv6only=on;
    listen 443 ssl backlog=8192; listen [::]:443 ssl backlog=8192 ipv6only=on;
    listen 8081;
    listen [::]:8082 ipv6only=on;
    listen 8083; listen [::]:8083 ipv6only=on;
    location / {{ return 200 "$host on $server_addr port $server_port\\n"; }}
  }}
  server {{ {alerting} ssl_reject_handshake on; }}
  server {{ {named} ssl_reject_handshake on; }}
  server {{ {named} server_name *.test; return 200; }}
  server {{ {plain} }}
}}
"""

# Names enough for a certificate that no packet of 1280 bytes holds.
_NAMES = ("*.test", "*.hostile.test", "*.bulk.test", *(f"{n:060}.test" for n in range(20)))
_CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    f" -subj /CN=lab.test -addext subjectAltName={','.join(f'DNS:{name}' for name in _NAMES)}"
)


class Daemons:
    """Starts programs in the server's namespace, and knows which log belongs to which process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.logs: dict[int, Path] = {}

    def start_dns(self, scenarios: Iterable[Scenario], bulk: int) -> None:
        """The faulty server, the root, and the zones below it."""
        self._python("server", "hostile")
        self._nsd("root", plan.ROOT_ADDRESSES, {".": zones.root_zone()})
        servers = (plan.AUTHORITATIVE, plan.AUTHORITATIVE_2)
        addresses = [address for s in servers for address in (s.ipv4, s.ipv6)]
        self._nsd("zones", addresses, zones.authoritative_zones(scenarios, bulk))

    def start_resolvers(self) -> None:
        """The recursive resolvers."""
        self._unbound(plan.RESOLVER, "")
        self._unbound(plan.ROTATING, "", rotates=True)
        for server, prefix in plan.DNS64_PREFIXES.items():
            self._unbound(server, prefix)

    def start_web(self) -> None:
        """HTTP and TLS on every address."""
        directory = self._make("nginx")
        files = ("-keyout", f"{directory}/key.pem", "-out", f"{directory}/cert.pem")
        subprocess.run([*_CERTIFICATE.split(), *files], check=True, capture_output=True, timeout=10)
        text = _NGINX.format(
            directory=directory,
            alerting=_listen("alert", "ssl"),
            named=_listen("named", "ssl"),
            plain=_listen("none", ""),
        )
        (directory / "conf").write_text(text)
        arguments = ("-e", f"{directory}/log", "-c", f"{directory}/conf")
        self._start("server", directory, "nginx", *arguments)

    def start_delay(self) -> None:
        """The slow cable."""
        self._python("wire", "delay", "near", "far")

    def check_alive(self) -> None:
        """Complain of a program that has ended."""
        for pid in self.logs:
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                raise OSError(f"a server died: {self.log_of(pid)}")

    def log_of(self, pid: int) -> str:
        """The last line that a process logged, for an error message."""
        log = self.logs[pid]
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return f"{log.parent.name}: {lines[-1] if lines else 'no log'}"

    def _nsd(self, name: str, addresses: Iterable[str], files: dict[str, str]) -> None:
        directory = self._make(f"nsd-{name}")
        for zone, text in files.items():
            (directory / f"zone-{zone}").write_text(text)
        entries = "\n".join(f'zone:\n  name: "{z}"\n  zonefile: "zone-{z}"' for z in files)
        lines = "\n  ".join(f"ip-address: {address}" for address in addresses)
        text = _NSD.format(addresses=lines, directory=directory, zones=entries)
        (directory / "conf").write_text(text)
        self._start("server", directory, "nsd", "-d", "-c", f"{directory}/conf")

    def _unbound(self, server: plan.DnsServer, dns64: str, *, rotates: bool = False) -> None:
        directory = self._make(f"unbound-{server.number}")
        (directory / "root.hints").write_text(zones.root_hints())
        text = _UNBOUND.format(
            addresses=f"interface: {server.ipv4}\n  interface: {server.ipv6}",
            directory=directory,
            modules="dns64 iterator" if dns64 else "iterator",
            dns64=f"dns64-prefix: {dns64}" if dns64 else "",
            rotates="yes" if rotates else "no",
        )
        (directory / "conf").write_text(text)
        program = self._unconfined("unbound")
        self._start("server", directory, program, "-d", "-c", f"{directory}/conf")

    def _unconfined(self, program: str) -> str:
        """A copy: Debian's and Ubuntu's AppArmor profile keeps the original from our files."""
        copy = self._directory / program
        if not copy.exists():
            shutil.copy(shutil.which(program) or program, copy)
        return str(copy)

    def _python(self, namespace: str, module: str, *arguments: str) -> None:
        command = (sys.executable, "-m", f"tests.lab.{module}", *arguments)
        self._start(namespace, self._make(module), *command)

    def _make(self, name: str) -> Path:
        directory = self._directory / name
        directory.mkdir()
        return directory

    def _start(self, namespace: str, directory: Path, *command: str) -> None:
        log = directory / "log"
        with netns.inside(namespace), log.open("ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=os.environ
            )
        self.logs[process.pid] = log


def _listen(tls: str, options: str) -> str:
    """Port 443 of the addresses whose TLS is so, for nginx."""
    faulty = [behaviour.name for behaviour in plan.BEHAVIOURS.values() if behaviour.tls == tls]
    numbers = range(1, plan.TLS_FAULTS_MAX + 1)
    ipv6 = [f"[{plan.address6(name, n)}]" for name in faulty for n in numbers]
    ipv4 = [str(plan.address4(name, n)) for name in faulty for n in numbers]
    return " ".join(f"listen {address}:443 {options};" for address in (*ipv6, *ipv4))
