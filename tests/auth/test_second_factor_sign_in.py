"""The second half of a sign-in."""

import asyncio

import httpx
import pytest

from modules.auth.account_errors import UserNotFound
from modules.auth.service.factor_administration import FactorAdministration
from tests.auth.factors import half_signed_in, set_up_app, set_up_passkey, signed_in_with_app
from tests.auth.people import PASSWORD, Browser, Mailbox, audited, signed_in
from tests.support.gateway import RunningGateway

ADA = "ada@example.org"
GRANT = {"grant_type": "password", "username": ADA, "password": PASSWORD}


async def passkey_options(browser: Browser, path: str = "/auth/second-factor/passkey-options") -> httpx.Response:
    return await browser.post(path)


class TestASignInWithOneProof:
    async def test_is_held_until_a_second_one_is_shown(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        assert {"auth_token", "refresh_token"}.isdisjoint(browser.cookies)
        assert (await browser.get("/users/me")).status_code == 401
        answer = await browser.post("/auth/second-factor", json={"totp": app.code()})
        assert (answer.status_code, answer.json()["session"]["amr"]) == (200, ["pwd", "otp", "mfa"])
        assert (await browser.get("/users/me")).json()["email"] == ADA
        assert "pending" not in browser.cookies

    async def test_says_which_factors_complete_it(self, gateway: RunningGateway) -> None:
        owner, _ = await signed_in_with_app(gateway)
        await set_up_passkey(owner)
        await owner.post("/auth/backup-codes")
        answer = await Browser(gateway).log_in(ADA)
        assert answer.json()["factors"] == ["totp", "passkey", "backup_code"]

    async def test_is_completed_by_a_passkey(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        browser = await half_signed_in(gateway)
        options = (await passkey_options(browser)).json()["public_key"]
        assert len(options["allowCredentials"]) == 1
        answer = await browser.post("/auth/second-factor", json={"passkey": authenticator.use(options)})
        assert (answer.status_code, answer.json()["session"]["amr"]) == (200, ["pwd", "hwk", "user", "mfa"])

    async def test_is_not_completed_by_the_passkey_of_somebody_else(self, gateway: RunningGateway) -> None:
        await set_up_passkey(await signed_in(gateway, ADA))
        stranger = await set_up_passkey(await signed_in(gateway, "bob@example.org"))
        browser = await half_signed_in(gateway)
        options = (await passkey_options(browser)).json()["public_key"]
        answer = await browser.post("/auth/second-factor", json={"passkey": stranger.use(options)})
        assert (answer.status_code, answer.json()["code"]) == (401, "passkey_refused")

    async def test_takes_no_challenge_of_another_ceremony(self, gateway: RunningGateway) -> None:
        authenticator = await set_up_passkey(await signed_in(gateway, ADA))
        browser = await half_signed_in(gateway)
        options = (await passkey_options(browser, "/auth/passkeys/sign-in/options")).json()["public_key"]
        answer = await browser.post("/auth/second-factor", json={"passkey": authenticator.use(options)})
        assert answer.status_code == 401

    async def test_ends_after_five_tries(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        tries = [await browser.post("/auth/second-factor", json={"totp": "000000"}) for _ in range(5)]
        assert [answer.json()["code"] for answer in tries] == ["second_factor_failed"] * 5
        assert [answer.json()["tries_left"] for answer in tries] == [4, 3, 2, 1, 0]
        late = await browser.post("/auth/second-factor", json={"totp": app.code()})
        assert (late.status_code, late.json()["code"]) == (401, "pending_sign_in_ended")

    async def test_of_five_tries_at_once_counts_each(self, gateway: RunningGateway) -> None:
        await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        answers = await asyncio.gather(
            *(browser.post("/auth/second-factor", json={"totp": "000000"}) for _ in range(8))
        )
        codes = sorted(answer.json()["code"] for answer in answers)
        assert codes == ["pending_sign_in_ended"] * 3 + ["second_factor_failed"] * 5

    async def test_wears_out_however_often_it_begins_anew(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        statuses = []
        for _ in range(3):
            await gateway.sql("DELETE FROM tokens WHERE purpose = 'pending_sign_in'")
            browser = await half_signed_in(gateway)
            statuses += [
                (await browser.post("/auth/second-factor", json={"totp": "000000"})).status_code for _ in range(4)
            ]
        assert statuses == [401] * 10 + [429] * 2
        assert (await browser.post("/auth/second-factor", json={"totp": app.code()})).status_code == 429

    async def test_of_a_stranger_who_knows_the_password_wears_out_for_them_alone(self, gateway: RunningGateway) -> None:
        owner, app = await signed_in_with_app(gateway)
        for _ in range(3):
            await gateway.sql("DELETE FROM tokens WHERE purpose = 'pending_sign_in'")
            stranger = await half_signed_in(gateway)
            for _ in range(4):
                refused = await stranger.post("/auth/second-factor", json={"totp": "000000"})
        assert refused.status_code == 429
        assert (await owner.post("/auth/step-up", json={"totp": app.code()})).status_code == 200
        await owner.post("/auth/logout")
        assert (await owner.log_in(ADA)).status_code == 202
        assert (await owner.post("/auth/second-factor", json={"totp": app.code(1)})).status_code == 200

    async def test_ends_with_its_time(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        await gateway.sql("UPDATE tokens SET expires_at = now() WHERE purpose = 'pending_sign_in'")
        answer = await browser.post("/auth/second-factor", json={"totp": app.code()})
        assert answer.json()["code"] == "pending_sign_in_ended"

    async def test_belongs_to_its_browser(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        await half_signed_in(gateway)
        answer = await Browser(gateway).post("/auth/second-factor", json={"totp": app.code()})
        assert answer.json()["code"] == "pending_sign_in_ended"
        assert (await passkey_options(Browser(gateway))).json()["code"] == "pending_sign_in_ended"

    async def test_of_an_account_disabled_meanwhile_ends(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        await gateway.sql("UPDATE users SET state = 'disabled'")
        answer = await browser.post("/auth/second-factor", json={"totp": app.code()})
        assert (answer.status_code, answer.json()["code"]) == (401, "pending_sign_in_ended")

    @pytest.mark.parametrize("body", [{}, {"totp": "000000", "backup_code": "x"}, {"password": PASSWORD}])
    async def test_takes_exactly_one_factor(self, gateway: RunningGateway, body: dict[str, str]) -> None:
        await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        assert (await browser.post("/auth/second-factor", json=body)).status_code == 422

    async def test_needs_a_page_of_ours(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        answer = await browser.post(
            "/auth/second-factor", json={"totp": app.code()}, headers={"Origin": "https://evil.example"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


class TestACodeOfTheApp:
    async def test_works_once(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        first, second = await half_signed_in(gateway), await half_signed_in(gateway)
        code = {"totp": app.code()}
        assert (await first.post("/auth/second-factor", json=code)).status_code == 200
        assert (await second.post("/auth/second-factor", json=code)).json()["code"] == "second_factor_failed"

    async def test_at_once_in_three_browsers_lets_one_in(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        browsers = [await half_signed_in(gateway) for _ in range(3)]
        code = {"totp": app.code()}
        answers = await asyncio.gather(*(each.post("/auth/second-factor", json=code) for each in browsers))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401]

    async def test_ends_the_codes_before_it(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        first, second = await half_signed_in(gateway), await half_signed_in(gateway)
        assert (await first.post("/auth/second-factor", json={"totp": app.code(1)})).status_code == 200
        assert (await second.post("/auth/second-factor", json={"totp": app.code()})).status_code == 401

    @pytest.mark.parametrize("steps", [-3, 3])
    async def test_of_another_minute_is_none(self, gateway: RunningGateway, steps: int) -> None:
        _, app = await signed_in_with_app(gateway)
        browser = await half_signed_in(gateway)
        assert (await browser.post("/auth/second-factor", json={"totp": app.code(steps)})).status_code == 401


class TestPasswordGrant:
    async def test_needs_the_code_of_the_app_too(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        script = Browser(gateway)
        refused = await script.post("/auth/token", data=GRANT)
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
        assert refused.json()["factors"] == ["totp"]
        answer = await script.post("/auth/token", data={**GRANT, "otp": app.code()})
        assert answer.status_code == 200
        mine = await Browser(gateway, Authorization=f"Bearer {answer.json()['access_token']}").get("/auth/sessions")
        current = next(each for each in mine.json()["items"] if each["current"])
        assert current["amr"] == ["pwd", "otp", "mfa"]

    async def test_takes_a_code_once(self, gateway: RunningGateway) -> None:
        _, app = await signed_in_with_app(gateway)
        grant = {**GRANT, "otp": app.code()}
        answers = await asyncio.gather(*(Browser(gateway).post("/auth/token", data=grant) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [200, 400, 400]

    async def test_refuses_a_wrong_code_as_it_does_a_wrong_password(self, gateway: RunningGateway) -> None:
        await signed_in_with_app(gateway)
        for otp in ("000000", "x", "١٢٣٤٥٦"):
            answer = await Browser(gateway).post("/auth/token", data={**GRANT, "otp": otp})
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert await gateway.sql("SELECT 1 FROM tokens WHERE purpose = 'pending_sign_in'") == []

    async def test_wants_none_of_whoever_has_no_app(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, ADA)
        answer = await Browser(gateway).post("/auth/token", data={**GRANT, "otp": "123456"})
        assert answer.status_code == 200


class TestAPasswordReset:
    async def test_skips_no_second_factor(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        _, app = await signed_in_with_app(mailing_gateway)
        await mailbox.next_to(ADA)
        browser = Browser(mailing_gateway)
        await browser.post("/auth/password-reset", json={"email": ADA})
        token = await mailbox.link_to(ADA, 2)
        chosen = {"token": token, "password": "seven purple teapots sing"}
        assert (await browser.post("/auth/password-reset/confirm", json=chosen)).status_code == 204
        assert (await browser.log_in(ADA, chosen["password"])).status_code == 202
        assert (await browser.post("/auth/second-factor", json={"totp": app.code()})).status_code == 200


class TestTakingAnAddressBack:
    async def test_removes_what_whoever_changed_it_had_set_up(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        thief = await signed_in(mailing_gateway, ADA)
        await thief.post("/users/me/email", json={"email": "thief@example.org"})
        await thief.post("/auth/email/verify", json={"token": await mailbox.link_to("thief@example.org")})
        await set_up_app(thief)
        await set_up_passkey(thief)
        owner = Browser(mailing_gateway)
        taken = await owner.post("/auth/email/take-back", json={"token": await mailbox.link_to(ADA)})
        assert taken.status_code == 204, taken.text
        assert await mailing_gateway.sql("SELECT 1 FROM passkeys") == []
        assert await mailing_gateway.sql("SELECT 1 FROM totp_credentials") == []


class TestRemovingLostFactors:
    async def _administrator(self, gateway: RunningGateway) -> Browser:
        browser = await signed_in(gateway, "root@example.org")
        me = (await browser.get("/users/me")).json()["id"]
        root = await gateway.root()
        rows = await gateway.sql(
            "INSERT INTO memberships (id, mandate_id, user_id) VALUES (gen_random_uuid(), :root, :me) RETURNING id",
            root=root,
            me=me,
        )
        await gateway.give(rows[0]["id"], root, await gateway.role("sysadmin"))
        return browser

    async def test_lets_the_person_in_by_password_and_tells_them(
        self, mailing_gateway: RunningGateway, mailbox: Mailbox
    ) -> None:
        owner, _ = await signed_in_with_app(mailing_gateway)
        await set_up_passkey(owner)
        await owner.post("/auth/backup-codes")
        waiting = await half_signed_in(mailing_gateway)
        ada = (await owner.get("/users/me")).json()["id"]
        administrator = await self._administrator(mailing_gateway)
        assert (await administrator.delete(f"/admin/users/{ada}/factors")).status_code == 204
        assert (await Browser(mailing_gateway).log_in(ADA)).status_code == 200
        assert (await passkey_options(waiting)).json()["code"] == "pending_sign_in_ended"
        nothing = {"password": True, "totp_since": None, "passkeys": 0, "backup_codes_left": 0}
        assert (await owner.get("/auth/factors")).json() == nothing
        await mailbox.next_to(ADA, 4)
        assert any("Your second factors" in text for text in mailbox.to(ADA))
        (event,) = await audited(mailing_gateway, "factors_removed")
        assert event["subject_id"] == ada

    async def test_needs_the_role_and_a_recent_sign_in(self, gateway: RunningGateway) -> None:
        owner, _ = await signed_in_with_app(gateway)
        ada = (await owner.get("/users/me")).json()["id"]
        stranger = await signed_in(gateway, "bob@example.org")
        assert (await stranger.delete(f"/admin/users/{ada}/factors")).status_code == 403
        administrator = await self._administrator(gateway)
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        answer = await administrator.delete(f"/admin/users/{ada}/factors")
        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")
        assert (await Browser(gateway).log_in(ADA)).status_code == 202

    async def test_does_not_reach_holders_of_the_flag(self, gateway: RunningGateway) -> None:
        owner, _ = await signed_in_with_app(gateway)
        ada = (await owner.get("/users/me")).json()["id"]
        await gateway.sql("UPDATE users SET is_sysadmin = true WHERE id = :ada", ada=ada)
        answer = await (await self._administrator(gateway)).delete(f"/admin/users/{ada}/factors")
        assert (answer.status_code, answer.json()["code"]) == (403, "sysadmin_protected")

    async def test_is_open_to_the_operator_when_nobody_else_can(self, gateway: RunningGateway) -> None:
        owner, _ = await signed_in_with_app(gateway)
        ada = (await owner.get("/users/me")).json()["id"]
        await gateway.sql("UPDATE users SET is_sysadmin = true WHERE id = :ada", ada=ada)
        await gateway.services.get(FactorAdministration).remove_as_operator(ADA)
        assert (await Browser(gateway).log_in(ADA)).status_code == 200
        (event,) = await audited(gateway, "factors_removed")
        assert event["subject_id"] == ada
        with pytest.raises(UserNotFound):
            await gateway.services.get(FactorAdministration).remove_as_operator("nobody@example.org")
