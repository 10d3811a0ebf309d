"""The kinds of values a setting can have, each with the way it is written in config.ini.

Reading and writing belong together: what `mandate config show` prints can be put back into the file. A message about a
value that may hold a password never repeats it.
"""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
import re
from typing import Annotated
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, SecretStr

_DURATION_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_DURATION = re.compile(
    r"(?=.)((?P<days>\d{1,8})d)?((?P<hours>\d{1,8})h)?((?P<minutes>\d{1,8})m)?((?P<seconds>\d{1,8})s)?"
    r"((?P<milliseconds>\d{1,8})ms)?",
    re.ASCII,
)
_LONGEST_DURATION = timedelta(days=3650)
_SIZE_UNITS = {
    "GiB": 1024**3,
    "GB": 1000**3,
    "MiB": 1024**2,
    "MB": 1000**2,
    "KiB": 1024,
    "kB": 1000,
    "B": 1,
}
_SIZE = re.compile(r"(\d{1,12}) ?([a-z]*)", re.ASCII | re.IGNORECASE)
_RATE_LIMIT = re.compile(r"[1-9]\d{0,8}/([1-9]\d{0,5})?(second|minute|hour|day)s?", re.ASCII)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?", re.ASCII | re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _read_duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    written = _DURATION.fullmatch(value.strip())
    if not written:
        raise ValueError("a duration is written as 45s, 10m, 1h30m or 30d")
    return timedelta(**{unit: int(count) for unit, count in written.groupdict(default="0").items()})


def _write_duration(value: timedelta) -> str:
    if not value:
        return "0s"
    unit = next(unit for unit, length in _DURATION_UNITS.items() if not value % length)
    return f"{value // _DURATION_UNITS[unit]}{unit}"


def _read_size(value: object) -> object:
    if not isinstance(value, str):
        return value
    written = _SIZE.fullmatch(value.strip())
    units = {unit.lower(): factor for unit, factor in _SIZE_UNITS.items()}
    if not written or (written[2] or "B").lower() not in units:
        raise ValueError("a size is written as 500kB, 1MB or 32MiB")
    return int(written[1]) * units[(written[2] or "B").lower()]


def _write_size(value: int) -> str:
    unit = next(unit for unit, factor in _SIZE_UNITS.items() if not value % factor)
    return f"{value // _SIZE_UNITS[unit]}{unit}"


def _read_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(word for word in (part.strip() for part in re.split(r"[,\n]", value)) if word)


def _write_list(value: tuple[object, ...]) -> str:
    return ", ".join(str(word) for word in value)


def _refuse_empty(value: object) -> object:
    if value == "":
        raise ValueError("must not be empty")
    return value


def _read_network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(str(value))
    except ValueError:
        raise ValueError(
            "a network is written as 10.0.0.0/8 or fd00::/8, its host bits zero; a single address as it is"
        ) from None


def _read_origin(value: str) -> str:
    url = _split(value)
    if not url or url.scheme not in _DEFAULT_PORTS or not url.hostname or url.username is not None:
        raise ValueError("an origin is written as https://host or https://host:port")
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise ValueError("an origin has no path: write only https://host or https://host:port")
    if not value.isascii():
        raise ValueError("a host name with other letters is written in its ASCII form (xn--...)")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    standard = url.port in {None, _DEFAULT_PORTS[url.scheme]}
    return f"{url.scheme}://{host}" if standard else f"{url.scheme}://{host}:{url.port}"


def _read_host(value: str) -> str:
    url = _split(f"//{value}")
    if not url or not url.hostname or url.netloc != value or url.username is not None or not _HOST.fullmatch(value):
        raise ValueError("a host is written as name, name:port or [address]:port, without https:// and without a path")
    return value.lower()


def _check_database_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text:
        return value
    url = _split(text)
    somewhere = url and (url.hostname or "host" in parse_qs(url.query))  # ?host=/directory is a unix socket
    if not url or url.scheme != "postgresql" or not somewhere or not url.username or not url.path.strip("/"):
        raise ValueError(
            "a database is written as postgresql://login:password@host:port/name, special characters percent-encoded"
        )
    return value


def _split(text: str) -> SplitResult | None:
    """The parts of a URL, or None. The library's own complaints repeat parts of the text, which may be a password."""
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    return url


def _read_rate_limit(value: str) -> str:
    text = "".join(value.split())
    if not _RATE_LIMIT.fullmatch(text):
        raise ValueError("a limit is written as 20/minute or 10/15minutes (second, minute, hour, day)")
    return text


def is_loopback_host(host: str) -> bool:
    """Whether `host` (a name or an address) only ever means this machine (RFC 6761, section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_private_transport(origin: str) -> bool:
    """Whether nobody on the way reads what is sent to `origin`: TLS, or it never leaves the machine."""
    url = urlsplit(origin)
    return url.scheme == "https" or is_loopback_host(url.hostname or "")


Duration = Annotated[
    timedelta,
    Field(gt=timedelta(0), le=_LONGEST_DURATION),
    BeforeValidator(_read_duration),
    PlainSerializer(_write_duration, when_used="json"),
]
"""A length of time: `45s`, `10m`, `1h30m`, `30d`, `500ms`."""

Delay = Annotated[
    timedelta,
    Field(ge=timedelta(0), le=_LONGEST_DURATION),
    BeforeValidator(_read_duration),
    PlainSerializer(_write_duration, when_used="json"),
]
"""A length of time that may be none: `0s`."""

Size = Annotated[int, Field(gt=0), BeforeValidator(_read_size), PlainSerializer(_write_size, when_used="json")]
"""Bytes: `1MB` is 10^6, `1MiB` is 2^20."""

Location = Annotated[Path, BeforeValidator(_refuse_empty)]
"""A path; nothing at all would mean the working directory."""

Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_read_network)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_read_list), PlainSerializer(_write_list, when_used="json")]
"""Addresses in CIDR notation, separated by commas or lines."""

Origin = Annotated[str, AfterValidator(_read_origin)]
"""Scheme, host and port as browsers send them in `Origin` (RFC 6454, section 6.1): lower case, no standard port."""

Origins = Annotated[tuple[Origin, ...], BeforeValidator(_read_list), PlainSerializer(_write_list, when_used="json")]
"""Several of them, separated by commas or lines."""

HostName = Annotated[str, AfterValidator(_read_host)]
HostNames = Annotated[tuple[HostName, ...], BeforeValidator(_read_list), PlainSerializer(_write_list, when_used="json")]
"""Hosts as they stand in a request's Host header, with or without a port, separated by commas or lines."""

DatabaseUrl = Annotated[SecretStr, AfterValidator(_check_database_url)]
"""`postgresql://login:password@host:port/name`, or empty."""

RateLimit = Annotated[str, AfterValidator(_read_rate_limit)]
"""So many in so long: `20/minute`, `10/15minutes`."""
