"""Another mail address: proven first, told to the old one, which can take it back."""

from tests.auth.people import PASSWORD, Browser, Mailbox, account, audited, signed_in
from tests.support.gateway import RunningGateway
from tests.support.waiting import eventually

OLD, NEW = "ada@example.org", "ada@example.net"
OF_THE_THIEF, OF_THE_OWNER = "seven purple teapots sing", "eleven quiet lanterns glow"


async def changed(gateway: RunningGateway, mailbox: Mailbox) -> Browser:
    """Ada, whose address is the new one now."""
    browser = await signed_in(gateway, OLD)
    assert (await browser.post("/users/me/email", json={"email": NEW})).status_code == 202
    proven = await Browser(gateway).post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})
    assert proven.status_code == 204
    return browser


class TestChangeEmail:
    async def test_counts_only_when_proven(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await signed_in(mailing_gateway, OLD)
        await browser.post("/users/me/email", json={"email": NEW})
        assert (await browser.get("/users/me")).json()["email"] == OLD
        await Browser(mailing_gateway).post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})
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
        answer = await Browser(mailing_gateway).post("/auth/email/verify", json={"token": await mailbox.link_to(NEW)})
        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")


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
        assert (await Browser(mailing_gateway).post("/auth/email/verify", json=further)).status_code == 204
        kept_by_thief = await mailbox.link_to(NEW, 2)
        owner = Browser(mailing_gateway)
        assert (await owner.post("/auth/email/take-back", json={"token": taken_back_by_owner})).status_code == 204
        answer = await thief.post("/auth/email/take-back", json={"token": kept_by_thief})
        assert (answer.status_code, answer.json()["code"]) == (422, "link_not_valid")
