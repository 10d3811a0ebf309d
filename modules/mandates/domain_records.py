"""The one file that asks the domain name system, whether a domain publishes the record that proves whose it is.

Whoever can write `_mandate-gateway.<domain>` decides about the domain. Answers are believed as the resolver gives them;
whether it checks signatures (DNSSEC) is the resolver's affair.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
import hmac
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdtypes.ANY.TXT
import dns.resolver
import structlog

_LABEL: Final = "_mandate-gateway"
_DNS_PORT: Final = 53

_log = structlog.get_logger(__name__)


class Finding(StrEnum):
    """What the domain name system said."""

    PUBLISHED = "published"
    MISSING = "missing"
    UNANSWERED = "unanswered"


def record_name(domain: str) -> str:
    """Where the record stands."""
    return f"{_LABEL}.{domain}"


class DomainRecords:
    """Asks `resolver` (`address` or `address:port`; empty: those of the system), `patience` long at most."""

    def __init__(self, resolver: str, patience: timedelta) -> None:
        self._resolver = resolver
        self._patience = patience.total_seconds()

    async def look_for(self, domain: str, challenge: str) -> Finding:
        """Whether one of the TXT records says exactly `challenge`. Never raises."""
        try:
            # The time-out of our own, for what the library's does not cover; a little later, so that its says more.
            async with asyncio.timeout(self._patience + 1):
                texts = await self._texts(record_name(domain))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.LabelTooLong, dns.name.NameTooLong):
            return Finding.MISSING
        except (dns.exception.DNSException, OSError) as error:  # TimeoutError is an OSError
            _log.warning("domain_record_unanswered", domain=domain, cause=repr(error))
            return Finding.UNANSWERED
        wanted = challenge.encode("ascii")
        return Finding.PUBLISHED if any(hmac.compare_digest(text, wanted) for text in texts) else Finding.MISSING

    async def _texts(self, name: str) -> list[bytes]:
        absolute = dns.name.from_text(name, dns.name.root)
        answer = await self._new_resolver().resolve(absolute, "TXT", lifetime=self._patience, search=False)
        return list(_texts_of(answer))

    def _new_resolver(self) -> dns.asyncresolver.Resolver:
        """Made for each question: the system's own resolvers may have changed meanwhile."""
        if not self._resolver:
            return dns.asyncresolver.Resolver()
        resolver = dns.asyncresolver.Resolver(configure=False)
        address, port = split_resolver(self._resolver)
        resolver.nameservers, resolver.port = [address], port
        return resolver


def split_resolver(resolver: str) -> tuple[str, int]:
    """Address and port of `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`."""
    if resolver.startswith("["):
        address, _, port = resolver[1:].partition("]")
        return address, int(port.removeprefix(":") or _DNS_PORT)
    address, _, port = resolver.partition(":")
    return (resolver, _DNS_PORT) if ":" in port else (address, int(port or _DNS_PORT))


def _texts_of(answer: dns.resolver.Answer) -> Iterator[bytes]:
    """Each record's strings as one (RFC 7208, section 3.3, for the same)."""
    for record in answer:
        if isinstance(record, dns.rdtypes.ANY.TXT.TXT):
            yield b"".join(record.strings)
