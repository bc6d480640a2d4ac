"""The networks from which a key may be used: their normal form, and whether an address is in one of them."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

MAX_NETWORKS = 50
MAX_LENGTH = 64  # characters of one network; the longest IPv6 network has 43

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def normal_networks(texts: Iterable[str]) -> list[str]:
    """Return networks in their normal form, without those that others contain. Raise ValueError for a malformed one.

    `10.1.2.3/8` becomes `10.0.0.0/8`, an address becomes a network of one address, and an IPv4 network in IPv6 notation
    becomes an IPv4 network.
    """
    parsed = [_parse_network(text) for text in texts]
    of_ipv4 = [network for network in parsed if isinstance(network, ipaddress.IPv4Network)]
    of_ipv6 = [network for network in parsed if isinstance(network, ipaddress.IPv6Network)]
    collapsed = [*ipaddress.collapse_addresses(of_ipv4), *ipaddress.collapse_addresses(of_ipv6)]
    return [str(network) for network in collapsed]


def _parse_network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text[: MAX_LENGTH + 1], strict=False)
    except ValueError:
        raise ValueError("This is not a network such as 192.0.2.0/24 or 2001:db8::/32.") from None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        last_bits = int(network.network_address) & 0xFFFFFFFF
        return ipaddress.IPv4Network((last_bits, network.prefixlen - _MAPPED.prefixlen))
    return network


def contain(networks: str | None, address: str) -> bool:
    """Return whether an address is in one of the networks (separated by spaces); without networks it always is."""
    if networks is None:
        return True
    parsed = _parse_address(address)
    return parsed is not None and any(parsed in network for network in _parsed(networks))


def are_within(inner: str | None, outer: str | None) -> bool:
    """Return whether each of the inner networks is part of one of the outer ones."""
    if outer is None:
        return True
    if inner is None:
        return False
    return all(any(_is_part(network, other) for other in _parsed(outer)) for network in _parsed(inner))


def _is_part(network: Network, other: Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and network.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and network.subnet_of(other)


@lru_cache(maxsize=1024)
def _parsed(networks: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in networks.split())


@lru_cache(maxsize=4096)
def _parse_address(address: str) -> Address | None:
    try:
        parsed = ipaddress.ip_address(address[:MAX_LENGTH].partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
