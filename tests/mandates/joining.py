"""Mandates with mail domains, at a DNS server of the test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.mandates.conftest import House, furnished
from tests.support.dns_peer import DnsPeer
from tests.support.gateway import Person, running_gateway
from tests.support.postgres import DatabaseUrls

DOMAIN = "corp.example"


@asynccontextmanager
async def domain_house(urls: DatabaseUrls, directory: Path, peer: DnsPeer) -> AsyncIterator[House]:
    """The house, asking that server."""
    async with running_gateway(
        urls, directory, mandates__dns_resolver=peer.address, mandates__dns_timeout="3s"
    ) as gateway:
        yield await furnished(gateway)


async def added(house: House, *, by: Person | None = None, **document: object) -> dict[str, Any]:
    """A domain that waits for its record."""
    return await house.made(by or house.administrator, "/mandate/domains", **{"domain": DOMAIN, **document})


async def proven(house: House, peer: DnsPeer, *, by: Person | None = None, **document: object) -> dict[str, Any]:
    """A domain whose people may join."""
    domain = await added(house, by=by, **document)
    peer.publish(domain["record"])
    answer = await house.call(house.administrator, "POST", f"/mandate/domains/{domain['id']}/verify")
    assert answer.status_code == 200, answer.text
    verified: dict[str, Any] = answer.json()
    return verified


async def vouched_for(
    house: House, address: str | None, *, authority: str = "google", own: str | None = None
) -> Person:
    """Somebody whose sign-in proved this address; the account's own is another unless it is given."""
    person = await house.gateway.person(own)
    await house.gateway.sql(
        "UPDATE sessions SET authority = :authority, proven_email = :address WHERE user_id = :user",
        authority=authority,
        address=address,
        user=person.id,
    )
    return person
