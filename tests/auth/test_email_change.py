"""Another mail address: proven first, told to the old one, which can take it back."""

import pytest

from tests.auth.factors import App, set_up_app, set_up_passkey, sign_in_by_passkey
from tests.auth.people import PASSWORD, Browser, Mailbox, account, audited, signed_in
from tests.support.gateway import RunningGateway
from tests.support.waiting import eventually

OLD, NEW = "ada@example.org", "ada@example.net"
OF_THE_THIEF, OF_THE_OWNER = "seven purple teapots sing", "eleven quiet lanterns glow"


async def changed(gateway: RunningGateway, mailbox: Mailbox) -> Browser:
    """Ada, whose address is the new one now."""
    browser = await signed_in(gateway, OLD)
    assert (await browser.post("/users/me/email", json={"email": NEW})).status_code == 202
    proven = await browser.post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})
    assert proven.status_code == 204
    return browser


async def _secret(mailbox: Mailbox, page: str) -> str:
    """The secret of the mail to the old address that leads to this page."""
    await eventually(lambda: any(f"#/{page}/" in mail for mail in mailbox.to(OLD)))
    (mail,) = [mail for mail in mailbox.to(OLD) if f"#/{page}/" in mail]
    return mail.partition(f"#/{page}/")[2].split()[0]


class TestChangeEmail:
    async def test_counts_only_when_proven(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await signed_in(mailing_gateway, OLD)
        await browser.post("/users/me/email", json={"email": NEW})
        assert (await browser.get("/users/me")).json()["email"] == OLD
        await browser.post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})
        assert (await browser.get("/users/me")).json()["email"] == NEW

    async def test_needs_a_recent_sign_in(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, OLD)
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        answer = await browser.post("/users/me/email", json={"email": NEW})
        assert answer.json()["code"] == "step_up_required"

    async def test_does_not_tell_that_somebody_has_the_address(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, NEW)
        browser = await signed_in(mailing_gateway, OLD)
        assert (await browser.post("/users/me/email", json={"email": NEW})).status_code == 202
        answer = await browser.post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})
        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")


