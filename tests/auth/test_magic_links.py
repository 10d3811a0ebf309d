"""Links that sign in: in the asking browser by a click, in another with the digits, by the code alone; and for whom."""

import asyncio
from pathlib import Path

import pytest

from modules.audit.service import RefusalLog
from tests.auth.magic_links import ask, asked, eventually_no_jobs, verify, wrong
from tests.auth.people import Browser, Mailbox, account, audited, signed_in
from tests.auth.test_registration import configured, count, register
from tests.auth.test_registration import verify as verify_email
from tests.support.gateway import RunningGateway
from tests.support.postgres import DatabaseUrls

ADA = "ada@example.org"


async def sessions(gateway: RunningGateway) -> int:
    return await count(gateway, "sessions")


class TestAsk:
    async def test_answers_known_unknown_and_blocked_alike(self, gateway: RunningGateway) -> None:
        await account(gateway, ADA)
        await account(gateway, "off@example.org", state="disabled")
        answers = [await ask(Browser(gateway), email) for email in (ADA, "off@example.org", "no@example.org")]
        assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
        assert all(set(answer.cookies) == {"flow"} for answer in answers)
        assert await count(gateway, "jobs.procrastinate_jobs") == 3

    async def test_says_in_the_mail_where_it_was_asked_from(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        mail = await asked(Browser(mailing_gateway), mailbox, ADA)
        assert "Firefox 128 on Linux, 127.0.0.1" in mail.text

    async def test_writes_in_the_person_s_language_and_else_in_that_of_the_request(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA, language="de")
        assert "anmelden" in (await asked(Browser(mailing_gateway), mailbox, ADA)).text
        stranger = Browser(mailing_gateway, **{"Accept-Language": "de"})
        assert "anmelden" in (await asked(stranger, mailbox, "new@example.org")).text

    async def test_writes_nothing_to_the_blocked(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await account(mailing_gateway, "off@example.org", state="disabled")
        await ask(Browser(mailing_gateway), "off@example.org")
        await asked(Browser(mailing_gateway), mailbox, ADA)  # the worker has been past the other job
        await eventually_no_jobs(mailing_gateway)
        assert mailbox.to("off@example.org") == []

    async def test_leaves_no_secret_in_the_database(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        for table in ("tokens", "jobs.procrastinate_jobs", "audit_events", "audit_subjects"):
            rows = str(await mailing_gateway.sql(f"SELECT * FROM {table}"))
            for secret in (mail.token, mail.digits, mail.code, mail.code.replace("-", ""), browser.cookie("flow")):
                assert secret not in rows

    async def test_is_audited_for_the_account_it_is_about(self, gateway: RunningGateway) -> None:
        ada = await account(gateway, ADA)
        await ask(Browser(gateway), ADA)
        assert [event["actor_id"] for event in await audited(gateway, "magic_link_asked")] == [ada]

    async def test_is_refused_where_links_are_switched_off(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with configured(database_urls, tmp_path, auth__magic_link="no") as gateway:
            browser = Browser(gateway)
            for answer in (await ask(browser, ADA), await verify(browser, token="x")):
                assert (answer.status_code, answer.json()["code"]) == (403, "magic_link_off")
            methods = (await browser.get("/auth/methods")).json()["methods"]
            assert "magic_link" not in [method["name"] for method in methods]


class TestInTheAskingBrowser:
    async def test_a_click_signs_in(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        ada = await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        answer = await verify(browser, token=mail.token)
        assert answer.status_code == 200
        assert answer.json()["user"]["id"] == str(ada)
        session = answer.json()["session"]
        assert (session["authority"], session["amr"]) == ("magic_link", ["otp"])
        assert (await browser.get("/users/me")).status_code == 200
        assert "flow" not in browser.cookies
        assert len(await audited(mailing_gateway, "magic_link_used")) == 1

    async def test_the_sign_in_proves_the_address(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        await verify(browser, token=(await asked(browser, mailbox, ADA)).token)
        assert (await mailing_gateway.sql("SELECT proven_email FROM sessions"))[0]["proven_email"] == ADA

    async def test_works_once_for_several_at_the_same_moment(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        answers = await asyncio.gather(*(verify(browser, token=mail.token) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422, 422]
        assert await sessions(mailing_gateway) == 1

    async def test_is_refused_when_too_late_and_says_so(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        await mailing_gateway.sql("UPDATE tokens SET expires_at = now() - interval '1 second'")
        answer = await verify(browser, token=mail.token)
        assert (answer.status_code, answer.json()["code"]) == (422, "magic_link_expired")
        assert (await verify(browser, code=mail.code)).json()["code"] == "code_not_valid"
        await mailing_gateway.services.get(RefusalLog).flush()
        assert len(await audited(mailing_gateway, "magic_link_expired")) == 1

    async def test_is_refused_once_the_person_is_blocked(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        await mailing_gateway.sql("UPDATE users SET state = 'disabled'")
        assert (await verify(browser, token=mail.token)).json()["code"] == "link_not_valid"
        assert await sessions(mailing_gateway) == 0

    async def test_is_refused_once_the_address_was_changed(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        owner = await signed_in(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        await owner.post("/users/me/email", json={"email": "moved@example.org"})
        await verify_email(owner, await mailbox.link_to("moved@example.org"))
        assert (await verify(browser, token=mail.token)).json()["code"] == "link_not_valid"

    async def test_waits_for_the_second_factor(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        ada = await account(mailing_gateway, ADA)
        await give_totp(mailing_gateway, ada)
        browser = Browser(mailing_gateway)
        answer = await verify(browser, token=(await asked(browser, mailbox, ADA)).token)
        assert (answer.status_code, answer.json()["factors"]) == (202, ["totp"])
        assert (await sessions(mailing_gateway), "pending" in browser.cookies) == (0, True)


class TestInAnotherBrowser:
    async def test_needs_the_digits_of_the_mail(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await account(mailing_gateway, ADA)
        mail = await asked(Browser(mailing_gateway), mailbox, ADA)
        other = Browser(mailing_gateway)
        refused = await verify(other, token=mail.token)
        assert (refused.status_code, refused.json()["code"]) == (403, "code_required")
        assert (await verify(other, token=mail.token, code=wrong(mail.digits))).status_code == 401
        assert (await verify(other, token=mail.token, code=mail.digits.replace(" ", ""))).status_code == 200

    async def test_takes_neither_the_other_code_nor_the_digits_alone(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        mail = await asked(Browser(mailing_gateway), mailbox, ADA)
        other = Browser(mailing_gateway)
        assert (await verify(other, token=mail.token, code=mail.code)).status_code == 401
        assert (await verify(other, code=mail.digits)).status_code == 401
        assert (await verify(other, code=mail.code)).status_code == 401
        assert await sessions(mailing_gateway) == 0

    async def test_another_link_s_digits_do_not_count(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        mine = await asked(Browser(mailing_gateway), mailbox, "eve@example.org")
        mail = await asked(Browser(mailing_gateway), mailbox, ADA)
        assert (await verify(Browser(mailing_gateway), token=mail.token, code=mine.digits)).status_code == 401

    @pytest.mark.parametrize("together", [False, True])
    async def test_digits_can_be_tried_five_times(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox, together: bool
    ) -> None:
        await account(mailing_gateway, ADA)
        asking = Browser(mailing_gateway)
        mail = await asked(asking, mailbox, ADA)
        other = Browser(mailing_gateway)
        tries = [verify(other, token=mail.token, code=wrong(mail.digits)) for _ in range(5)]
        answers = await asyncio.gather(*tries) if together else [await each for each in tries]
        assert {answer.status_code for answer in answers} == {401}
        assert (await verify(other, token=mail.token, code=mail.digits)).status_code == 401
        assert (await verify(asking, token=mail.token)).status_code == 200


class TestCodeAlone:
    @pytest.mark.parametrize("written", [str.lower, lambda code: code.replace("-", " "), lambda code: f" {code} "])
    async def test_signs_in_where_it_was_asked_for(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox, written: object
    ) -> None:
        assert callable(written)
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        assert (await verify(browser, code=written(mail.code))).status_code == 200
        assert (await verify(browser, token=mail.token)).status_code == 422

    async def test_means_nothing_anywhere_else(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await account(mailing_gateway, ADA)
        mail = await asked(Browser(mailing_gateway), mailbox, ADA)
        stranger = Browser(mailing_gateway)
        await ask(stranger, "eve@example.org")
        for browser in (stranger, Browser(mailing_gateway)):
            answer = await verify(browser, code=mail.code)
            assert (answer.status_code, answer.json()["code"]) == (401, "code_not_valid")

    async def test_can_be_tried_five_times_and_the_link_still_works(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        mail = await asked(browser, mailbox, ADA)
        await asyncio.gather(*(verify(browser, code=wrong(mail.code)) for _ in range(8)))
        assert (await mailing_gateway.sql("SELECT attempts FROM tokens WHERE purpose = 'magic_link'"))[0][
            "attempts"
        ] == 5
        assert (await verify(browser, code=mail.code)).status_code == 401
        assert (await verify(browser, token=mail.token)).status_code == 200

    async def test_tells_a_blocked_and_an_unknown_address_nothing(self, gateway: RunningGateway) -> None:
        await account(gateway, ADA)
        await account(gateway, "off@example.org", state="disabled")
        answers = []
        for email in (ADA, "off@example.org", "no@example.org"):
            browser = Browser(gateway)
            await ask(browser, email)
            answers.append([(await verify(browser, code="ABCD-EFGH")).status_code for _ in range(5)])
        assert answers == [[401] * 5] * 3

    async def test_failures_are_counted_per_recipient_and_day(
        self, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        chosen = {
            "rate_limits__code_failures_per_recipient": "7/day",
            "rate_limits__mail_per_recipient_hour": "100/hour",
            "rate_limits__mail_per_recipient_day": "100/day",
            "rate_limits__login_per_address": "1000/minute",
        }
        async with configured(database_urls, tmp_path, **chosen) as gateway:
            owner = await signed_in(gateway, ADA)
            statuses = []
            for number in (1, 2):
                stranger = Browser(gateway)
                mail = await asked(stranger, Mailbox(gateway), ADA, number)
                statuses += [(await verify(stranger, code=wrong(mail.code))).status_code for _ in range(5)]
            assert statuses == [401] * 7 + [429] * 3
            known = await asked(owner, Mailbox(gateway), ADA, 3)
            assert (await verify(owner, code=known.code)).status_code == 200
            by_link = await asked(Browser(gateway), Mailbox(gateway), ADA, 4)
            digits = await verify(Browser(gateway), token=by_link.token, code=by_link.digits)
            assert digits.status_code == 200


class TestNewestWins:
    async def test_inside_one_flow(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        older, newer = [await asked(browser, mailbox, ADA, number) for number in (1, 2)]
        assert (await verify(browser, token=older.token)).json()["code"] == "link_not_valid"
        assert (await verify(browser, code=older.code)).status_code == 401
        assert (await verify(browser, code=newer.code)).status_code == 200

    async def test_and_a_stranger_s_request_ends_nobody_s_link(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, ADA)
        browser = Browser(mailing_gateway)
        mine = await asked(browser, mailbox, ADA)
        await asked(Browser(mailing_gateway), mailbox, ADA, 2)
        assert (await verify(browser, token=mine.token)).status_code == 200

    async def test_for_two_asked_at_the_same_moment(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = Browser(mailing_gateway)
        await asked(browser, mailbox, ADA)
        await asyncio.gather(*(ask(browser, f"{number}@example.org") for number in range(6)))
        open_now = await mailing_gateway.sql("SELECT 1 FROM tokens WHERE revoked_at IS NULL")
        assert len(open_now) == 1

    async def test_and_leaves_a_registration_of_the_same_browser_alone(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser = Browser(mailing_gateway)
        await register(browser, ADA)
        link = await mailbox.link_to(ADA)
        await ask(browser, "bob@example.org")
        assert (await verify_email(browser, link)).status_code == 200


class TestBudget:
    async def test_of_strangers_is_three_mails_an_hour_for_every_address(self, gateway: RunningGateway) -> None:
        await account(gateway, ADA)
        for email in (ADA, "no@example.org"):
            answers = [await ask(Browser(gateway), email) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [202, 202, 202, 429]

    async def test_is_used_up_by_resets_and_links_together(self, gateway: RunningGateway) -> None:
        for path in ("/auth/password-reset", "/auth/magic-link", "/auth/password-reset"):
            await Browser(gateway).post(path, json={"email": ADA})
        assert (await ask(Browser(gateway), ADA)).status_code == 429

    async def test_of_a_browser_known_to_the_person_is_its_own(self, gateway: RunningGateway) -> None:
        owner, bob = await signed_in(gateway, ADA), await signed_in(gateway, "bob@example.org")
        for _ in range(4):
            await ask(Browser(gateway), ADA)
        assert (await ask(bob, ADA)).status_code == 429
        assert (await ask(owner, ADA)).status_code == 202


class TestPasswordReset:
    async def test_never_skips_the_second_factor(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        ada = await account(mailing_gateway, ADA)
        await give_totp(mailing_gateway, ada)
        browser = Browser(mailing_gateway)
        await browser.post("/auth/password-reset", json={"email": ADA})
        confirmed = {"token": await mailbox.link_to(ADA), "password": "four unrelated words here"}
        assert (await browser.post("/auth/password-reset/confirm", json=confirmed)).status_code == 204
        assert await sessions(mailing_gateway) == 0
        assert (await browser.log_in(ADA, "four unrelated words here")).status_code == 202


async def give_totp(gateway: RunningGateway, user_id: object) -> None:
    """A second factor."""
    await gateway.sql(
        "INSERT INTO totp_credentials (user_id, sealed_seed, created_at, confirmed_at)"
        " VALUES (:user, '\\x00', now(), now())",
        user=user_id,
    )
