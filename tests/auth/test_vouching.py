"""How old a sign-in is: when a provider vouched for the person, and what a step-up does not renew."""

from collections.abc import AsyncIterator
import json
from pathlib import Path
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.auth.factors import set_up_app
from tests.auth.people import FAST_HASHES, PASSWORD, Browser, account, signed_in
from tests.auth.providers import LOGIN, PEER, at_provider, begin, come_back, link, refusals, settings_of, sign_in
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.openid_peer import OpenIdPeer, openid_peer
from tests.support.postgres import DatabaseUrls

ADA = "ada@corp.example"
CHANGE = {"password": "another long passphrase"}
HOURS = 3600
OLDER = (
    "UPDATE sessions SET authenticated_at = authenticated_at - interval '2 hours',"
    " expires_at = now() + interval '1 hour', idle_expires_at = now() + interval '1 hour'"
)


@pytest.fixture
async def peer() -> AsyncIterator[OpenIdPeer]:
    async with openid_peer() as running:
        running.person = {"sub": "ada", "email": ADA, "email_verified": True}
        yield running


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer) -> AsyncIterator[RunningGateway]:
    async with running_gateway(database_urls, tmp_path, **settings_of(peer), **FAST_HASHES) as running:
        yield running


async def by_provider(gateway: RunningGateway) -> Browser:
    """Somebody with a password, signed in with the provider they have connected."""
    await link(await signed_in(gateway, ADA))
    browser = Browser(gateway)
    assert (await sign_in(browser)).headers["location"] == "/console/#/signed-in"
    return browser


async def careful(gateway: RunningGateway, **policy: object) -> dict[str, str]:
    """Headers of a mandate with this login policy, which everybody is in."""
    mandate = await gateway.mandate("careful")
    await gateway.sql(
        "INSERT INTO memberships (id, mandate_id, user_id) SELECT gen_random_uuid(), :mandate, id FROM users",
        mandate=mandate,
    )
    wanted = json.dumps(policy)
    await gateway.sql("UPDATE mandates SET login_policy = :wanted WHERE id = :mandate", wanted=wanted, mandate=mandate)
    return {"X-Mandate-Id": str(mandate)}


async def newest(gateway: RunningGateway) -> dict[str, Any]:
    """The session that was opened last."""
    return dict((await gateway.sql("SELECT * FROM sessions ORDER BY created_at DESC, id DESC LIMIT 1"))[0])