class TestTheLinkOfAChange:
    """It proves that a mail was read, not by whom."""

    async def _asked(self, gateway: RunningGateway, mailbox: Mailbox) -> tuple[Browser, dict[str, str]]:
        browser = await signed_in(gateway, OLD)
        assert (await browser.post("/users/me/email", json={"email": NEW})).status_code == 202
        return browser, {"token": await mailbox.link_to(NEW)}

    @pytest.mark.parametrize(("language", "words"), [("en", "sign in first"), ("de", "melden Sie sich zuerst an")])
    async def test_makes_no_scanner_that_opens_it_the_owner_of_anything(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox, language: str, words: str
    ) -> None:
        browser, link = await self._asked(mailing_gateway, mailbox)
        scanner = Browser(mailing_gateway, **{"Accept-Language": language})
        answer = await scanner.post("/auth/email/verify", json=link)
        assert (answer.status_code, answer.json()["code"]) == (403, "asking_browser_required")
        assert words in answer.json()["title"]
        assert (await browser.get("/users/me")).json()["email"] == OLD
        assert (await browser.post("/auth/email/verify", json=link)).status_code == 204, "nothing was used up"

    async def test_counts_where_nobody_asked_if_the_same_person_is_signed_in(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser, link = await self._asked(mailing_gateway, mailbox)
        stranger, other = await signed_in(mailing_gateway, "bob@example.org"), Browser(mailing_gateway)
        assert (await stranger.post("/auth/email/verify", json=link)).status_code == 403
        assert (await other.log_in(OLD)).status_code == 200
        assert (await other.post("/auth/email/verify", json=link)).status_code == 204
        assert (await browser.get("/users/me")).json()["email"] == NEW

    async def test_is_refused_where_the_same_person_has_signed_out(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        _, link = await self._asked(mailing_gateway, mailbox)
        other = Browser(mailing_gateway)
        await other.log_in(OLD)
        kept = dict(other.cookies)
        await other.post("/auth/logout")
        other.cookies.update(kept)
        assert (await other.post("/auth/email/verify", json=link)).json()["code"] == "asking_browser_required"

    async def test_counts_for_a_program_that_shows_its_token(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await account(mailing_gateway, OLD)
        program = Browser(mailing_gateway)
        form = {"grant_type": "password", "username": OLD, "password": PASSWORD}
        token = (await program.post("/auth/token", data=form)).json()["access_token"]
        program.headers["Authorization"] = f"Bearer {token}"
        asked = await program.post("/users/me/email", json={"email": NEW})
        assert (asked.status_code, "set-cookie" in asked.headers) == (202, False)
        link = {"token": await mailbox.link_to(NEW)}
        assert (await Browser(mailing_gateway).post("/auth/email/verify", json=link)).status_code == 403
        assert (await program.post("/auth/email/verify", json=link)).status_code == 204

    @pytest.mark.parametrize("ending", ["/auth/logout-all", "/auth/logout"])
    async def test_ends_with_the_session_that_asked(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox, ending: str
    ) -> None:
        browser, link = await self._asked(mailing_gateway, mailbox)
        assert (await browser.post(ending)).is_success
        answer = await browser.post("/auth/email/verify", json=link)
        assert (answer.status_code, answer.json()["code"]) == (422, "link_not_valid")

    async def test_of_a_thief_ends_when_the_owner_signs_out_everywhere(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief, link = await self._asked(mailing_gateway, mailbox)
        owner = Browser(mailing_gateway)
        await owner.log_in(OLD)
        assert (await owner.post("/auth/logout-all")).json()["revoked"] == 2
        assert (await thief.post("/auth/email/verify", json=link)).json()["code"] == "link_not_valid"
        assert await mailing_gateway.sql("SELECT email FROM users") == [{"email": OLD}]

    async def test_of_a_thief_ends_when_the_owner_ends_that_session(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief, link = await self._asked(mailing_gateway, mailbox)
        owner = Browser(mailing_gateway)
        await owner.log_in(OLD)
        assert (await owner.delete("/auth/sessions")).json() == {"revoked": 1}
        assert (await thief.post("/auth/email/verify", json=link)).json()["code"] == "link_not_valid"

    async def test_goes_on_with_the_session_that_a_step_up_puts_in_its_place(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser, link = await self._asked(mailing_gateway, mailbox)
        assert (await browser.post("/auth/refresh")).status_code == 200
        assert (await browser.post("/auth/step-up", json={"password": PASSWORD})).status_code == 200
        assert (await browser.post("/auth/email/verify", json=link)).status_code == 204


class TestTakeBackEmail:
    async def test_gives_the_account_its_old_address_and_ends_every_session(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser = await changed(mailing_gateway, mailbox)
        token = await mailbox.link_to(OLD)
        stranger = Browser(mailing_gateway)
        assert (await stranger.post("/auth/email/take-back", json={"token": token})).status_code == 204
        assert (await browser.get("/users/me")).status_code == 401
        assert (await stranger.log_in(NEW, PASSWORD)).status_code == 401

    async def test_leaves_no_password_and_sends_the_owner_a_link_to_choose_one(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief = await changed(mailing_gateway, mailbox)
        assert (await thief.post("/users/me/password", json={"password": OF_THE_THIEF})).status_code == 204
        owner = Browser(mailing_gateway)
        token = await mailbox.link_to(OLD)
        assert (await owner.post("/auth/email/take-back", json={"token": token})).status_code == 204
        assert [(await owner.log_in(OLD, each)).status_code for each in (OF_THE_THIEF, PASSWORD)] == [401, 401]
        await eventually(lambda: any("#/reset-password/" in mail for mail in mailbox.to(OLD)))
        sent = next(mail for mail in mailbox.to(OLD) if "#/reset-password/" in mail)
        chosen = {"token": sent.partition("#/reset-password/")[2].split()[0], "password": OF_THE_OWNER}
        assert (await owner.post("/auth/password-reset/confirm", json=chosen)).status_code == 204
        assert (await owner.log_in(OLD, OF_THE_OWNER)).status_code == 200

    async def test_forgets_every_browser_and_every_link_of_whoever_changed_it(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief = await changed(mailing_gateway, mailbox)
        assert (await thief.post("/auth/password-reset", json={"email": NEW})).status_code == 202
        token = await mailbox.link_to(OLD)
        open_links = "SELECT payload ->> 'mail' AS mail FROM tokens WHERE purpose <> 'refresh' AND revoked_at IS NULL"
        before = await mailing_gateway.sql(f"{open_links} AND used_at IS NULL")
        assert {row["mail"] for row in before} == {"email_take_back", "password_reset"}
        await Browser(mailing_gateway).post("/auth/email/take-back", json={"token": token})
        known = await mailing_gateway.sql("SELECT id FROM devices WHERE revoked_at IS NULL")
        sent_by_us = await mailing_gateway.sql(f"{open_links} AND used_at IS NULL")
        assert (len(known), [row["mail"] for row in sent_by_us]) == (0, ["password_reset"])

    async def test_removes_the_factors_that_a_thief_set_up_before_they_changed_it(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief = await signed_in(mailing_gateway, OLD)
        key = await set_up_passkey(thief)
        await set_up_app(thief)
        assert (await thief.post("/auth/backup-codes")).status_code == 201
        await thief.post("/users/me/email", json={"email": NEW})
        assert (await thief.post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})).status_code == 204
        owner = Browser(mailing_gateway)
        back = {"token": await _secret(mailbox, "take-back-email")}
        assert (await owner.post("/auth/email/take-back", json=back)).status_code == 204
        assert (await sign_in_by_passkey(Browser(mailing_gateway), key)).status_code == 401
        for table in ("passkeys", "totp_credentials", "backup_codes"):
            assert await mailing_gateway.sql(f"SELECT 1 FROM {table}") == []
        chosen = {"token": await _secret(mailbox, "reset-password"), "password": OF_THE_OWNER}
        assert (await owner.post("/auth/password-reset/confirm", json=chosen)).status_code == 204
        assert (await owner.log_in(OLD, OF_THE_OWNER)).status_code == 200, "the owner is asked for no factor"

    async def test_removes_an_app_begun_before_the_change_and_confirmed_after(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief = await signed_in(mailing_gateway, OLD)
        app = App((await thief.post("/auth/totp")).json()["secret"])
        await thief.post("/users/me/email", json={"email": NEW})
        assert (await thief.post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})).status_code == 204
        assert (await thief.post("/auth/totp/confirm", json={"code": app.code()})).status_code == 204
        back = {"token": await _secret(mailbox, "take-back-email")}
        assert (await Browser(mailing_gateway).post("/auth/email/take-back", json=back)).status_code == 204
        assert await mailing_gateway.sql("SELECT 1 FROM totp_credentials") == []

    async def test_ends_every_api_key_whenever_it_was_made(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief = await signed_in(mailing_gateway, OLD)
        made = {"name": "deploy", "scopes": ["members:read"]}
        keys = [(await thief.post("/users/me/api-keys", json=made)).json()["key"]]
        await thief.post("/users/me/email", json={"email": NEW})
        assert (await thief.post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})).status_code == 204
        keys.append((await thief.post("/users/me/api-keys", json=made)).json()["key"])
        programs = [Browser(mailing_gateway, Authorization=f"Bearer {key}") for key in keys]
        assert [(await each.get("/users/me")).status_code for each in programs] == [200, 200]
        back = {"token": await _secret(mailbox, "take-back-email")}
        assert (await Browser(mailing_gateway).post("/auth/email/take-back", json=back)).status_code == 204
        assert [(await each.get("/users/me")).status_code for each in programs] == [401, 401]

    @pytest.mark.parametrize(
        ("language", "words"), [("en", "Passkeys, the authenticator app"), ("de", "Passkeys, Authenticator-App")]
    )
    async def test_is_offered_with_what_it_removes(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox, language: str, words: str
    ) -> None:
        browser = await signed_in(mailing_gateway, OLD, language=language)
        await browser.post("/users/me/email", json={"email": NEW})
        await browser.post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})
        assert words in " ".join((await mailbox.next_to(OLD)).split())

    async def test_is_audited_with_the_sessions_it_ended(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await changed(mailing_gateway, mailbox)
        token = await mailbox.link_to(OLD)
        await Browser(mailing_gateway).post("/auth/email/take-back", json={"token": token})
        assert [event["details"] for event in await audited(mailing_gateway, "email_taken_back")] == [{"sessions": 1}]

    async def test_is_refused_after_three_days(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        await changed(mailing_gateway, mailbox)
        token = await mailbox.link_to(OLD)
        await mailing_gateway.sql("UPDATE tokens SET expires_at = now() WHERE purpose = 'email_take_back'")
        answer = await Browser(mailing_gateway).post("/auth/email/take-back", json={"token": token})
        assert answer.json()["code"] == "link_not_valid"

    async def test_keeps_the_old_address_from_being_registered_meanwhile(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        await changed(mailing_gateway, mailbox)
        await mailbox.link_to(OLD)
        await Browser(mailing_gateway).post("/auth/register", json={"email": OLD, "password": PASSWORD})
        assert "already have an account" in await mailbox.next_to(OLD, 2)

    async def test_leaves_no_way_back_to_whoever_changed_it(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief = await changed(mailing_gateway, mailbox)
        taken_back_by_owner = await mailbox.link_to(OLD)
        assert (await thief.post("/users/me/email", json={"email": "thief@example.com"})).status_code == 202
        further = {"token": await mailbox.link_to("thief@example.com")}
        assert (await thief.post("/auth/email/verify", json=further)).status_code == 204
        kept_by_thief = await mailbox.link_to(NEW, 2)
        owner = Browser(mailing_gateway)
        assert (await owner.post("/auth/email/take-back", json={"token": taken_back_by_owner})).status_code == 204
        answer = await thief.post("/auth/email/take-back", json={"token": kept_by_thief})
        assert (answer.status_code, answer.json()["code"]) == (422, "link_not_valid")
