"""Where a request really comes from, and how an address is counted.

The client is the right-most hop of X-Forwarded-For that is not one of the installation's own proxies: everything left
of it was written by the client and proves nothing. Without a trusted proxy in front, the header is not read at all.
Run the server with its own proxy handling off (uvicorn: `proxy_headers=False`), so that the peer seen here is the
real one.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

UNKNOWN = "unknown"
"""Stands for a peer without an IP address: a unix socket of a proxy that sends no X-Forwarded-For."""


class TrustedProxies:
    """The installation's own proxies, as addresses or networks (`[http] trusted_proxies`)."""

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        self._networks: tuple[Network, ...] = tuple(ip_network(proxy, strict=False) for proxy in proxies)
        self.client = lru_cache(maxsize=4096)(self._client)

    def _client(self, peer: str | None, forwarded_for: str = "") -> str:
        """The client's address, given the connected `peer` and the value of X-Forwarded-For (several headers joined
        by commas).
        """
        address = _parse(peer or "")
        if not forwarded_for or not self._networks or (address is not None and not self._trusts(address)):
            return str(address) if address is not None else UNKNOWN
        for hop in reversed(forwarded_for.split(",")):
            earlier = _parse(hop)
            if earlier is None:
                break
            address = earlier
            if not self._trusts(address):
                break
        return str(address) if address is not None else UNKNOWN

    def _trusts(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


@lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """The unit limits are counted by: one IPv4 address, or an IPv6 /64, which is what one subscriber gets."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False))
    return address


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: plain, with a port, or in brackets. An IPv4-mapped IPv6 address is the IPv4
    one.
    """
    candidate = text.strip()
    if candidate.startswith("["):
        candidate = candidate[1:].partition("]")[0]
    elif candidate.count(":") == 1:
        candidate = candidate.partition(":")[0]
    try:
        address = ip_address(candidate.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
