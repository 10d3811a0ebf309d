"""The sign-ins at providers that belong to an account, and what they do to the rest of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from modules.shared.ids import SessionId
from tests.auth.people import FAST_HASHES, Browser, Mailbox, account, audited, signed_in
from tests.auth.providers import (
    LOGIN,
    NOTHING_LEFT,
    PEER,
    at_provider,
    begin,
    come_back,
    link,
    refusals,
    rows,
    settings_of,
    sign_in,
)
from tests.support.gateway import Person, RunningGateway, running_gateway
from tests.support.openid_peer import OpenIdPeer, openid_peer
from tests.support.postgres import DatabaseUrls
from tests.support.waiting import eventually

ADA = {"sub": "ada", "email": "ada@example.org", "email_verified": True}


@pytest.fixture
async def peer() -> AsyncIterator[OpenIdPeer]:
    async with openid_peer() as running:
        running.person = dict(ADA)
        yield running


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer) -> AsyncIterator[RunningGateway]:
    async with running_gateway(database_urls, tmp_path, **settings_of(peer), **FAST_HASHES) as running:
        yield running


@asynccontextmanager
async def gateway_with(
    urls: DatabaseUrls, directory: Path, peer: OpenIdPeer, **settings: str
) -> AsyncIterator[RunningGateway]:
    chosen: dict[str, Any] = {**settings_of(peer), **FAST_HASHES, **settings}
    async with running_gateway(urls, directory, **chosen) as running:
        yield running


async def identity_of(browser: Browser) -> str:
    (identity,) = (await browser.get("/auth/identities")).json()["items"]
    found: str = identity["id"]
    return found


async def key_made_by(gateway: RunningGateway, browser: Browser) -> Browser:
    """A program with a key that this browser's session has made."""
    made = await browser.post("/users/me/api-keys", json={"name": "program", "scopes": ["*"]})
    assert made.status_code == 201, made.text
    return Browser(gateway, Authorization=f"Bearer {made.json()['key']}")


