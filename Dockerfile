# docker build -t ipv6check . && docker run --rm --network host ipv6check example.com
#
# Docker's default bridge has no IPv6, so the verdict there is "unknown": use --network host, or a
# network with IPv6 (docker network create --ipv6).
#
# It needs neither root nor capabilities. Ping uses the kernel's unprivileged ICMP sockets, which
# net.ipv4.ping_group_range allows for IPv6 too. Docker (20.10 and later) allows them to every group
# in a container with its own network; with --network host the host's setting applies. If they are
# not allowed, the check "ping" is skipped and says so.
#
# Private checks: -v "$PWD/checks:/checks.d:ro"

FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/ipv6check && /opt/ipv6check/bin/pip install --no-cache-dir .

FROM python:3.13-slim
COPY --from=build /opt/ipv6check /opt/ipv6check
# Empty unless somebody mounts one over it; a missing directory would be an error.
RUN mkdir /checks.d && ln -s /opt/ipv6check/bin/ipv6check /usr/local/bin/ipv6check
ENV IPV6CHECK_CHECKS_DIR=/checks.d PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["ipv6check"]
