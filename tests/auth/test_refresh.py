"""Refreshing: one successor per token, patience with lost answers, none with stolen tokens."""

import asyncio
from base64 import urlsafe_b64encode
from uuid import UUID

import httpx
import pytest

from modules.auth.service.activity import ActivityService
from tests.auth.people import Browser, Mailbox, account, audited, signed_in
from tests.support.gateway import RunningGateway

FORMER_LONG_AGO = "UPDATE sessions SET rotated_at = rotated_at - interval '11 seconds'"
FORMER_VERY_LONG_AGO = "UPDATE sessions SET rotated_at = rotated_at - interval '16 minutes'"


async def present(gateway: RunningGateway, refresh: str) -> httpx.Response:
    """Refresh with this very token, in a browser that has nothing else."""
    browser = Browser(gateway)
    browser.cookies.set("refresh_token", refresh, domain="127.0.0.1")
    return await browser.post("/auth/refresh")


async def generation(gateway: RunningGateway) -> int:
    return int((await gateway.sql("SELECT generation FROM sessions"))[0]["generation"])


async def use(gateway: RunningGateway, browser: Browser) -> None:
    """Make a request with the browser's access token, and have it noted."""
    assert (await browser.get("/users/me")).status_code == 200
    await gateway.services.get(ActivityService).flush()


