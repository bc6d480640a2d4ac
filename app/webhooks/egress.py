"""The egress check: the registry connects only to public addresses over https, and to what its operator allows.

`routes` checks a URL when it is stored, and `client` checks it again for each attempt. A name is resolved once for an
attempt, each address is checked, and the connection goes to an address that passed.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from app.core.values.urls import parse_web_url

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Blocks of the IANA special-purpose registries that `is_global` of Python 3.11 accepts, transition mechanisms that
# contain an address chosen by somebody else, and the one public address that answers only inside a cloud.
_SPECIAL: tuple[Network, ...] = (
    ip_network("192.0.0.0/24"),  # protocol assignments
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("168.63.129.16/32"),  # the platform of Azure, as its machines see it
    ip_network("2001::/23"),  # Teredo, ORCHID and other protocol assignments
    ip_network("2001:db8::/32"),  # documentation
    ip_network("2002::/16"),  # 6to4
    ip_network("3fff::/20"),  # documentation
)

# No other block is assigned to hosts: mapped and compatible IPv4, NAT64, local and multicast addresses are outside.
_UNICAST = ip_network("2000::/3")


class EgressRefused(ValueError):
    """The registry must not connect to a URL or address. The message states why and does not repeat the input."""


@dataclass(frozen=True)
class Endpoint:
    """The parts of a URL: the host without brackets in lower case, and `target`, which is path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == (443 if self.scheme == "https" else 80)
        return host if is_default else f"{host}:{self.port}"


def is_public(address: Address) -> bool:
    """Return whether an address can belong to a host on the public internet."""
    if address.version == 6 and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)


@dataclass(frozen=True)
class EgressPolicy:
    """The networks, and the origins without https, that are allowed in addition to public addresses over https."""

    networks: tuple[Network, ...] = ()
    origins: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "EgressPolicy":
        """Read the setting HOPTAC_WEBHOOK_ALLOW: networks, and `http://host` with or without port.

        Raise ValueError for anything else.
        """
        entries = text.replace(",", " ").lower().split()
        origins = frozenset(entry.rstrip("/") for entry in entries if entry.startswith("http://"))
        try:
            networks = tuple(ip_network(entry) for entry in entries if not entry.startswith("http://"))
        except ValueError:
            detail = "takes networks such as 10.0.0.0/8 and hosts such as http://receiver:8080, separated by spaces"
            raise ValueError(f"HOPTAC_WEBHOOK_ALLOW {detail}") from None
        return cls(networks, origins)

    def endpoint(self, url: str) -> Endpoint:
        """Return the endpoint of a URL, without a lookup. Raise EgressRefused for its form, scheme, host or port."""
        try:
            parts = parse_web_url(url)
        except ValueError:
            parts = None
        if parts is None or "#" in url:
            raise EgressRefused("is not an absolute https URL in ASCII without user name, spaces or fragment")
        name = parts.hostname or ""
        written_host = f"[{name}]" if ":" in name else name
        host = _host(written_host)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if not (port in (80, 443) or 1024 <= port <= 65_535):
            raise EgressRefused("has a port other than 80, 443 and 1024 to 65535")
        origin = f"http://{written_host}"
        if parts.scheme == "http" and not self.origins & {origin, f"{origin}:{port}"}:
            raise EgressRefused("is not https")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Endpoint(parts.scheme, host, port, target)

    def permits(self, address: Address) -> bool:
        """Return whether the registry may connect to an address."""
        return is_public(address) or any(address in network for network in self.networks)

    async def addresses(self, host: str, port: int, lookups: Executor) -> Sequence[Address]:
        """Return the addresses of a host that are permitted. Raise EgressRefused if it has none."""
        addresses = await asyncio.get_running_loop().run_in_executor(lookups, _look_up, host, port)
        permitted = [address for address in addresses if self.permits(address)]
        if not permitted:
            raise EgressRefused("has no permitted address: it must be public")
        return permitted


def _host(text: str) -> str:
    """Return a host without brackets. Raise EgressRefused unless it is a name or an address in its usual form."""
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        labels = text.split(".")
        if _NUMBER.fullmatch(labels[-1]):  # a resolver would take 127.1, 0x7f.1 and 2130706433 for 127.0.0.1
            return str(IPv4Address(text))
    except ValueError:
        raise EgressRefused("has a host that is not an address in its usual form") from None
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused("has a host that is not a valid name")
    return text


def _look_up(host: str, port: int) -> list[Address]:
    """Return the addresses of a host without repetitions, or none if the lookup fails."""
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(ip_address(info[4][0]) for info in infos))
