"""Whom the registry calls: only public addresses, over https; whatever else is allowed, an operator has named.

A name is resolved once for each call, each address is checked, and one that was checked is the one connected to.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

Network = IPv4Network | IPv6Network

_URL = re.compile(
    r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(/[a-z0-9._~:/@!$&'()*+,;=%-]*)?"
    r"(\?[a-z0-9._~:/?@!$&'()*+,;=%-]*)?",
    re.IGNORECASE,
)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# The IANA registries' special blocks that `is_global` lets pass (Python 3.11), transition mechanisms that end in
# addresses of somebody else's choice, and the one public address that answers only from inside a cloud.
_SPECIAL: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # 6to4 relays
            "168.63.129.16/32",  # the platform of Azure, seen from its machines
            "2001::/23",  # Teredo, ORCHID and other protocol assignments
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    )
)

# Beyond it nothing is assigned to anybody's machines: mapped and compatible IPv4, NAT64, local and multicast addresses.
_UNICAST = ip_network("2000::/3")


class EgressRefused(ValueError):
    """This may not be called; the message says why and repeats nothing."""


@dataclass(frozen=True)
class Endpoint:
    """Where a URL leads: host without brackets, in lower case; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str


def is_public(address: Address) -> bool:
    """Whether anybody on the internet can be meant by it."""
    if address.version == 6 and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)


@dataclass(frozen=True)
class EgressPolicy:
    """What may be called beside public addresses over https."""

    networks: tuple[Network, ...] = ()
    plain: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "EgressPolicy":
        """From HOPTAC_WEBHOOK_ALLOW: networks, and `http://host` with or without port; ValueError for else."""
        entries = text.replace(",", " ").split()
        plain = frozenset(each.lower().rstrip("/") for each in entries if each.lower().startswith("http://"))
        try:
            rest = [each for each in entries if not each.lower().startswith("http://")]
            return cls(tuple(ip_network(each) for each in rest), plain)
        except ValueError:
            detail = "takes networks such as 10.0.0.0/8 and hosts such as http://receiver:8080, separated by blanks"
            raise ValueError(f"HOPTAC_WEBHOOK_ALLOW {detail}") from None

    def endpoint(self, url: str) -> Endpoint:
        """Where a URL leads; Refused by its scheme, host or port. Names are not looked up here."""
        found = _URL.fullmatch(url)
        if found is None:
            raise EgressRefused("is not an absolute https URL in ASCII without user, blanks or fragment")
        scheme, host = found[1].lower(), _host(found[2].lower())
        port = int(found[3] or (443 if scheme == "https" else 80))
        if not (port in (80, 443) or 1024 <= port <= 65_535):
            raise EgressRefused("names a port that is neither 443 nor 1024 to 65535")
        if scheme == "http" and not self.plain & {f"http://{found[2].lower()}{end}" for end in ("", f":{port}")}:
            raise EgressRefused("is not https")
        return Endpoint(scheme, host, port, (found[4] or "/") + (found[5] or ""))

    def permits(self, address: Address) -> bool:
        """Whether this address may be connected to."""
        return is_public(address) or any(address in network for network in self.networks)

    async def addresses(self, host: str, port: int, lookups: Executor) -> Sequence[Address]:
        """The addresses of a host that may be connected to; Refused when there is none, for whatever reason."""
        loop = asyncio.get_running_loop()
        found = [
            address for address in await loop.run_in_executor(lookups, _look_up, host, port) if self.permits(address)
        ]
        if not found:
            raise EgressRefused("has no address that may be called: it must be public")
        return found


def _host(text: str) -> str:
    """A host without its brackets; Refused unless it is a name, or an address as it is usually written."""
    try:
        if text.startswith("["):
            return str(IPv6Address(text[1:-1]))
        labels = text.split(".")
        if _NUMBER.fullmatch(labels[-1]):  # a resolver would take 127.1, 0x7f.1 and 2130706433 for 127.0.0.1
            return str(IPv4Address(text))
    except ValueError:
        raise EgressRefused("has a host that is no address as it is usually written") from None
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused("has a host that is no name")
    return text


def _look_up(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(ip_address(place[4][0]) for place in found))
