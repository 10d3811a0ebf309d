"""Proving once more that one is there, by whatever one has."""

from tests.auth.factors import set_up_app, set_up_passkey, signed_in_with_app
from tests.auth.people import PASSWORD, Browser, signed_in
from tests.support.gateway import RunningGateway

ADA = "ada@example.org"
OLD = "UPDATE sessions SET authenticated_at = now() - interval '11 minutes'"
CHANGE = {"password": "another long passphrase"}


async def amr(browser: Browser) -> list[str]:
    """What was shown in the session of this browser."""
    (current,) = [each for each in (await browser.get("/auth/sessions")).json()["items"] if each["current"]]
    shown: list[str] = current["amr"]
    return shown


class TestStepUp:
    async def test_takes_the_code_of_the_app(self, gateway: RunningGateway) -> None:
        browser, app = await signed_in_with_app(gateway)
        await gateway.sql(OLD)
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 403
        before = (await browser.get("/auth/sessions")).json()["items"][0]["id"]
        answer = await browser.post("/auth/step-up", json={"totp": app.code()})
        assert (answer.status_code, answer.json()["session"]["id"] == before) == (200, False)
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 204

    async def test_takes_a_code_of_the_app_once(self, gateway: RunningGateway) -> None:
        browser, app = await signed_in_with_app(gateway)
        code = {"totp": app.code()}
        assert (await browser.post("/auth/step-up", json=code)).status_code == 200
        again = await browser.post("/auth/step-up", json=code)
        assert (again.status_code, again.json()["code"]) == (401, "second_factor_failed")

    async def test_takes_a_backup_code(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        code = (await browser.post("/auth/backup-codes")).json()["codes"][0]
        assert (await browser.post("/auth/step-up", json={"backup_code": code})).status_code == 200

    async def test_takes_a_passkey_of_the_caller_only(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        mine = await set_up_passkey(browser)
        stranger = await set_up_passkey(await signed_in(gateway, "bob@example.org"))
        for authenticator, status in ((stranger, 401), (mine, 200)):
            options = (await browser.post("/auth/step-up/passkey-options")).json()["public_key"]
            answer = await browser.post("/auth/step-up", json={"passkey": authenticator.use(options)})
            assert answer.status_code == status

    async def test_takes_no_passkey_for_a_session_that_was_replaced(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        authenticator, app = await set_up_passkey(browser), await set_up_app(browser)
        options = (await browser.post("/auth/step-up/passkey-options")).json()["public_key"]
        assert (await browser.post("/auth/step-up", json={"totp": app.code()})).status_code == 200
        answer = await browser.post("/auth/step-up", json={"passkey": authenticator.use(options)})
        assert (answer.status_code, answer.json()["code"]) == (401, "passkey_refused")

    async def test_makes_two_factors_of_a_password_and_a_code(self, gateway: RunningGateway) -> None:
        earlier = await signed_in(gateway, ADA)
        later = Browser(gateway)
        await later.log_in(ADA)
        app = await set_up_app(later)
        assert await amr(earlier) == ["pwd"]
        await earlier.post("/auth/step-up", json={"totp": app.code()})
        assert await amr(earlier) == ["otp", "mfa", "pwd"]

    async def test_makes_no_two_factors_of_one_password_twice(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        await browser.post("/auth/step-up", json={"password": PASSWORD})
        assert await amr(browser) == ["pwd"]

    async def test_ends_the_tokens_of_the_session_before(self, gateway: RunningGateway) -> None:
        browser, app = await signed_in_with_app(gateway)
        former = browser.cookie("auth_token")
        await browser.post("/auth/step-up", json={"totp": app.code()})
        thief = Browser(gateway, Authorization=f"Bearer {former}")
        assert (await thief.get("/users/me")).status_code == 401

    async def test_wears_out(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        statuses = [(await browser.post("/auth/step-up", json={"totp": "000000"})).status_code for _ in range(11)]
        assert statuses[0] == 401
        assert statuses[-1] == 429

    async def test_is_refused_to_a_refresh(self, gateway: RunningGateway) -> None:
        browser, _ = await signed_in_with_app(gateway)
        await gateway.sql(OLD)
        await browser.post("/auth/refresh")
        assert (await browser.post("/users/me/password", json=CHANGE)).json()["code"] == "step_up_required"


class TestWhatIsAskedFor:
    async def test_is_what_the_person_has(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        await set_up_app(browser)
        await set_up_passkey(browser)
        await browser.post("/auth/backup-codes")
        await gateway.sql(OLD)
        refused = await browser.post("/users/me/password", json=CHANGE)
        assert refused.json()["factors"] == ["totp", "passkey", "backup_code"]

    async def test_is_a_fresh_sign_in_of_whoever_has_nothing_here(self, gateway: RunningGateway) -> None:
        """They come by a link or through a provider, and do so again."""
        browser = await signed_in(gateway, ADA)
        await gateway.sql("DELETE FROM password_credentials")
        await gateway.sql(OLD)
        refused = await browser.post("/users/me/password", json=CHANGE)
        assert refused.json()["factors"] == ["sign_in"]
        await gateway.sql("UPDATE sessions SET authenticated_at = now()")
        assert (await browser.post("/users/me/password", json=CHANGE)).status_code == 204


class TestAMandateThatWantsTwoFactors:
    async def test_opens_after_a_step_up_with_the_second(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, ADA)
        mandate = await gateway.mandate("careful")
        ada = (await browser.get("/users/me")).json()["id"]
        await gateway.sql(
            "INSERT INTO memberships (id, mandate_id, user_id) VALUES (gen_random_uuid(), :mandate, :ada)",
            mandate=mandate,
            ada=ada,
        )
        await gateway.sql(
            "UPDATE mandates SET login_policy = '{\"second_factor\": true}' WHERE id = :mandate", mandate=mandate
        )
        here = {"X-Mandate-Id": str(mandate)}
        earlier = Browser(gateway)
        await earlier.log_in(ADA)
        app = await set_up_app(browser)
        refused = await earlier.get("/context", headers=here)
        assert (refused.status_code, refused.json()["code"]) == (403, "login_method_not_allowed")
        await earlier.post("/auth/step-up", json={"password": PASSWORD})
        assert (await earlier.get("/context", headers=here)).status_code == 403
        await earlier.post("/auth/step-up", json={"totp": app.code()})
        assert (await earlier.get("/context", headers=here)).status_code == 200
        assert (await browser.get("/context", headers=here)).status_code == 200
