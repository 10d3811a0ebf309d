"""Changing and resetting passwords."""

import asyncio

import httpx
import pytest

from tests.auth.people import PASSWORD, Browser, Mailbox, account, audited, signed_in
from tests.support.gateway import RunningGateway

NEW = "four unrelated words here"


async def ask(browser: Browser, email: str) -> httpx.Response:
    return await browser.post("/auth/password-reset", json={"email": email})


async def confirm(browser: Browser, token: str, password: str = NEW) -> httpx.Response:
    return await browser.post("/auth/password-reset/confirm", json={"token": token, "password": password})


class TestChangePassword:
    async def test_ends_all_other_sessions_and_keeps_this_one(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        other = Browser(gateway)
        await other.log_in("ada@example.org")
        assert (await browser.post("/users/me/password", json={"password": NEW})).status_code == 204
        assert (await browser.get("/users/me")).status_code == 200
        assert (await other.get("/users/me")).status_code == 401

    async def test_takes_the_old_password_out_of_force(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await browser.post("/users/me/password", json={"password": NEW})
        assert (await Browser(gateway).log_in("ada@example.org", PASSWORD)).status_code == 401
        assert (await Browser(gateway).log_in("ada@example.org", NEW)).status_code == 200

    async def test_refuses_a_weak_one(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        assert (await browser.post("/users/me/password", json={"password": "short"})).status_code == 422

    async def test_is_told_by_mail(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.org")
        await browser.post("/users/me/password", json={"password": NEW})
        assert "was changed" in await mailbox.next_to("ada@example.org")

    async def test_ends_a_change_of_address_asked_for_before(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.org")
        await browser.post("/users/me/email", json={"email": "thief@example.com"})
        token = await mailbox.link_to("thief@example.com")
        await browser.post("/users/me/password", json={"password": NEW})
        answer = await Browser(mailing_gateway).post("/auth/email/verify", json={"token": token})
        assert answer.json()["code"] == "link_not_valid"


class TestResetPassword:
    async def test_ends_a_change_of_address_asked_for_before(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief = await signed_in(mailing_gateway, "ada@example.org")
        await thief.post("/users/me/email", json={"email": "thief@example.com"})
        token = await mailbox.link_to("thief@example.com")
        await ask(Browser(mailing_gateway), "ada@example.org")
        await confirm(Browser(mailing_gateway), await mailbox.link_to("ada@example.org"))
        answer = await thief.post("/auth/email/verify", json={"token": token})
        assert answer.json()["code"] == "link_not_valid"

    async def test_replaces_the_password_and_ends_every_session(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.org")
        assert (await ask(browser, "ada@example.org")).status_code == 202
        answer = await confirm(Browser(mailing_gateway), await mailbox.link_to("ada@example.org"))
        assert (answer.status_code, "set-cookie" in answer.headers) == (204, False)
        assert (await browser.get("/users/me")).status_code == 401
        assert (await browser.post("/auth/refresh")).status_code == 401
        assert (await Browser(mailing_gateway).log_in("ada@example.org", NEW)).status_code == 200
        assert len(await audited(mailing_gateway, "password_reset_done")) == 1

    async def test_answers_every_address_alike(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.org")
        await account(gateway, "off@example.org", state="disabled")
        answers = [
            await ask(Browser(gateway), email) for email in ("ada@example.org", "off@example.org", "no@example.org")
        ]
        assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
        jobs = await gateway.sql("SELECT count(*) AS n FROM jobs.procrastinate_jobs")
        assert jobs[0]["n"] == 3

    async def test_writes_to_nobody_who_has_no_working_account(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, "ada@example.org")
        await account(mailing_gateway, "off@example.org", state="disabled")
        for email in ("off@example.org", "no@example.org", "ada@example.org"):
            await ask(Browser(mailing_gateway), email)
        assert "127.0.0.1" in await mailbox.next_to("ada@example.org")
        assert mailbox.to("off@example.org") == mailbox.to("no@example.org") == []

    async def test_works_once(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await account(mailing_gateway, "ada@example.org")
        await ask(Browser(mailing_gateway), "ada@example.org")
        token = await mailbox.link_to("ada@example.org")
        answers = await asyncio.gather(*(confirm(Browser(mailing_gateway), token) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [204, 422, 422, 422, 422]

    async def test_keeps_the_link_when_the_password_is_weak(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, "ada@example.org")
        await ask(Browser(mailing_gateway), "ada@example.org")
        token = await mailbox.link_to("ada@example.org")
        assert (await confirm(Browser(mailing_gateway), token, "short")).json()["code"] == "password_too_short"
        assert (await confirm(Browser(mailing_gateway), token)).status_code == 204

    @pytest.mark.parametrize("change", ["UPDATE tokens SET expires_at = now()", "UPDATE users SET state = 'disabled'"])
    async def test_is_refused_too_late_and_for_the_disabled(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox, change: str
    ) -> None:
        await account(mailing_gateway, "ada@example.org")
        await ask(Browser(mailing_gateway), "ada@example.org")
        token = await mailbox.link_to("ada@example.org")
        await mailing_gateway.sql(change)
        answer = await confirm(Browser(mailing_gateway), token)
        assert (answer.status_code, answer.json()["code"]) == (422, "link_not_valid")

    async def test_makes_known_browsers_strangers(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.org")
        await ask(browser, "ada@example.org")
        await confirm(browser, await mailbox.link_to("ada@example.org"))
        known = await mailing_gateway.sql("SELECT count(*) AS n FROM devices WHERE revoked_at IS NULL")
        assert known[0]["n"] == 0
