"""Which addresses an image may be fetched from.

A bundle is a text file from outside, so its URLs must not reach what only this network can reach: cloud metadata
services, cluster dashboards, databases. What is checked is the address connected to, after DNS and at every redirect.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

IPAddress = IPv4Address | IPv6Address

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All of IPv6 that IANA has given out as global unicast; the rest is reserved, local or multicast."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last 32 bits are the IPv4 address that a NAT64 gateway connects to."""

_NOT_PUBLIC_EITHER: Final = (
    IPv4Network("192.0.0.0/24"),  # RFC 6890, protocol assignments
    IPv4Network("192.88.99.0/24"),  # RFC 7526, 6to4 relays, withdrawn
    IPv4Network("168.63.129.16/32"),  # Azure's host: metadata, DNS, keys of the machine
    IPv4Network("161.26.0.0/16"),  # IBM Cloud's services for its own machines
    IPv4Network("166.8.0.0/14"),  # the same
    IPv6Network("3fff::/20"),  # RFC 9637, documentation
)
"""What `is_global` of Python 3.11 lets pass. The metadata services of other clouds lie in networks that it refuses."""


def is_public(address: IPAddress) -> bool:
    """Global unicast, and so is any IPv4 address carried inside (mapped, NAT64, 6to4; Teredo is never public)."""
    if any(address in network for network in _NOT_PUBLIC_EITHER if network.version == address.version):
        return False
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.sixtofour is not None:
        return is_public(address.sixtofour)
    return address in _GLOBAL_UNICAST and address.is_global


def is_in(address: IPAddress, networks: Iterable[str]) -> bool:
    """In one of the networks, each as `ip_network` takes it."""
    return any(address in network for network in map(ip_network, networks) if network.version == address.version)


def parse_address(host: str) -> IPAddress | None:
    """The address that a URL's host spells, None where it is a name.

    Takes every spelling that the C library takes: `2130706433`, `0x7f.1` and `127.1` are all 127.0.0.1.
    """
    host = host.strip("[]").rstrip(".")
    try:
        return ip_address(host.partition("%")[0]) if ":" in host else IPv4Address(socket.inet_aton(host))
    except (ValueError, OSError):
        return None