class TestAStepUp:
    @pytest.mark.parametrize("by", ["password", "provider"])
    async def test_opens_no_session_that_lasts_longer_than_the_one_before(
        self, gateway: RunningGateway, by: str
    ) -> None:
        browser = await signed_in(gateway, ADA) if by == "password" else await by_provider(gateway)
        await gateway.sql(OLDER)
        ends = (await newest(gateway))["expires_at"]
        for _ in range(2):
            assert (await browser.post("/auth/step-up", json={"password": PASSWORD})).status_code == 200
            followed = await newest(gateway)
            assert (followed["expires_at"], followed["idle_expires_at"]) == (ends, ends)
        tokens = await gateway.sql("SELECT expires_at FROM tokens WHERE purpose = 'refresh' AND revoked_at IS NULL")
        assert ends in [token["expires_at"] for token in tokens]

    async def test_makes_no_providers_word_younger(self, gateway: RunningGateway) -> None:
        """Whoever has lost their account at the company keeps a password here."""
        browser = await by_provider(gateway)
        here = await careful(gateway, authorities=[PEER], email_domains=["corp.example"], maximum_session_age=60)
        assert (await browser.get("/context", headers=here)).status_code == 200
        await gateway.sql(OLDER)
        for _ in range(2):
            refused = await browser.get("/context", headers=here)
            assert (refused.status_code, refused.json()["wanted"], refused.json()["accepted"]) == (
                403,
                "sign_in",
                [PEER],
            )
            assert (await browser.post("/auth/step-up", json={"password": PASSWORD})).status_code == 200
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 204
        assert (await sign_in(browser)).headers["location"] == "/console/#/signed-in"
        assert (await browser.get("/context", headers=here)).status_code == 200

    async def test_renews_a_sign_in_of_this_installation(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        here = await careful(gateway, maximum_session_age=60)
        await gateway.sql(OLDER)
        assert (await browser.get("/context", headers=here)).json()["wanted"] == "recent"
        await browser.post("/auth/step-up", json={"password": PASSWORD})
        assert (await browser.get("/context", headers=here)).status_code == 200


class TestASecondFactor:
    async def test_is_what_confirms_a_session_opened_by_two(self, gateway: RunningGateway) -> None:
        """Whoever has stolen the session and knows the password has neither the phone nor the passkey."""
        browser = await signed_in(gateway, ADA)
        app = await set_up_app(browser)
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        asked = await browser.post("/users/me/password", json=CHANGE)
        assert (asked.status_code, asked.json()["factors"]) == (403, ["totp"])
        refused = await browser.post("/auth/step-up", json={"password": PASSWORD})
        assert (refused.status_code, refused.json()["code"], refused.json()["factors"]) == (
            403,
            "step_up_required",
            ["totp"],
        )
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 403
        assert (await browser.post("/auth/step-up", json={"totp": app.code()})).status_code == 200
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 204

    async def test_is_refused_no_sooner_for_a_right_password_than_for_a_wrong_one(
        self, gateway: RunningGateway
    ) -> None:
        browser = await signed_in(gateway, ADA)
        await set_up_app(browser)
        answers = [
            await browser.post("/auth/step-up", json={"password": password}) for password in (PASSWORD, "wrong one 123")
        ]
        assert [answer.json()["code"] for answer in answers] == ["step_up_required"] * 2


class TestAProviderThatSaysWhen:
    async def test_somebody_proved_themselves_is_believed(self, gateway: RunningGateway, peer: OpenIdPeer) -> None:
        told = int(time.time()) - 2 * HOURS
        peer.person["auth_time"] = told
        browser = await by_provider(gateway)
        assert int((await newest(gateway))["authenticated_at"].timestamp()) == told
        assert (await browser.post("/users/me/password", json=CHANGE)).json()["code"] == "step_up_required"
        here = await careful(gateway, maximum_session_age=60)
        assert (await browser.get("/context", headers=here)).json()["wanted"] == "sign_in"

    async def test_somebody_proved_themselves_just_now_makes_the_session_recent(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        peer.person["auth_time"] = int(time.time())
        browser = await by_provider(gateway)
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 204

    async def test_is_judged_apart_from_a_second_factor_shown_here(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        told = int(time.time()) - 2 * HOURS
        peer.person["auth_time"] = told
        owner = await signed_in(gateway, ADA)
        await link(owner)
        app = await set_up_app(owner)
        browser = Browser(gateway)
        assert (await sign_in(browser)).headers["location"] == "/console/#/second-factor"
        assert (await browser.post("/auth/second-factor", json={"totp": app.code()})).status_code == 200
        assert int((await newest(gateway))["proven_at"].timestamp()) == told
        here = await careful(gateway, maximum_session_age=60)
        assert (await browser.get("/context", headers=here)).json()["wanted"] == "sign_in"
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 204

    @pytest.mark.parametrize("told", ["1700000000", True, -1, float("nan"), 1e300, [], {"at": 1}])
    async def test_is_refused_for_what_is_no_moment(
        self, gateway: RunningGateway, peer: OpenIdPeer, told: object
    ) -> None:
        peer.person["auth_time"] = told
        answer = await sign_in(Browser(gateway))
        assert answer.headers["location"] == "/console/#/sign-in-error/provider_answer_invalid"
        ((_, reason),) = await refusals(gateway)
        assert reason is not None
        assert "auth_time" in reason

    async def test_is_refused_for_the_future_but_for_a_clock_that_is_a_little_fast(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        peer.person["auth_time"] = time.time() + 200
        assert "provider_answer_invalid" in (await sign_in(Browser(gateway))).headers["location"]
        assert ("provider_answer_invalid", "auth_time") in await refusals(gateway)
        peer.person["auth_time"] = time.time() + 30
        assert (await sign_in(Browser(gateway))).headers["location"] == "/console/#/signed-in"
        session = await newest(gateway)
        assert session["authenticated_at"] <= session["created_at"]

    async def test_and_one_that_does_not_are_told_apart(self, gateway: RunningGateway) -> None:
        await by_provider(gateway)
        session = await newest(gateway)
        assert (session["authenticated_at"], session["proven_at"]) == (session["created_at"], None)


class TestToConfirm:
    async def test_asks_the_provider_to_have_the_person_prove_themselves_anew(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        asked = parse_qs(urlsplit(await begin(browser, confirm="true")).query)
        assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
        begun = await browser.post(LOGIN, json={"confirm": True})
        assert parse_qs(urlsplit(begun.json()["url"]).query)["prompt"] == ["login"]
        silent = parse_qs(urlsplit(await begin(browser)).query)
        assert not silent.keys() & {"prompt", "max_age"}

    async def test_takes_no_answer_of_an_old_session_there(
        self, gateway: RunningGateway, peer: OpenIdPeer, browser: Browser
    ) -> None:
        peer.person["auth_time"] = int(time.time()) - 2 * HOURS
        answer = await sign_in(browser, confirm="true")
        assert answer.headers["location"] == "/console/#/sign-in-error/provider_answer_invalid"
        assert ("provider_answer_invalid", "auth_time") in await refusals(gateway)
        assert (await sign_in(browser)).headers["location"] == "/console/#/signed-in"

    async def test_takes_a_fresh_one_and_makes_the_session_recent(
        self, gateway: RunningGateway, peer: OpenIdPeer
    ) -> None:
        peer.person["auth_time"] = int(time.time()) - 2 * HOURS
        browser = await by_provider(gateway)
        address = await begin(browser, confirm="true")
        peer.person["auth_time"] = int(time.time())
        answer = await come_back(browser, await at_provider(address))
        assert answer.headers["location"] == "/console/#/signed-in"
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 204

    async def test_takes_the_word_of_one_that_does_not_say_when(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        await account(gateway, "bob@corp.example")
        assert (await sign_in(browser, confirm="true")).headers["location"] == "/console/#/signed-in"
