"""The client of a request, as limits count it: a valid key, or else an address."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address[:64].partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((parsed, 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(parsed)


@lru_cache(maxsize=4096)
def wider_network_of(address: str) -> str:
    """Return a network of many people for a log: the /24 of an IPv4 address, the /48 of an IPv6 address, or nothing."""
    try:
        network = ipaddress.ip_network(network_of(address))
    except ValueError:
        return ""
    return str(network.supernet(new_prefix=24 if network.version == 4 else 48))


def client_of(scope: Mapping[str, Any]) -> str:
    """Return the client of an ASGI scope: `key:<id>` after the authentication of a key, else `address:<network>`."""
    caller = scope.get("caller")
    if caller is not None and caller.key:
        return f"key:{caller.key}"
    return f"address:{network_of((scope.get('client') or ('',))[0])}"
