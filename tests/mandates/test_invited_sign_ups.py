"""Invited people come in by any way there is, new or known, and become members of the mandate that asked them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.auth.magic_links import ask, mailed, verify
from tests.auth.people import FAST_HASHES, PASSWORD, Browser, Mailbox, signed_in
from tests.auth.providers import LOGIN, at_provider, come_back, link, settings_of, sign_in
from tests.support.gateway import Person, RunningGateway, running_gateway
from tests.support.openid_peer import OpenIdPeer, openid_peer
from tests.support.postgres import DatabaseUrls

GUEST = "guest@corp.example"
PROVEN = {"sub": "guest", "name": "Guest", "email": GUEST, "email_verified": True}


@pytest.fixture
async def peer() -> AsyncIterator[OpenIdPeer]:
    async with openid_peer() as running:
        running.person = dict(PROVEN)
        yield running


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer) -> AsyncIterator[RunningGateway]:
    """Only the invited may open an account here."""
    settings: dict[str, Any] = {"auth__registration": "invitation", "jobs__in_process": "yes", **FAST_HASHES}
    async with running_gateway(database_urls, tmp_path, **settings_of(peer), **settings) as running:
        yield running


async def invited(gateway: RunningGateway, email: str = GUEST) -> str:
    """The secret in the mail of an invitation to `acme`."""
    mandate = await gateway.mandate("acme")
    administrator: Person = await gateway.person("ada@corp.example")
    await gateway.join(administrator, mandate, "administrator")
    wanted = {"email": email, "role_ids": [str(await gateway.role("member"))]}
    async with gateway.client(administrator, mandate) as client:
        assert (await client.post("/api/v1/invitations", json=wanted)).status_code == 201
    return await Mailbox(gateway).link_to(email)


async def accepted(browser: Browser, invitation: str) -> httpx.Response:
    return await browser.post("/invitations/accept", json={"token": invitation})


async def is_in(browser: Browser, invitation: str) -> bool:
    """Whether this browser's person becomes a member by it and works there."""
    answer = await accepted(browser, invitation)
    assert answer.status_code == 200, answer.text
    there = await browser.get("/mandate", headers={"X-Mandate-Id": answer.json()["id"]})
    return there.status_code == 200


async def with_provider(browser: Browser, **body: str) -> httpx.Response:
    begun = await browser.post(LOGIN, json=body)
    assert begun.status_code == 200, begun.text
    return await come_back(browser, await at_provider(begun.json()["url"]))


class TestSomebodyNew:
    async def test_comes_by_a_provider(self, gateway: RunningGateway) -> None:
        invitation, browser = await invited(gateway), Browser(gateway)
        answer = await with_provider(browser, invitation=invitation)
        assert answer.headers["location"] == "/console/#/signed-in"
        assert await is_in(browser, invitation)

    async def test_comes_by_a_magic_link(self, gateway: RunningGateway) -> None:
        invitation, browser = await invited(gateway), Browser(gateway)
        assert (await ask(browser, GUEST, invitation=invitation)).status_code == 202
        mail = await mailed(Mailbox(gateway), GUEST)
        assert (await verify(browser, token=mail.token)).status_code == 200
        assert await is_in(browser, invitation)

    async def test_comes_by_a_password(self, gateway: RunningGateway) -> None:
        invitation, browser = await invited(gateway), Browser(gateway)
        wanted = {"email": GUEST, "password": PASSWORD, "invitation": invitation}
        assert (await browser.post("/auth/register", json=wanted)).status_code == 202
        link_secret = await Mailbox(gateway).link_to(GUEST, 2)
        assert (await browser.post("/auth/email/verify", json={"token": link_secret})).status_code == 200
        assert await is_in(browser, invitation)

    async def test_comes_by_nothing_without_the_secret_or_with_another_address(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        invitation = await invited(gateway)
        for person, body in (
            (PROVEN, {}),
            ({**PROVEN, "email": "else@corp.example"}, {"invitation": invitation}),
            ({**PROVEN, "email_verified": False}, {"invitation": invitation}),
        ):
            peer.person, browser = dict(person), Browser(gateway)
            await with_provider(browser, **body)
            assert (await browser.get("/users/me")).status_code == 401
        assert len(await gateway.sql("SELECT 1 FROM users")) == 1


class TestSomebodyKnown:
    async def test_accepts_by_the_address_their_provider_proved(self, gateway: RunningGateway) -> None:
        """Their account has another address; the connected identity has the invited one."""
        invitation = await invited(gateway)
        await link(await signed_in(gateway, "private@home.example"))
        browser = Browser(gateway)
        await sign_in(browser)
        assert (await browser.get("/users/me")).json()["email"] == "private@home.example"
        assert await is_in(browser, invitation)

    async def test_does_not_accept_in_a_session_that_proved_something_else(self, gateway: RunningGateway) -> None:
        invitation = await invited(gateway)
        browser = await signed_in(gateway, "private@home.example")
        await link(browser)
        answer = await accepted(browser, invitation)
        assert (answer.status_code, answer.json()["code"]) == (403, "invitation_for_somebody_else")

    async def test_does_not_accept_by_an_address_the_provider_only_claims(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        invitation = await invited(gateway)
        await link(await signed_in(gateway, "private@home.example"))
        peer.person = {**PROVEN, "email_verified": False}
        browser = Browser(gateway)
        await sign_in(browser)
        assert (await accepted(browser, invitation)).json()["code"] == "invitation_for_somebody_else"
