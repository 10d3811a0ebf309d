"""Registering and proving the address, in the same browser and in another; the first account; the policies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from modules.auth.service.accounts import AccountService
from tests.auth.people import FAST_HASHES, PASSWORD, Browser, Mailbox, account, audited
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls
from tests.support.waiting import eventually


async def register(browser: Browser, email: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    return await browser.post("/auth/register", json={"email": email, "password": password, **more})


async def verify(browser: Browser, token: str, **more: str) -> httpx.Response:
    return await browser.post("/auth/email/verify", json={"token": token, **more})


async def count(gateway: RunningGateway, table: str) -> int:
    return int((await gateway.sql(f"SELECT count(*) AS n FROM {table}"))[0]["n"])


@asynccontextmanager
async def configured(urls: DatabaseUrls, directory: Path, **overrides: str) -> AsyncIterator[RunningGateway]:
    chosen = {**FAST_HASHES, **overrides}
    async with running_gateway(urls, directory, jobs__in_process="yes", **chosen) as running:
        yield running


class TestRegister:
    async def test_creates_no_user(self, gateway: RunningGateway, browser: Browser) -> None:
        assert (await register(browser, "ada@example.org")).status_code == 202
        assert (await count(gateway, "users"), await count(gateway, "registrations")) == (0, 1)

    async def test_answers_a_known_address_alike(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.org")
        known = await register(Browser(gateway), "ada@example.org")
        new = await register(Browser(gateway), "bob@example.org")
        assert (known.status_code, known.json()) == (new.status_code, new.json())
        assert set(known.cookies) == set(new.cookies) == {"flow"}

    async def test_tells_the_owner_of_a_known_address(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await account(mailing_gateway, "ada@example.org")
        await register(Browser(mailing_gateway), "ada@example.org")
        assert "already have an account" in await mailbox.next_to("ada@example.org")

        async def forgotten() -> bool:
            return await count(mailing_gateway, "registrations") == 0

        await eventually(forgotten)

    @pytest.mark.parametrize(
        ("password", "code"), [("short", "password_too_short"), ("passwordpassword", "password_common")]
    )
    async def test_refuses_a_weak_password_naming_the_field(self, browser: Browser, password: str, code: str) -> None:
        answer = await register(browser, "ada@example.org", password)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.json()["errors"][0]["pointer"] == "/password"

    async def test_writes_in_the_language_of_the_request(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        answer = await register(Browser(mailing_gateway, **{"Accept-Language": "de"}), "ada@example.org")
        assert "Sehen Sie" in answer.json()["message"]
        assert "bestätigen" in await mailbox.next_to("ada@example.org")

    async def test_leaves_no_secret_in_the_database(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = Browser(mailing_gateway)
        await register(browser, "ada@example.org")
        secret = await mailbox.link_to("ada@example.org")
        for table in ("tokens", "registrations", "jobs.procrastinate_jobs", "audit_events"):
            rows = str(await mailing_gateway.sql(f"SELECT * FROM {table}"))
            assert secret not in rows
            assert browser.cookie("flow") not in rows


class TestVerifyEmail:
    async def test_finishes_by_a_click_in_the_same_browser(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser = Browser(mailing_gateway)
        await register(browser, "ada@example.org", display_name="Ada")
        answer = await verify(browser, await mailbox.link_to("ada@example.org"))
        assert answer.status_code == 200
        user = answer.json()["user"]
        assert (user["email"], user["display_name"], user["state"]) == ("ada@example.org", "Ada", "verified")
        assert user["slug"].startswith("u-")
        assert (await browser.get("/users/me")).status_code == 200
        assert "flow" not in browser.cookies

    async def test_asks_for_the_password_in_another_browser(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await register(Browser(mailing_gateway), "ada@example.org")
        token = await mailbox.link_to("ada@example.org")
        other = Browser(mailing_gateway)
        asked = await verify(other, token)
        assert (asked.status_code, asked.json()["code"]) == (403, "password_required")
        assert (await verify(other, token, password="not the password")).status_code == 401
        assert (await verify(other, token, password=PASSWORD)).status_code == 200

    async def test_lets_the_password_be_guessed_five_times_only(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await register(Browser(mailing_gateway), "ada@example.org")
        token = await mailbox.link_to("ada@example.org")
        other = Browser(mailing_gateway)
        for _ in range(5):
            assert (await verify(other, token, password="not the password")).status_code == 401
        assert (await verify(other, token, password=PASSWORD)).status_code == 429

    async def test_works_once(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = Browser(mailing_gateway)
        await register(browser, "ada@example.org")
        token = await mailbox.link_to("ada@example.org")
        answers = await asyncio.gather(*(verify(browser, token) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422, 422]
        assert await count(mailing_gateway, "users") == 1

    async def test_is_refused_after_a_day(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = Browser(mailing_gateway)
        await register(browser, "ada@example.org")
        token = await mailbox.link_to("ada@example.org")
        await mailing_gateway.sql("UPDATE tokens SET expires_at = now()")
        answer = await verify(browser, token)
        assert (answer.status_code, answer.json()["code"]) == (422, "link_not_valid")

    async def test_forgets_what_others_registered_under_the_address(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await register(Browser(mailing_gateway), "ada@example.org", "the attacker waits here")
        attackers = await mailbox.link_to("ada@example.org")
        browser = Browser(mailing_gateway)
        await register(browser, "ada@example.org")
        assert (await verify(browser, await mailbox.link_to("ada@example.org", 2))).status_code == 200
        assert await count(mailing_gateway, "registrations") == 0
        refused = await verify(Browser(mailing_gateway), attackers, password="the attacker waits here")
        assert refused.status_code == 422


class TestFirstAccount:
    async def test_becomes_sysadmin_by_flag_and_role(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = Browser(mailing_gateway)
        await register(browser, "ada@example.org")
        answer = await verify(browser, await mailbox.link_to("ada@example.org"))
        assert answer.json()["user"]["is_sysadmin"] is True
        assert (await browser.get("/admin/system/keys")).status_code == 200
        assert (await browser.get("/admin/users")).status_code == 200
        assert len(await audited(mailing_gateway, "sysadmin_given")) == 1

    async def test_is_one_of_several_that_verify_at_once(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browsers = {f"p{number}@example.org": Browser(mailing_gateway) for number in range(6)}
        for email, browser in browsers.items():
            await register(browser, email)
        tokens = {email: await mailbox.link_to(email) for email in browsers}
        answers = await asyncio.gather(*(verify(browsers[email], tokens[email]) for email in browsers))
        assert [answer.json()["user"]["is_sysadmin"] for answer in answers].count(True) == 1

    async def test_is_followed_by_ordinary_ones(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await account(mailing_gateway, "ada@example.org")
        browser = Browser(mailing_gateway)
        await register(browser, "bob@example.org")
        answer = await verify(browser, await mailbox.link_to("bob@example.org"))
        assert answer.json()["user"]["is_sysadmin"] is False
        assert (await browser.get("/admin/users")).status_code == 403

    async def test_needs_the_printed_code_where_others_could_come_first(
        self, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        async with configured(database_urls, tmp_path, auth__set_up_code_required="yes") as gateway:
            code = await gateway.services.get(AccountService).new_set_up_code()
            assert code is not None
            browser = Browser(gateway)
            await register(browser, "ada@example.org")
            token = await Mailbox(gateway).link_to("ada@example.org")
            for wrong in ({}, {"set_up_code": "wrong"}):
                refused = await verify(browser, token, **wrong)
                assert (refused.status_code, refused.json()["code"]) == (403, "set_up_code_required")
            assert (await verify(browser, token, set_up_code=code)).json()["user"]["is_sysadmin"] is True
            assert await gateway.services.get(AccountService).new_set_up_code() is None


class TestRegistrationPolicy:
    async def test_closed_refuses_everybody(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with configured(database_urls, tmp_path, auth__registration="closed") as gateway:
            answer = await register(Browser(gateway), "ada@example.org")
            assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")

    async def test_invitation_refuses_the_uninvited(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with configured(database_urls, tmp_path, auth__registration="invitation") as gateway:
            for more in ({}, {"invitation": "made up"}):
                answer = await register(Browser(gateway), "ada@example.org", **more)
                assert (answer.status_code, answer.json()["code"]) == (403, "invitation_required")


class TestNewAccountHome:
    async def test_is_a_mandate_of_one_s_own(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with configured(database_urls, tmp_path, auth__registration_home="personal") as gateway:
            await account(gateway, "first@example.org")
            browser = Browser(gateway)
            await register(browser, "ada@example.org", display_name="Ada")
            await verify(browser, await Mailbox(gateway).link_to("ada@example.org"))
            mandates = await gateway.sql("SELECT id, name FROM mandates WHERE NOT is_root")
            assert [row["name"] for row in mandates] == ["Ada"]
            roles = await browser.get("/roles", headers={"X-Mandate-Id": str(mandates[0]["id"])})
            assert roles.status_code == 200

    async def test_is_the_configured_mandate(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with configured(database_urls, tmp_path, auth__registration_home="mandate:acme") as gateway:
            await account(gateway, "first@example.org")
            mandate_id = await gateway.mandate("acme")
            browser = Browser(gateway)
            await register(browser, "ada@example.org")
            await verify(browser, await Mailbox(gateway).link_to("ada@example.org"))
            members = await gateway.sql("SELECT mandate_id FROM memberships")
            assert [row["mandate_id"] for row in members] == [mandate_id]
