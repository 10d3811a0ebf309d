"""What the session list calls a device: the browser and system it says it is, and roughly where it was."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from ua_parser import parse

from modules.shared.context import Client


@lru_cache(maxsize=1024)
def device_name(user_agent: str) -> str:
    """As in “Firefox on Linux”; empty when the user agent says neither. It is the client's word and decides nothing."""
    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return " on ".join(part for part in (browser, system) if part)


def origin_of(client: Client) -> str:
    """Where a mail says that it was asked from: device and address."""
    name = device_name(client.user_agent)
    return f"{name}, {client.address}" if name else client.address


def shortened_address(address: str) -> str:
    """The network of an address (IPv4 /24, IPv6 /48): enough to recognise, too little to find somebody."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    length = 48 if isinstance(parsed, IPv6Address) else 24
    return str(ip_network((parsed, length), strict=False))
