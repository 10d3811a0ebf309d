"""People who sign in with a provider, in browsers that follow redirects as browsers do."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from modules.audit.service import RefusalLog
from tests.auth.people import API, Browser
from tests.support.gateway import BASE_URL, RunningGateway
from tests.support.openid_peer import CLIENT_ID, CLIENT_SECRET, OpenIdPeer

PEER = "oidc:peer"
LOGIN = f"/auth/{PEER}/login"
PAGE = {"Accept": "text/html"}
NOTHING_LEFT = {"users": 0, "sessions": 0, "identities": 0}


def settings_of(peer: OpenIdPeer, **others: str) -> dict[str, Any]:
    """The peer as `[oidc.peer]`, whose word about mail counts."""
    return {
        "oidc.peer.issuer": peer.issuer,
        "oidc.peer.client_id": CLIENT_ID,
        "oidc.peer.client_secret": CLIENT_SECRET,
        "oidc.peer.verified_email": "trust",
        **others,
    }


async def at_provider(url: str) -> str:
    """Sign in there, which is done at once; the address the provider sends the browser back to."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(url)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def begin(browser: Browser, path: str = LOGIN, **query: str) -> str:
    """Open the sign-in page; the address of the provider's."""
    answer = await browser.get(path, params=query, headers=PAGE)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def come_back(browser: Browser, address: str, **changed: str | None) -> httpx.Response:
    """Open the address the provider named, with other parameters if a test says so."""
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}" == BASE_URL
    parameters: Mapping[str, str | None] = {**dict(parse_qsl(parts.query)), **changed}
    query = {name: value for name, value in parameters.items() if value is not None}
    return await browser.get(parts.path.removeprefix(API), params=query, headers=PAGE)


async def sign_in(browser: Browser, path: str = LOGIN, **query: str) -> httpx.Response:
    """All of it."""
    return await come_back(browser, await at_provider(await begin(browser, path, **query)))


async def link(browser: Browser, provider: str = PEER) -> httpx.Response:
    """Connect the provider with the account signed in to."""
    begun = await browser.post(f"/auth/{provider}/link", json={})
    assert begun.status_code == 200, begun.text
    return await come_back(browser, await at_provider(begun.json()["url"]))


async def rows(gateway: RunningGateway) -> dict[str, int]:
    """How much there is of what a sign-in leaves behind."""
    counted = {table: await gateway.sql(f"SELECT count(*) AS n FROM {table}") for table in NOTHING_LEFT}
    return {table: found[0]["n"] for table, found in counted.items()}


async def refusals(gateway: RunningGateway) -> list[tuple[str, str | None]]:
    """The codes and reasons audited as refused."""
    await gateway.services.get(RefusalLog).flush()
    found = await gateway.sql("SELECT code, details FROM audit_events WHERE outcome = 'refused' ORDER BY occurred_at")
    return [(row["code"], row["details"].get("reason")) for row in found]
