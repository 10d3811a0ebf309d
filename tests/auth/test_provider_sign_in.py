"""Signing in with an OpenID provider over real HTTP, end to end."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.auth.people import FAST_HASHES, Browser, account, audited, signed_in
from tests.auth.providers import LOGIN, PAGE, PEER, at_provider, begin, come_back, link, rows, settings_of, sign_in
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.openid_peer import OpenIdPeer, openid_peer
from tests.support.postgres import DatabaseUrls

ADA = {"sub": "ada", "name": "Ada", "email": "Ada@Example.org", "email_verified": True}


@pytest.fixture
async def peer() -> AsyncIterator[OpenIdPeer]:
    async with openid_peer() as running:
        running.person = dict(ADA)
        yield running


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer) -> AsyncIterator[RunningGateway]:
    async with running_gateway(database_urls, tmp_path, **settings_of(peer), **FAST_HASHES) as running:
        yield running


class TestTheFirstSignIn:
    async def test_makes_an_account_for_a_proven_address_and_opens_a_session(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        answer = await sign_in(browser)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/#/signed-in")
        me = (await browser.get("/users/me")).json()
        assert (me["email"], me["display_name"]) == ("ada@example.org", "Ada")
        (session,) = await gateway.sql("SELECT authority, amr, tenant, proven_email, identity_id FROM sessions")
        (identity,) = await gateway.sql("SELECT * FROM identities")
        assert session == {
            "authority": PEER,
            "amr": ["fed"],
            "tenant": None,
            "proven_email": "ada@example.org",
            "identity_id": identity["id"],
        }

    async def test_keeps_no_secret_readable(self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer) -> None:
        address = await at_provider(await begin(browser))
        (cookie,) = [value for name, value in browser.cookies.items() if name.startswith("flow_")]
        (flow,) = await gateway.sql("SELECT * FROM tokens WHERE purpose = 'flow'")
        (begun,) = peer.begun.values()
        state = address.split("state=")[1].split("&")[0]
        for secret in (cookie, state, state[32:], begun.nonce, begun.challenge):
            assert secret not in str(flow)
        assert (await come_back(browser, address)).status_code == 303


class TestTheNextSignIn:
    async def test_finds_the_account_by_the_subject_alone(
        self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer
    ) -> None:
        await sign_in(browser)
        peer.person = {"sub": "ada", "email": "married@example.org", "email_verified": True}
        other = Browser(gateway)
        await sign_in(other)
        assert (await other.get("/users/me")).json()["email"] == "ada@example.org"
        assert (await rows(gateway))["users"] == 1

    async def test_goes_on_where_it_was_begun_for(self, browser: Browser) -> None:
        answer = await sign_in(browser, return_to="/console/#/m/alpine")
        assert answer.headers["location"] == "/console/#/signed-in/m%2Falpine"
        answer = await sign_in(browser, return_to="/app/page?x=1#top")
        assert answer.headers["location"] == "/app/page?x=1#top"


class TestAnUnknownIdentity:
    async def test_with_the_address_of_an_account_is_not_let_in_and_offered_to_be_connected(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        await account(gateway, "ada@example.org")
        answer = await sign_in(browser)
        assert answer.headers["location"] == "/console/#/connect-identity"
        assert (await browser.get("/users/me")).status_code == 401
        assert await rows(gateway) == {"users": 1, "sessions": 0, "identities": 0}
        await browser.log_in("ada@example.org")
        offered = (await browser.get("/auth/identities")).json()
        assert (offered["items"], offered["offered"]["provider"]) == ([], PEER)
        assert (await browser.post("/auth/identities")).status_code == 201
        listed = (await browser.get("/auth/identities")).json()
        assert ([each["provider"] for each in listed["items"]], listed["offered"]) == ([PEER], None)
        later = Browser(gateway)
        await sign_in(later)
        assert (await later.get("/users/me")).json()["email"] == "ada@example.org"


class TestLinking:
    async def test_connects_the_identity_and_tells_by_mail(self, gateway: RunningGateway, peer: OpenIdPeer) -> None:
        browser = await signed_in(gateway, "bob@example.org")
        answer = await link(browser)
        assert answer.headers["location"] == "/console/#/signed-in"
        assert len(await audited(gateway, "identity_linked")) == 1
        other = Browser(gateway)
        await sign_in(other)
        assert (await other.get("/users/me")).json()["email"] == "bob@example.org"


class TestFlows:
    async def test_run_side_by_side_in_one_browser(self, gateway: RunningGateway, browser: Browser) -> None:
        first, second = await begin(browser), await begin(browser)
        assert (await come_back(browser, await at_provider(second))).headers["location"] == "/console/#/signed-in"
        assert (await come_back(browser, await at_provider(first))).headers["location"] == "/console/#/signed-in"
        assert not [name for name in browser.cookies if name.startswith("flow_")]

    async def test_are_offered_by_the_sign_in_page(self, browser: Browser) -> None:
        methods = (await browser.get("/auth/methods")).json()["methods"]
        assert {"name": PEER, "kind": "provider", "display_name": "peer", "login_path": f"/api/v1{LOGIN}"} in methods

    @pytest.mark.parametrize("path", ["//evil.test", "https://evil.test/", "/\\evil.test", "x", "/a b", "/a\\b", ""])
    async def test_go_on_to_no_other_place(self, browser: Browser, path: str) -> None:
        answer = await browser.get(LOGIN, params={"return_to": path})
        assert (answer.status_code, answer.json()["code"]) == (422, "return_path_refused")
        answer = await browser.get(LOGIN, params={"return_to": path}, headers=PAGE)
        assert answer.headers["location"] == "/console/#/sign-in-error/return_path_refused"
