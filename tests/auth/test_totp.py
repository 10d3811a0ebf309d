"""Authenticator apps and backup codes: set up, removed, and what they cost whoever tries."""

import asyncio

import pytest

from modules.audit.service import RefusalLog
from tests.auth.factors import App, half_signed_in, made, set_up_app, set_up_passkey, signed_in_with_app
from tests.auth.people import PASSWORD, Browser, Mailbox, account, audited, signed_in
from tests.support.authenticator import Authenticator
from tests.support.gateway import RunningGateway

OLD = "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"


class TestSettingUpAnApp:
    async def test_shows_the_seed_three_ways_and_to_no_cache(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        answer = await browser.post("/auth/totp")
        seed = answer.json()
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        assert seed["uri"].startswith(f"otpauth://totp/Mandate%20Gateway:ada%40example.org?secret={seed['secret']}")
        assert seed["qr_svg"].startswith("<svg ")

    async def test_counts_only_once_a_code_was_seen(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        app = App((await browser.post("/auth/totp")).json()["secret"])
        assert (await Browser(gateway).log_in("ada@example.org")).status_code == 200
        wrong = await browser.post("/auth/totp/confirm", json={"code": app.code(500)})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "totp_code_wrong")
        assert (await Browser(gateway).log_in("ada@example.org")).status_code == 200
        assert (await browser.post("/auth/totp/confirm", json={"code": app.code()})).status_code == 204
        assert (await Browser(gateway).log_in("ada@example.org")).status_code == 202

    async def test_keeps_the_seed_sealed(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        seed = (await browser.post("/auth/totp")).json()
        rows = str(await gateway.sql("SELECT * FROM totp_credentials")) + str(await gateway.sql("SELECT * FROM tokens"))
        assert seed["secret"] not in rows

    async def test_of_another_person_cannot_be_moved_here(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        bob = await account(gateway, "bob@example.org")
        await gateway.sql("UPDATE totp_credentials SET user_id = :bob", bob=bob)
        browser = await half_signed_in(gateway, "bob@example.org")
        answer = await browser.post("/auth/second-factor", json={"totp": app.code()})
        assert answer.status_code >= 400
        assert "auth_token" not in browser.cookies

    async def test_lets_the_session_count_as_opened_by_two(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        (session,) = (await browser.get("/auth/sessions")).json()["items"]
        assert session["amr"] == ["pwd", "otp", "mfa"]

    async def test_counts_no_longer_when_the_last_factor_is_gone(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        authenticator = await made(browser, Authenticator())
        key = await browser.post("/users/me/api-keys", json={"name": "a program", "scopes": ["introspect"]})
        assert key.status_code == 201, key.text
        marked = "SELECT 'mfa' = ANY(amr) AS mfa FROM sessions UNION ALL SELECT 'mfa' = ANY(amr) FROM api_keys"
        await browser.delete("/auth/totp")
        assert [row["mfa"] for row in await gateway.sql(marked)] == [True, True]
        await browser.delete(f"/auth/passkeys/{authenticator.json()['id']}")
        assert [row["mfa"] for row in await gateway.sql(marked)] == [False, False]

    async def test_is_refused_while_there_is_one(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        assert (await browser.post("/auth/totp")).json()["code"] == "totp_set_up_already"
        again = await browser.post("/auth/totp/confirm", json={"code": "123456"})
        assert again.json()["code"] == "totp_set_up_already"

    async def test_cannot_be_confirmed_before_it_began(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        assert (await browser.post("/auth/totp/confirm", json={"code": "123456"})).json()["code"] == "totp_not_begun"

    @pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "", "١٢٣٤٥٦", None, 123456])
    async def test_takes_six_digits_only(self, gateway: RunningGateway, code: object) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await browser.post("/auth/totp")
        assert (await browser.post("/auth/totp/confirm", json={"code": code})).status_code == 422

    async def test_is_told_and_written_down_as_its_end_is(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser, _ = await signed_in_with_app(mailing_gateway)
        assert "authenticator app was set up" in await mailbox.next_to("ada@example.org")
        assert (await browser.delete("/auth/totp")).status_code == 204
        assert "authenticator app was removed" in await mailbox.next_to("ada@example.org", 2)
        assert len(await audited(mailing_gateway, "totp_added")) == 1
        assert len(await audited(mailing_gateway, "totp_removed")) == 1
        assert (await browser.delete("/auth/totp")).json()["code"] == "totp_not_found"

    async def test_is_told_in_the_language_of_the_person(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser = await signed_in(mailing_gateway, "eva@example.org", language="de")
        await set_up_app(browser)
        assert "Die Anmeldung an Ihrem Konto verlangt" in await mailbox.next_to("eva@example.org")


class TestBackupCodes:
    async def test_are_ten_kept_as_hashes_and_counted(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        codes = (await browser.post("/auth/backup-codes")).json()["codes"]
        assert len(set(codes)) == 10
        stored = await gateway.sql("SELECT code_hash FROM backup_codes")
        assert all(row["code_hash"].startswith("$argon2id$") for row in stored)
        assert (await browser.get("/auth/factors")).json()["backup_codes_left"] == 10

    async def test_need_a_factor_they_stand_in_for(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        answer = await browser.post("/auth/backup-codes")
        assert (answer.status_code, answer.json()["code"]) == (409, "no_second_factor")

    async def test_work_once_however_they_are_typed(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        code = (await browser.post("/auth/backup-codes")).json()["codes"][3]
        typed = {"backup_code": f" {code.upper().replace('-', ' ')} "}
        first = await half_signed_in(gateway)
        assert (await first.post("/auth/second-factor", json=typed)).status_code == 200
        second = await half_signed_in(gateway)
        assert (await second.post("/auth/second-factor", json=typed)).status_code == 401
        assert (await browser.get("/auth/factors")).json()["backup_codes_left"] == 9

    async def test_at_once_in_two_browsers_let_one_in(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        code = (await browser.post("/auth/backup-codes")).json()["codes"][0]
        browsers = [await half_signed_in(gateway) for _ in range(3)]
        answers = await asyncio.gather(
            *(each.post("/auth/second-factor", json={"backup_code": code}) for each in browsers)
        )
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401]

    async def test_made_anew_end_the_earlier_ones(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        former = (await browser.post("/auth/backup-codes")).json()["codes"][0]
        await browser.post("/auth/backup-codes")
        other = await half_signed_in(gateway)
        assert (await other.post("/auth/second-factor", json={"backup_code": former})).status_code == 401

    async def test_go_with_the_last_factor_they_stand_in_for(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        await set_up_passkey(browser)
        await browser.post("/auth/backup-codes")
        await browser.delete("/auth/totp")
        assert (await browser.get("/auth/factors")).json()["backup_codes_left"] == 10
        (passkey,) = (await browser.get("/auth/passkeys")).json()["items"]
        assert (await browser.delete(f"/auth/passkeys/{passkey['id']}")).status_code == 204
        assert (await browser.get("/auth/factors")).json()["backup_codes_left"] == 0

    async def test_that_are_used_are_told_and_written_down(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        browser, _ = await signed_in_with_app(mailing_gateway)
        code = (await browser.post("/auth/backup-codes")).json()["codes"][0]
        other = await half_signed_in(mailing_gateway)
        await other.post("/auth/second-factor", json={"backup_code": code})
        texts = "\n".join([await mailbox.next_to("ada@example.org", 3), *mailbox.to("ada@example.org")])
        assert "A backup code was used" in texts
        assert "New backup codes" in texts
        (event,) = await audited(mailing_gateway, "backup_code_used")
        assert event["details"] == {"left": 9}
        assert code not in str(await mailing_gateway.sql("SELECT * FROM audit_events"))


class TestFactors:
    async def test_are_listed_without_their_secrets(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        nothing = {"password": True, "totp_since": None, "passkeys": 0, "backup_codes_left": 0}
        assert (await browser.get("/auth/factors")).json() == nothing
        await set_up_app(browser)
        await set_up_passkey(browser)
        found = (await browser.get("/auth/factors")).json()
        assert found["totp_since"] is not None
        assert found["passkeys"] == 1

    async def test_are_part_of_what_one_can_take_along(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await set_up_passkey(browser)
        exported = (await browser.get("/users/me/export")).json()["factors"]
        assert exported["passkeys"][0]["name"] == "Laptop"
        assert "public_key" not in exported["passkeys"][0]


class TestChangingThem:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/auth/totp", None),
            ("POST", "/auth/totp/confirm", {"code": "123456"}),
            ("DELETE", "/auth/totp", None),
            ("POST", "/auth/backup-codes", None),
            ("POST", "/auth/passkeys/options", None),
            ("DELETE", "/auth/passkeys/00000000-0000-0000-0000-000000000001", None),
        ],
    )
    async def test_needs_a_recent_sign_in(
        self, gateway: RunningGateway, method: str, path: str, body: dict[str, str] | None
    ) -> None:
        browser, _ = await signed_in_with_app(gateway)
        await browser.post("/auth/backup-codes")
        await gateway.sql(OLD)
        refused = await browser.request(method, path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
        assert refused.json()["factors"] == ["totp", "backup_code"]

    async def test_needs_the_second_factor_in_a_session_that_never_showed_it(self, gateway: RunningGateway) -> None:
        """Opened before there was one, perhaps by somebody who knew the password."""
        earlier = await signed_in(gateway, "ada@example.org")
        owner = Browser(gateway)
        await owner.log_in("ada@example.org")
        app = await set_up_app(owner)
        refused = await earlier.delete("/auth/totp")
        assert (refused.status_code, refused.json()["factors"]) == (403, ["totp"])
        await earlier.post("/auth/step-up", json={"password": PASSWORD})
        assert (await earlier.delete("/auth/totp")).status_code == 403
        await earlier.post("/auth/step-up", json={"totp": app.code()})
        assert (await earlier.delete("/auth/totp")).status_code == 204

    async def test_is_noted_when_it_fails(self, gateway: RunningGateway) -> None:
        await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        await browser.post("/auth/second-factor", json={"totp": "000000"})
        await gateway.services.get(RefusalLog).flush()
        (event,) = await audited(gateway, "second_factor_failed")
        assert (event["actor_id"], event["subject_type"]) == (None, "user")
