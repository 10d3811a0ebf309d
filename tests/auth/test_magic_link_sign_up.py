"""Links that make accounts: at the proof and not before, as the registration policy has it, one for each address."""

import asyncio
from pathlib import Path

import pytest

from modules.auth.service.accounts import AccountService
from tests.auth.magic_links import ask, asked, eventually_no_jobs, mailed, verify, with_links
from tests.auth.people import Browser, Mailbox, account, signed_in
from tests.auth.test_registration import configured, count, register
from tests.auth.test_registration import verify as verify_email
from tests.support.gateway import RunningGateway
from tests.support.postgres import DatabaseUrls
from tests.support.waiting import eventually

ADA = "ada@example.org"


class TestSignUp:
    async def test_makes_the_account_at_the_proof_and_not_before(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        assert await count(mailing_gateway, "users") == 0
        answer = await verify(browser, token=mail.token)
        user = answer.json()["user"]
        assert (user["email"], user["state"], user["is_sysadmin"]) == (ADA, "verified", True)
        assert user["slug"].startswith("u-")
        assert await count(mailing_gateway, "password_credentials") == 0

    async def test_by_two_links_at_once_makes_one_account(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browsers = [Browser(mailing_gateway) for _ in range(3)]
        mails = [await asked(browser, mailbox, ADA, number + 1) for number, browser in enumerate(browsers)]
        tries = (verify(browser, token=mail.token) for browser, mail in zip(browsers, mails, strict=True))
        answers = await asyncio.gather(*tries)
        assert [answer.status_code for answer in answers] == [200] * 3
        assert await count(mailing_gateway, "users") == 1

    async def test_ends_registrations_of_others(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        attacker = Browser(mailing_gateway)
        await register(attacker, ADA, "the attacker waits here")
        waiting = await mailbox.link_to(ADA)
        browser = Browser(mailing_gateway)
        await verify(browser, token=(await asked(browser, mailbox, ADA)).token)
        assert await count(mailing_gateway, "registrations") == 0
        assert (await verify_email(attacker, waiting)).status_code == 422
        assert (await attacker.log_in(ADA, "the attacker waits here")).status_code == 401

    async def test_needs_the_printed_code_where_others_could_come_first(
        self, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        async with configured(database_urls, tmp_path, auth__set_up_code_required="yes") as gateway:
            printed = await gateway.services.get(AccountService).new_set_up_code()
            assert printed is not None
            browser = Browser(gateway)
            mail = await asked(browser, Mailbox(gateway), ADA)
            refused = await verify(browser, token=mail.token)
            assert (refused.status_code, refused.json()["code"]) == (403, "set_up_code_required")
            assert await count(gateway, "users") == 0
            answer = await verify(browser, token=mail.token, set_up_code=printed)
            assert answer.json()["user"]["is_sysadmin"] is True

    @pytest.mark.parametrize("policy", ["closed", "invitation"])
    async def test_gets_no_mail_where_nobody_may_register(
        self, database_urls: DatabaseUrls, tmp_path: Path, policy: str
    ) -> None:
        async with configured(database_urls, tmp_path, auth__registration=policy) as gateway:
            await account(gateway, ADA)
            mailbox = Mailbox(gateway)
            unknown = await ask(Browser(gateway), "new@example.org", invitation="made up")
            browser = Browser(gateway)
            known = await ask(browser, ADA)
            assert (unknown.status_code, unknown.text) == (known.status_code, known.text)
            mail = await mailed(mailbox, ADA)
            await eventually_no_jobs(gateway)
            assert mailbox.to("new@example.org") == []
            assert (await verify(browser, token=mail.token)).status_code == 200

    async def test_of_an_address_somebody_can_take_back_gets_no_mail(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        owner = await signed_in(mailing_gateway, ADA)
        await owner.post("/users/me/email", json={"email": "moved@example.org"})
        await verify_email(owner, await mailbox.link_to("moved@example.org"))
        await mailbox.next_to(ADA)  # how to take it back
        await ask(Browser(mailing_gateway), ADA)
        await eventually_no_jobs(mailing_gateway)
        assert with_links(mailbox, ADA) == []

    async def test_leaves_no_half_made_user_when_mails_fail(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        blocked = tmp_path / "a file"
        blocked.write_text("no directory", encoding="ascii")
        async with configured(database_urls, tmp_path, mail__directory=str(blocked)) as gateway:
            answer = await ask(Browser(gateway), ADA)
            assert answer.status_code == 202

            async def tried() -> bool:
                rows = await gateway.sql("SELECT attempts FROM jobs.procrastinate_jobs")
                return [row["attempts"] for row in rows] == [1]

            await eventually(tried)
            for table in ("users", "registrations", "sessions"):
                assert await count(gateway, table) == 0
            blocked.unlink()
            await gateway.sql("UPDATE jobs.procrastinate_jobs SET scheduled_at = now()")
            await mailed(Mailbox(gateway), ADA)