class TestRefresh:
    async def test_gives_a_new_pair_of_tokens(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        before = dict(browser.cookies)
        answer = await browser.post("/auth/refresh")
        assert answer.status_code == 200
        assert browser.cookie("refresh_token") != before["refresh_token"]
        assert browser.cookie("auth_token") != before["auth_token"]
        assert (await browser.get("/users/me")).status_code == 200

    async def test_needs_no_access_token(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        assert (await present(gateway, browser.cookie("refresh_token"))).status_code == 200

    async def test_goes_on_for_many_generations(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        for expected in range(2, 12):
            assert (await browser.post("/auth/refresh")).status_code == 200
            assert await generation(gateway) == expected

    async def test_does_not_count_as_a_sign_in(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        before = (await browser.get("/auth/sessions")).json()["items"][0]["authenticated_at"]
        await browser.post("/auth/refresh")
        assert (await browser.get("/auth/sessions")).json()["items"][0]["authenticated_at"] == before

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE sessions SET expires_at = now() - interval '1 second'",
            "UPDATE sessions SET idle_expires_at = now() - interval '1 second'",
            "UPDATE sessions SET revoked_at = now()",
            "UPDATE users SET state = 'disabled'",
        ],
    )
    async def test_is_refused_when_the_session_does_not_stand(self, gateway: RunningGateway, change: str) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await gateway.sql(change)
        assert (await browser.post("/auth/refresh")).status_code == 401

    async def test_extends_the_idle_time_but_never_the_session(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        soon = "UPDATE sessions SET idle_expires_at = now() + interval '1 hour', expires_at = now() + interval '2 days'"
        await gateway.sql(soon)
        await browser.post("/auth/refresh")
        row = (await gateway.sql("SELECT idle_expires_at, expires_at FROM sessions"))[0]
        assert row["idle_expires_at"] == row["expires_at"]


class TestRefreshRace:
    async def test_of_fifty_makes_one_step_and_all_get_the_same_successor(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        presented = browser.cookie("refresh_token")
        answers = await asyncio.gather(*(present(gateway, presented) for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}
        assert await generation(gateway) == 2
        assert len({answer.cookies["refresh_token"] for answer in answers}) == 1
        assert len({answer.cookies["auth_token"] for answer in answers}) == 50

    async def test_leaves_both_tabs_signed_in(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        answers = await asyncio.gather(browser.post("/auth/refresh"), browser.post("/auth/refresh"))
        for answer in answers:
            bearer = {"Authorization": f"Bearer {answer.cookies['auth_token']}"}
            assert (await Browser(gateway).get("/users/me", headers=bearer)).status_code == 200
        assert (await browser.post("/auth/refresh")).status_code == 200

    async def test_gives_its_losers_no_cookie_clearing_headers(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        old = browser.cookie("refresh_token")
        for _ in range(2):
            await browser.post("/auth/refresh")
        refused = await present(gateway, old)
        assert refused.status_code == 401
        assert "set-cookie" not in refused.headers


class TestFormerToken:
    async def test_is_answered_alike_for_ten_seconds_even_when_the_answer_was_used(
        self, gateway: RunningGateway
    ) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        former = browser.cookie("refresh_token")
        await browser.post("/auth/refresh")
        await use(gateway, browser)
        answer = await present(gateway, former)
        assert answer.cookies["refresh_token"] == browser.cookie("refresh_token")

    async def test_is_answered_alike_later_while_the_answer_was_lost(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await use(gateway, browser)
        former = browser.cookie("refresh_token")
        lost = await present(gateway, former)
        await gateway.sql(FORMER_LONG_AGO)
        again = await present(gateway, former)
        assert again.status_code == 200
        assert again.cookies["refresh_token"] == lost.cookies["refresh_token"]

    async def test_writes_nothing_when_repeated(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        former = browser.cookie("refresh_token")
        await browser.post("/auth/refresh")
        look = "SELECT s.*, t.secret_hash, t.parent_hash FROM sessions s JOIN tokens t ON t.session_id = s.id"
        before = await gateway.sql(look)
        await present(gateway, former)
        assert await gateway.sql(look) == before

    async def test_ends_the_session_once_the_answer_was_used(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        former = browser.cookie("refresh_token")
        await browser.post("/auth/refresh")
        await use(gateway, browser)
        await gateway.sql(FORMER_LONG_AGO)
        assert (await present(gateway, former)).status_code == 401
        assert (await browser.get("/users/me")).status_code == 401

    async def test_ends_the_session_after_a_quarter_of_an_hour(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        former = browser.cookie("refresh_token")
        await browser.post("/auth/refresh")
        await gateway.sql(FORMER_VERY_LONG_AGO)
        assert (await present(gateway, former)).status_code == 401
        assert (await browser.get("/users/me")).status_code == 401


class TestTokenTwoGenerationsOld:
    async def test_ends_that_session_only_and_is_audited(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        other = Browser(gateway)
        await other.log_in("ada@example.org")
        old = browser.cookie("refresh_token")
        for _ in range(2):
            await browser.post("/auth/refresh")
        assert (await present(gateway, old)).status_code == 401
        assert (await browser.get("/users/me")).status_code == 401
        assert (await browser.post("/auth/refresh")).status_code == 401
        assert (await other.get("/users/me")).status_code == 200
        assert len(await audited(gateway, "refresh_reuse")) == 1

    async def test_is_mailed_about_once(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.org", language="de")
        old = browser.cookie("refresh_token")
        for _ in range(2):
            await browser.post("/auth/refresh")
        for _ in range(3):
            await present(mailing_gateway, old)
        assert "Eine Sitzung" in await mailbox.next_to("ada@example.org")
        assert len(mailbox.to("ada@example.org")) == 1


class TestMadeUpToken:
    async def test_for_a_real_session_ends_nothing(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        session_id = UUID((await browser.get("/auth/sessions")).json()["items"][0]["id"])
        name = urlsafe_b64encode(session_id.bytes).rstrip(b"=").decode()
        made_up = f"{name}.{'A' * 43}.{'A' * 22}"
        assert (await present(gateway, made_up)).status_code == 401
        assert (await browser.get("/users/me")).status_code == 200

    @pytest.mark.parametrize("token", ["x", "a.b.c", "A" * 5000, "..", "é.é.é", "%00"])
    async def test_of_any_shape_is_refused(self, gateway: RunningGateway, token: str) -> None:
        browser = Browser(gateway)
        headers = {"Cookie": f"refresh_token={token}".encode()}
        answer = await browser.post("/auth/refresh", headers=headers)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")

    async def test_is_refused_like_none_at_all(self, gateway: RunningGateway) -> None:
        assert (await Browser(gateway).post("/auth/refresh")).json()["code"] == "invalid_token"


class TestRefreshLimits:
    async def test_refuse_the_step_beyond_thirty_a_minute(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        for _ in range(30):
            assert (await browser.post("/auth/refresh")).status_code == 200
        refused = await browser.post("/auth/refresh")
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert await generation(gateway) == 31

    async def test_count_repetitions_apart_from_steps(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        former = browser.cookie("refresh_token")
        await browser.post("/auth/refresh")
        for _ in range(120):
            assert (await present(gateway, former)).status_code == 200
        assert (await present(gateway, former)).status_code == 429
        assert (await browser.post("/auth/refresh")).status_code == 200

    async def test_are_each_session_s_own(self, gateway: RunningGateway) -> None:
        first = await signed_in(gateway, "ada@example.org")
        second = Browser(gateway)
        await second.log_in("ada@example.org")
        for _ in range(31):
            await first.post("/auth/refresh")
        assert (await second.post("/auth/refresh")).status_code == 200


class TestDisabledUser:
    async def test_cannot_refresh_in_the_moment_of_being_disabled(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await account(gateway, "bob@example.org")
        await gateway.sql("UPDATE users SET state = 'disabled' WHERE email = 'ada@example.org'")
        assert (await browser.post("/auth/refresh")).status_code == 401
        assert (await browser.get("/users/me")).status_code == 401
