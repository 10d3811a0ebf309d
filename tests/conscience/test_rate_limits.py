"""Every route on which somebody could guess, or have mail sent, refuses the one try too many: counting in the process,
counting on a real Redis, and when that Redis dies in the middle.

The table below is complete: a public route that is in neither list fails the last test.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.http.route_guards import guards_of
from modules.shared.guards import Public
from tests.auth.people import FAST_HASHES, PASSWORD, Browser, signed_in
from tests.shared.redis_server import redis_server
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls

PER_ADDRESS: Final[dict[str, dict[str, Any]]] = {
    "/auth/login": {"json": {"email": "{n}@example.org", "password": "x"}},
    "/auth/token": {"data": {"grant_type": "password", "username": "{n}@example.org", "password": "x"}},
    "/auth/register": {"json": {"email": "{n}@example.org", "password": PASSWORD}},
    "/auth/email/verify": {"json": {"token": "{n}"}},
    "/auth/email/take-back": {"json": {"token": "{n}"}},
    "/auth/password-reset": {"json": {"email": "{n}@example.org"}},
    "/auth/password-reset/confirm": {"json": {"token": "{n}", "password": PASSWORD}},
    "/auth/magic-link": {"json": {"email": "{n}@example.org"}},
    "/auth/magic-link/verify": {"json": {"token": "{n}"}},
    "/auth/second-factor": {"json": {"totp": "123456"}},
    "/auth/second-factor/passkey-options": {},
    "/auth/passkeys/sign-in/options": {},
    "/auth/passkeys/sign-in": {
        "json": {
            "credential": {
                "id": "AAAA",
                "rawId": "AAAA",
                "type": "public-key",
                "response": {"clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA"},
            }
        }
    },
    "/auth/{provider}/login": {"json": {}},
}
"""20 a minute and address, whoever is named in it."""
NOT_GUESSED: Final = {
    "/auth/methods": "tells everybody the same",
    "/.well-known/jwks.json": "tells everybody the same",
    "/auth/refresh": "an HMAC of ours is checked first; its own limit is counted per session, below",
    "/auth/logout": "ends only what is presented",
    "/auth/revoke": "ends only what is presented",
    "/auth/{provider}/callback": "nothing happens without the secret of a flow begun in this browser, which counted",
    "/connections/{provider}/callback": "nothing happens without the secret of a flow begun in this browser",
}
FEW: Final = 20
PROVIDER: Final = {
    "oidc.dead.issuer": "http://127.0.0.1:9",
    "oidc.dead.client_id": "gateway",
    "oidc.dead.client_secret": "secret",
    "oidc.dead.timeout": "200ms",
}


@dataclass(frozen=True, slots=True)
class Storage:
    """Where counts are kept; `fail` takes it away in the middle."""

    url: str
    fail: Callable[[], None] | None = None


@pytest.fixture(params=["memory", "redis", "redis that dies"])
def storage(request: pytest.FixtureRequest) -> Iterator[Storage]:
    if request.param == "memory":
        yield Storage("memory://")
        return
    with redis_server() as server:
        yield Storage(server.url, server.kill if request.param == "redis that dies" else None)


@asynccontextmanager
async def limited(urls: DatabaseUrls, directory: Path, storage: Storage, **more: str) -> AsyncIterator[RunningGateway]:
    chosen = {"rate_limits__storage": storage.url, **FAST_HASHES, **more}
    async with running_gateway(urls, directory, **chosen) as gateway:
        yield gateway


Ask = Callable[[int], Awaitable[httpx.Response]]


async def the_first_refused(storage: Storage, allowed: int, *asks: Ask) -> None:
    """Of each kind exactly `allowed` tries pass, counted anew by the process when the storage dies half way."""
    if storage.fail is not None:
        for ask in asks:
            for number in range(allowed // 2):
                assert (await ask(number)).status_code != 429
        storage.fail()
    for ask in asks:
        answers = [await ask(1000 + number) for number in range(allowed + 1)]
        assert [answer.status_code == 429 for answer in answers] == [False] * allowed + [True], answers[0].url
        assert {answer.status_code for answer in answers if answer.status_code >= 500} <= {503}, answers[0].url
        assert answers[-1].json()["code"] == "rate_limited"
        assert int(answers[-1].headers["Retry-After"]) >= 1


def tries_on(gateway: RunningGateway, path: str, wanted: dict[str, Any], client: str) -> Ask:
    """Tries on a route from an address nobody else uses, each about somebody else."""

    async def ask(number: int) -> httpx.Response:
        browser = Browser(gateway, **{"X-Forwarded-For": client})
        body = json.loads(json.dumps(wanted).replace("{n}", str(number)))
        return await browser.post(path.format(provider="oidc:dead"), **body)

    return ask


class TestPerAddress:
    async def test_stops_guesses_on_every_route(
        self, database_urls: DatabaseUrls, tmp_path: Path, storage: Storage
    ) -> None:
        proxy = {"http.trusted_proxies": "127.0.0.1"}
        async with limited(database_urls, tmp_path, storage, **proxy, **PROVIDER) as gateway:
            asks = [
                tries_on(gateway, path, wanted, f"203.0.113.{place}")
                for place, (path, wanted) in enumerate(PER_ADDRESS.items())
            ]
            await the_first_refused(storage, FEW, *asks)


class TestPerPerson:
    async def test_stops_guesses_of_a_password_at_the_step_up(
        self, database_urls: DatabaseUrls, tmp_path: Path, storage: Storage
    ) -> None:
        async with limited(database_urls, tmp_path, storage, rate_limits__login_per_address="999/minute") as gateway:
            browser = await signed_in(gateway, "ada@example.org")
            await the_first_refused(storage, 10, lambda _: browser.post("/auth/step-up", json={"password": "wrong"}))

    async def test_stops_refreshes_of_one_session(
        self, database_urls: DatabaseUrls, tmp_path: Path, storage: Storage
    ) -> None:
        async with limited(database_urls, tmp_path, storage) as gateway:
            browser = await signed_in(gateway, "ada@example.org")
            await the_first_refused(storage, 30, lambda _: browser.post("/auth/refresh"))

    async def test_stops_mails_to_one_recipient(
        self, database_urls: DatabaseUrls, tmp_path: Path, storage: Storage
    ) -> None:
        async with limited(database_urls, tmp_path, storage) as gateway:
            wanted = {"email": "ada@example.org"}
            await the_first_refused(storage, 3, lambda _: Browser(gateway).post("/auth/magic-link", json=wanted))


class TestTheDefault:
    async def test_stops_whoever_asks_without_end(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        storage = Storage("memory://")  # always: it is counted before anything else, without I/O
        async with limited(database_urls, tmp_path, storage, rate_limits__default="12/minute") as gateway:
            await the_first_refused(storage, 12, lambda _: Browser(gateway).get("/auth/methods"))


class TestTheTable:
    async def test_names_every_public_route(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with limited(database_urls, tmp_path, Storage("memory://")) as gateway:
            public = {
                route.path.removeprefix("/api/v1")
                for route, guards in guards_of(gateway.app)
                if any(isinstance(guard, Public) for guard in guards)
            }
        assert public == PER_ADDRESS.keys() | NOT_GUESSED.keys()
