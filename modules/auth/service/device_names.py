"""What the session list calls a device: the browser and system it says it is, and roughly where it was."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
import re
from typing import Final

from ua_parser import Result, parse

from modules.shared.context import Client

_SYSTEMS: Final = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
_PROGRAM: Final = re.compile(r"^[A-Za-z][\w.-]{1,39}(?:/\d[\w.]{0,19})?")
"""The first product of a user agent that is no browser's (RFC 9110, section 10.1.5): python-httpx/0.28.1."""


@lru_cache(maxsize=1024)
def device_name(user_agent: str) -> str:
    """As in “Firefox 128 on Linux” or “Safari 17 on iPhone”; of a program without a system its own name. Empty when the
    user agent says nothing. It is the client's word and decides nothing.
    """
    found = parse(user_agent)
    parts = _browser(found), _system(found)
    return " on ".join(part for part in parts if part) or " ".join(_PROGRAM.findall(user_agent)[:1]).replace("/", " ")


def _browser(found: Result) -> str:
    if found.user_agent is None:
        return ""
    family = found.user_agent.family.replace("Mobile", "").strip() or found.user_agent.family
    return f"{family} {found.user_agent.major}" if found.user_agent.major else family


def _system(found: Result) -> str:
    """Of Apple's hand-held devices their own name: people know an iPhone, and not what runs on it."""
    if found.os is None:
        return ""
    if found.os.family == "iOS" and found.device is not None:
        return found.device.family
    return _SYSTEMS.get(found.os.family, found.os.family)


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
