"""What more than one check can find, and the lines that fix it, by software; for port 443."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ipv6check.model.findings import Explained

# Serve over IPv6 too what is served over IPv4.
LISTEN: Mapping[str, str] = MappingProxyType(
    {
        "nginx": "listen 443 ssl;\nlisten [::]:443 ssl;      # beside it, in each server",
        "Apache": "Listen [::]:443            # and <VirtualHost *:443>",
        "Caddy": "bind 192.0.2.1 [2001:db8::1]   # or no bind line",
        "HAProxy": "bind :::443 v4v6           # and ssl crt FILE, as before",
        "Postfix": "inet_protocols = all       # main.cf; then restart, no reload\n"
        "inet_interfaces = all",
        "Dovecot": "listen = *, ::",
        "sshd": "AddressFamily any          # no ListenAddress of IPv4 alone",
        "BIND": "listen-on-v6 { any; };     # in options",
        "Unbound": "interface: ::0             # in server, beside 0.0.0.0",
        "NSD": "ip-address: ::0            # in server, beside 0.0.0.0",
        "Knot DNS": "listen: [ 0.0.0.0@53, ::@53 ]   # in server",
        "PostgreSQL": "listen_addresses = '*'     # and a line in pg_hba.conf",
        "MariaDB": "bind-address = ::          # serves IPv4 too",
        "Node.js": "server.listen(443)         // no '0.0.0.0'",
        "Go": 'net.Listen("tcp", ":443")  // not "tcp4"',
        "Python": 'socket.create_server(("", 443), family=socket.AF_INET6,\n'
        "                     dualstack_ipv6=True)",
        "Java": "no -Djava.net.preferIPv4Stack=true",
        "systemd": "ListenStream=[::]:443      # in the .socket unit\nBindIPv6Only=both",
        "Docker": "docker run -p 443:443      # not -p 0.0.0.0:443:443",
        "Kubernetes": "ipFamilyPolicy: PreferDualStack   # in the Service's spec",
        "AWS": "aws elbv2 set-ip-address-type --load-balancer-arn ARN \\\n"
        "  --ip-address-type dualstack",
    }
)

# Let a TCP port in over IPv6.
ACCEPT_TCP: Mapping[str, str] = MappingProxyType(
    {
        "nftables": "nft insert rule inet filter input tcp dport 443 accept\n"
        "# your table and chain; the same in /etc/nftables.conf",
        "ip6tables": "ip6tables -I INPUT -p tcp --dport 443 -j ACCEPT\n"
        "ip6tables-save > /etc/iptables/rules.v6",
        "ufw": "IPV6=yes                   # in /etc/default/ufw\n"
        "ufw disable && ufw enable\nufw allow 443/tcp",
        "firewalld": "firewall-cmd --permanent --add-port=443/tcp\nfirewall-cmd --reload",
        "AWS": "aws ec2 authorize-security-group-ingress --group-id sg-ID \\\n"
        "  --ip-permissions 'IpProtocol=tcp,FromPort=443,ToPort=443,\n"
        "  Ipv6Ranges=[{CidrIpv6=::/0}]'",
        "Google Cloud": "gcloud compute firewall-rules create https-ipv6 \\\n"
        "  --network=NETWORK --allow=tcp:443 --source-ranges=::/0",
        "Azure": "az network nsg rule create -g GROUP --nsg-name NSG \\\n"
        "  -n https --priority 310 --access Allow --protocol Tcp \\\n"
        "  --direction Inbound --destination-port-ranges 443",
        "Hetzner": "hcloud firewall add-rule FIREWALL --direction in \\\n"
        "  --protocol tcp --port 443 --source-ips ::/0",
    }
)

# Let in the ICMPv6 that IPv6 cannot do without (RFC 4890 section 4.4.1).
ACCEPT_ICMPV6: Mapping[str, str] = MappingProxyType(
    {
        "nftables": "nft insert rule inet filter input \\\n  meta l4proto ipv6-icmp accept",
        "ip6tables": "ip6tables -I INPUT -p ipv6-icmp -j ACCEPT",
        "AWS": "aws ec2 authorize-security-group-ingress --group-id sg-ID \\\n"
        "  --ip-permissions 'IpProtocol=icmpv6,FromPort=-1,ToPort=-1,\n"
        "  Ipv6Ranges=[{CidrIpv6=::/0}]'",
        "Google Cloud": "gcloud compute firewall-rules create icmpv6 \\\n"
        "  --network=NETWORK --allow=58 --source-ranges=::/0",
    }
)

# Give a machine a global IPv6 address, and the way to the Internet.
GET_IPV6: Mapping[str, str] = MappingProxyType(
    {
        "Linux": "ip -6 addr; ip -6 route    # an address? a default route?\n"
        "ip -6 addr add 2001:db8::2/64 dev eth0\n"
        "ip -6 route add default via fe80::1 dev eth0",
        "AWS": "# after an IPv6 CIDR block for the VPC and for the subnet\n"
        "aws ec2 assign-ipv6-addresses --ipv6-address-count 1 \\\n"
        "  --network-interface-id eni-ID\n"
        "aws ec2 create-route --route-table-id rtb-ID \\\n"
        "  --destination-ipv6-cidr-block ::/0 --gateway-id igw-ID",
        "Google Cloud": "gcloud compute networks subnets update SUBNET \\\n"
        "  --region=REGION --stack-type=IPV4_IPV6 \\\n"
        "  --ipv6-access-type=EXTERNAL\n"
        "gcloud compute instances network-interfaces update VM \\\n"
        "  --zone=ZONE --stack-type=IPV4_IPV6 \\\n"
        "  --ipv6-network-tier=PREMIUM",
        "Azure": "# after an IPv6 prefix for the network and for the subnet\n"
        "az network public-ip create -g GROUP -n IP6 \\\n"
        "  --version IPv6 --sku Standard\n"
        "az network nic ip-config create -g GROUP --nic-name NIC \\\n"
        "  -n ipv6 --private-ip-address-version IPv6 \\\n"
        "  --vnet-name NET --subnet SUBNET --public-ip-address IP6",
    }
)

NO_IPV6_HERE = Explained(
    "no-ipv6-here",
    "unknown",
    "This host has no IPv6, or one that reaches nobody. Nothing is said of the target.",
    "Run it from a host with IPv6. A pipeline may accept this with --on-unknown pass.",
)
UNTRIED = Explained(
    "untried",
    "unknown",
    "This host, or its own router, refused to send the packets. Nothing is said of the target.",
    "Look at this host's routes and filters, or ask from another network. A pipeline may accept "
    "this with --on-unknown pass.",
)
NO_ROUTE_FROM_HERE = Explained(
    "no-route-from-here",
    "unknown",
    "IPv6 works from here, and this host's own router says that it knows no route to this address. "
    "Others may have one: the fault is this network's, its provider's, or the target's.",
    "Ask from another network. If that one reaches the address, tell your own provider.",
)
NO_TIME = Explained(
    "no-time",
    "unknown",
    "The target's time was over before some addresses and ports were tried: it is short, or so "
    "many addresses are silent that others had no turn (at most six are tried at once). Nothing is "
    "said of those.",
    "Give the target more time with --deadline, or withdraw the addresses that are silent.",
)
NO_ADDRESS = Explained(
    "no-address",
    "skip",
    "The name has no IPv6 address that could be tried: see aaaa.",
    see="aaaa",
)