class TestUnlinking:
    async def test_ends_the_sessions_the_identity_opened_and_no_other(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "bob@example.org")
        await link(browser)
        elsewhere = Browser(gateway)
        await sign_in(elsewhere)
        assert (await elsewhere.get("/users/me")).json()["email"] == "bob@example.org"
        assert (await browser.delete(f"/auth/identities/{await identity_of(browser)}")).status_code == 204
        assert (await elsewhere.get("/users/me")).status_code == 401
        assert (await browser.get("/users/me")).status_code == 200
        assert len(await audited(gateway, "identity_unlinked")) == 1

    async def test_ends_the_keys_made_in_those_sessions_and_no_other(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "bob@example.org")
        own = await key_made_by(gateway, browser)
        await link(browser)
        elsewhere = Browser(gateway)
        await sign_in(elsewhere)
        federated = await key_made_by(gateway, elsewhere)
        assert (await federated.get("/users/me")).status_code == 200
        assert (await browser.delete(f"/auth/identities/{await identity_of(browser)}")).status_code == 204
        assert (await federated.get("/users/me")).status_code == 401
        assert (await own.get("/users/me")).status_code == 200
        assert len(await audited(gateway, "api_key_ended")) == 1

    async def test_alone_takes_the_providers_word_from_a_key(self, gateway: RunningGateway, peer: OpenIdPeer) -> None:
        peer.person = {**ADA, "email": "ada@corp.example"}
        browser = Browser(gateway)
        await sign_in(browser)
        key, mandate = await key_made_by(gateway, browser), await gateway.mandate("alpine")
        (user,) = await gateway.sql("UPDATE users SET email = 'ada@home.example' RETURNING id")
        await gateway.join(Person(user["id"], "", SessionId(user["id"]), ""), mandate)
        policy = '{"email_domains": ["corp.example"]}'
        await gateway.sql("UPDATE mandates SET login_policy = CAST(:policy AS jsonb)", policy=policy)
        assert (await key.get("/context", headers={"X-Mandate-Id": str(mandate)})).status_code == 200

    async def test_of_the_only_way_in_is_refused(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer
    ) -> None:
        async with gateway_with(database_urls, tmp_path, peer, auth__magic_link="no") as gateway:
            browser = Browser(gateway)
            await sign_in(browser)
            answer = await browser.delete(f"/auth/identities/{await identity_of(browser)}")
            assert (answer.status_code, answer.json()["code"]) == (409, "last_sign_in_method")
            peer.person = {"sub": "ada's other account"}
            await link(browser)
            answer = await browser.delete(f"/auth/identities/{(await self.ids(browser))[0]}")
            assert answer.status_code == 204

    async def ids(self, browser: Browser) -> list[str]:
        return [each["id"] for each in (await browser.get("/auth/identities")).json()["items"]]

    async def test_is_possible_where_links_by_mail_still_sign_in(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        await sign_in(browser)
        assert (await browser.delete(f"/auth/identities/{await identity_of(browser)}")).status_code == 204

    async def test_of_somebody_elses_finds_nothing(self, gateway: RunningGateway, browser: Browser) -> None:
        await sign_in(browser)
        thief = await signed_in(gateway, "mallory@example.org")
        answer = await thief.delete(f"/auth/identities/{await identity_of(browser)}")
        assert (answer.status_code, answer.json()["code"]) == (404, "identity_not_found")

    async def test_needs_a_recent_sign_in(self, gateway: RunningGateway, browser: Browser) -> None:
        await sign_in(browser)
        identity = await identity_of(browser)
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        for answer in (
            await browser.delete(f"/auth/identities/{identity}"),
            await browser.post(f"/auth/{PEER}/link", json={}),
            await browser.post("/auth/identities"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")


class TestLinking:
    async def test_of_an_identity_of_another_account_is_refused(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        await sign_in(browser)
        bob = await signed_in(gateway, "bob@example.org")
        answer = await link(bob)
        assert answer.headers["location"] == "/console/#/sign-in-error/identity_taken"
        assert ("identity_taken", None) in await refusals(gateway)
        assert (await bob.get("/auth/identities")).json()["items"] == []

    async def test_gives_an_identity_to_one_of_two_who_ask_at_once(self, gateway: RunningGateway) -> None:
        people = [await signed_in(gateway, f"{name}@example.org") for name in ("ann", "bob", "cem", "dora")]
        begun = [(await each.post(f"/auth/{PEER}/link", json={})).json()["url"] for each in people]
        back = [await at_provider(url) for url in begun]
        answers = await asyncio.gather(*(come_back(each, there) for each, there in zip(people, back, strict=True)))
        places = sorted(answer.headers["location"] for answer in answers)
        assert places == [*["/console/#/sign-in-error/identity_taken"] * 3, "/console/#/signed-in"]
        assert (await rows(gateway))["identities"] == 1

    async def test_of_an_offered_identity_goes_to_one_of_two_who_accept_at_once(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        peer.person = {"sub": "unknown", "email": "unknown@example.org"}
        people = [await signed_in(gateway, f"{name}@example.org") for name in ("ann", "bob", "cem", "dora")]
        for each in people:
            assert (await sign_in(each)).headers["location"] == "/console/#/connect-identity"
        answers = await asyncio.gather(*(each.post("/auth/identities") for each in people))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"identity_taken"}

    async def test_ends_with_the_session_that_asked_for_it(self, gateway: RunningGateway) -> None:
        bob = await signed_in(gateway, "bob@example.org")
        begun = (await bob.post(f"/auth/{PEER}/link", json={})).json()["url"]
        await bob.post("/auth/logout")
        answer = await come_back(bob, await at_provider(begun))
        assert answer.headers["location"] == "/console/#/sign-in-error/sign_in_flow_ended"
        assert (await rows(gateway))["identities"] == 0

    async def test_needs_somebody_signed_in(self, gateway: RunningGateway, browser: Browser) -> None:
        assert (await browser.post(f"/auth/{PEER}/link", json={})).status_code == 401

    async def test_tells_by_mail(self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer) -> None:
        async with gateway_with(database_urls, tmp_path, peer, jobs__in_process="yes") as gateway:
            browser = await signed_in(gateway, "bob@example.org")
            await link(browser)
            assert "was connected" in await Mailbox(gateway).next_to("bob@example.org")
            await browser.delete(f"/auth/identities/{await identity_of(browser)}")
            assert "was disconnected" in await Mailbox(gateway).next_to("bob@example.org", 2)

    async def test_stands_in_the_persons_export(self, gateway: RunningGateway, browser: Browser) -> None:
        await sign_in(browser)
        (kept,) = (await browser.get("/users/me/export")).json()["identities"]
        assert (kept["provider"], kept["subject"]) == (PEER, "ada")


class TestTakingAnAddressBack:
    async def test_takes_away_what_a_thief_connected(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer
    ) -> None:
        async with gateway_with(database_urls, tmp_path, peer, jobs__in_process="yes") as gateway:
            mailbox, thief = Mailbox(gateway), await signed_in(gateway, "bob@example.org")
            await link(thief)
            await thief.post("/users/me/email", json={"email": "thief@example.com"})
            await thief.post("/auth/email/verify", json={"token": await mailbox.link_to("thief@example.com")})
            await eventually(lambda: any("take-back-email" in mail for mail in mailbox.to("bob@example.org")))
            (mail,) = [each for each in mailbox.to("bob@example.org") if "take-back-email" in each]
            token = mail.partition("#/take-back-email/")[2].split()[0]
            assert (await Browser(gateway).post("/auth/email/take-back", json={"token": token})).status_code == 204
            again = Browser(gateway)
            await sign_in(again)
            assert (await again.get("/users/me")).json().get("email") != "bob@example.org"


class TestAnOffer:
    async def test_is_for_the_browser_that_came_back_alone(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, "ada@example.org")
        await sign_in(browser)
        thief = await signed_in(gateway, "mallory@example.org")
        assert (await thief.get("/auth/identities")).json()["offered"] is None
        assert (await thief.post("/auth/identities")).json()["code"] == "link_offer_ended"

    async def test_works_once(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, "ada@example.org")
        await sign_in(browser)
        kept = {name: value for name, value in browser.cookies.items() if name == "flow_link"}
        await browser.log_in("ada@example.org")
        assert (await browser.post("/auth/identities")).status_code == 201
        browser.cookies.update(kept)
        assert (await browser.post("/auth/identities")).json()["code"] == "link_offer_ended"

    async def test_is_for_the_first_account_that_signs_in_after_it(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        for name in ("ada", "mallory"):
            await account(gateway, f"{name}@example.org")
        await sign_in(browser)
        await browser.log_in("ada@example.org")
        browser.cookies.delete("auth_token")
        browser.cookies.delete("refresh_token")
        await browser.log_in("mallory@example.org")
        assert (await browser.get("/auth/identities")).json()["offered"] is None
        assert (await browser.post("/auth/identities")).json()["code"] == "link_offer_ended"
        await browser.log_in("ada@example.org")
        assert (await browser.get("/auth/identities")).json()["offered"]["email"] == "ada@example.org"
        assert (await browser.post("/auth/identities")).status_code == 201

    async def test_is_for_who_was_signed_in_when_it_came(self, gateway: RunningGateway, peer: OpenIdPeer) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await account(gateway, "mallory@example.org")
        await sign_in(browser)
        kept = browser.cookie("flow_link")
        assert (await browser.get("/auth/identities")).json()["offered"]["provider"] == PEER
        shared = Browser(gateway)
        shared.cookies.set("flow_link", kept)
        await shared.log_in("mallory@example.org")
        assert (await shared.get("/auth/identities")).json()["offered"] is None

    async def test_is_for_whose_access_has_run_out_meanwhile(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        browser.cookies.delete("auth_token")
        await sign_in(browser)
        assert (await browser.post("/auth/refresh")).status_code == 200
        assert (await browser.get("/auth/identities")).json()["offered"]["provider"] == PEER

    @pytest.mark.parametrize("way_out", ["/auth/logout", "/auth/logout-all"])
    async def test_ends_with_signing_out(self, gateway: RunningGateway, browser: Browser, way_out: str) -> None:
        for name in ("ada", "mallory"):
            await account(gateway, f"{name}@example.org")
        await sign_in(browser)
        kept = browser.cookie("flow_link")
        await browser.log_in("ada@example.org")
        assert (await browser.post(way_out)).is_success
        assert "flow_link" not in browser.cookies
        assert await gateway.sql("SELECT 1 FROM tokens WHERE payload ? 'offer'") == []
        browser.cookies.set("flow_link", kept)
        await browser.log_in("mallory@example.org")
        assert (await browser.get("/auth/identities")).json()["offered"] is None

    @pytest.mark.parametrize("proven", [True, False])
    async def test_says_whether_its_address_is_proven(
        self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer, proven: bool
    ) -> None:
        await account(gateway, "ada@example.org")
        peer.person = {**ADA, "email_verified": proven}
        await sign_in(browser)
        await browser.log_in("ada@example.org")
        offered = (await browser.get("/auth/identities")).json()["offered"]
        assert (offered["email"], offered["email_proven"]) == ("ada@example.org", proven)

    async def test_keeps_only_the_hash_of_its_secret(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, "ada@example.org")
        await sign_in(browser)
        assert browser.cookie("flow_link") not in str(await gateway.sql("SELECT * FROM tokens"))


class TestRegistrationPolicy:
    @pytest.mark.parametrize(
        ("registration", "code"), [("closed", "registration_closed"), ("invitation", "invitation_required")]
    )
    async def test_holds_for_providers_too(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer, registration: str, code: str
    ) -> None:
        async with gateway_with(database_urls, tmp_path, peer, auth__registration=registration) as gateway:
            answer = await sign_in(Browser(gateway))
            assert answer.headers["location"] == f"/console/#/sign-in-error/{code}"
            assert await rows(gateway) == NOTHING_LEFT

    async def test_lets_the_invited_in_whose_invitation_came_along(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer
    ) -> None:
        invited: dict[str, str] = {"auth__registration": "invitation", "jobs__in_process": "yes"}
        async with gateway_with(database_urls, tmp_path, peer, **invited) as gateway:
            administrator, mandate = await gateway.person(), await gateway.mandate("alpine")
            await gateway.join(administrator, mandate, "administrator")
            async with gateway.client(administrator, mandate) as client:
                asked = {"email": "ada@example.org", "role_ids": [str(await gateway.role("member"))]}
                assert (await client.post("/api/v1/invitations", json=asked)).status_code == 201
            invitation = await Mailbox(gateway).link_to("ada@example.org")
            browser = Browser(gateway)
            begun = await browser.post(LOGIN, json={"invitation": invitation})
            assert invitation not in begun.text
            assert invitation not in str(await gateway.sql("SELECT * FROM tokens"))
            answer = await come_back(browser, await at_provider(begun.json()["url"]))
            assert answer.headers["location"] == "/console/#/signed-in"

    async def test_needs_the_set_up_code_for_the_first_account(
        self, database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer
    ) -> None:
        async with gateway_with(database_urls, tmp_path, peer, auth__set_up_code_required="yes") as gateway:
            answer = await sign_in(Browser(gateway))
            assert answer.headers["location"] == "/console/#/sign-in-error/set_up_code_required"
            assert await rows(gateway) == NOTHING_LEFT


class TestASecondFactor:
    async def test_is_asked_for_whatever_the_provider_says_of_its_own(
        self, gateway: RunningGateway, browser: Browser, peer: OpenIdPeer
    ) -> None:
        await sign_in(browser)
        await gateway.sql(
            "INSERT INTO totp_credentials (user_id, sealed_seed, created_at, confirmed_at)"
            " SELECT id, 'x', now(), now() FROM users"
        )
        peer.person = {**ADA, "amr": ["mfa", "hwk"], "acr": "high"}
        later = Browser(gateway)
        answer = await sign_in(later)
        assert answer.headers["location"] == "/console/#/second-factor"
        assert (await later.get("/users/me")).status_code == 401
        assert "pending" in later.cookies


class TestManyFlows:
    async def test_leave_a_browser_with_few_cookies(self, gateway: RunningGateway, browser: Browser) -> None:
        for _ in range(9):
            await begin(browser)
        assert len([name for name in browser.cookies if name.startswith("flow_")]) == 5
