"""Signing in and out over HTTP, as a browser does it."""

from argon2 import PasswordHasher
import httpx
import pytest

from modules.audit.service import RefusalLog
from modules.shared.database import Database
from tests.auth.people import API, PASSWORD, Browser, account, audited, signed_in
from tests.support.gateway import BASE_URL, RunningGateway


class TestLogIn:
    async def test_answers_who_signed_in_and_the_session(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, "ada@example.org")
        answer = await browser.log_in("Ada@Example.org")
        assert answer.status_code == 200
        assert answer.json()["user"]["email"] == "ada@example.org"
        assert answer.json()["session"]["device_name"] == "Firefox 128 on Linux"
        assert answer.json()["session"]["ip"] == "127.0.0.0/24"

    async def test_puts_no_token_into_the_body(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, "ada@example.org")
        answer = await browser.log_in("ada@example.org")
        secrets = [browser.cookie(name) for name in ("auth_token", "refresh_token", "device")]
        assert all(secret not in answer.text for secret in secrets)

    async def test_protects_its_cookies(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, "ada@example.org")
        cookies = (await browser.log_in("ada@example.org")).headers.get_list("set-cookie")
        assert {cookie.partition("=")[0] for cookie in cookies} == {"auth_token", "refresh_token", "device"}
        for cookie in cookies:
            assert "HttpOnly" in cookie
            assert "SameSite=lax" in cookie
            assert "Path=/" in cookie

    async def test_opens_a_session_the_next_request_is_let_in_with(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        assert (await browser.get("/users/me")).json()["email"] == "ada@example.org"

    async def test_is_audited(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, "ada@example.org")
        assert len(await audited(gateway, "login")) == 1
        assert len(await audited(gateway, "new_device")) == 1

    async def test_keeps_only_hashes_of_its_secrets(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        for table in ("sessions", "tokens", "devices", "access_tokens", "audit_events"):
            rows = str(await gateway.sql(f"SELECT * FROM {table}"))
            for name in ("auth_token", "refresh_token", "device"):
                assert browser.cookie(name) not in rows

    async def test_answers_an_unknown_address_a_wrong_password_and_a_disabled_account_alike(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        await account(gateway, "ada@example.org")
        await account(gateway, "off@example.org", state="disabled")
        answers = [
            await browser.log_in("nobody@example.org"),
            await browser.log_in("ada@example.org", "wrong password 123"),
            await browser.log_in("off@example.org"),
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({str({**answer.json(), "request_id": ""}) for answer in answers}) == 1
        assert not browser.cookies

    async def test_audits_a_failure(self, gateway: RunningGateway, browser: Browser) -> None:
        user_id = await account(gateway, "ada@example.org")
        await browser.log_in("ada@example.org", "wrong password 123")
        await gateway.services.get(RefusalLog).flush()
        (event,) = await audited(gateway, "login_failed")
        assert (event["actor_id"], event["subject_type"], event["subject_id"]) == (None, "user", str(user_id))

    async def test_audits_a_failure_to_prove_it_again_as_the_callers(
        self, gateway: RunningGateway, browser: Browser
    ) -> None:
        user_id = await account(gateway, "ada@example.org")
        await browser.log_in("ada@example.org")
        await browser.post("/auth/step-up", json={"password": "wrong password 123"})
        await gateway.services.get(RefusalLog).flush()
        (event,) = await audited(gateway, "login_failed")
        assert (event["actor_id"], event["subject_id"]) == (user_id, str(user_id))

    async def test_renews_a_hash_made_with_other_parameters(self, gateway: RunningGateway, browser: Browser) -> None:
        await account(gateway, "ada@example.org")
        weaker = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1).hash(PASSWORD)
        await gateway.sql("UPDATE password_credentials SET password_hash = :hash", hash=weaker)
        assert (await browser.log_in("ada@example.org")).status_code == 200
        stored = (await gateway.sql("SELECT password_hash FROM password_credentials"))[0]["password_hash"]
        assert "m=64," in stored

    async def test_ends_the_oldest_session_beyond_the_cap(self, gateway: RunningGateway) -> None:
        gateway_settings = gateway.gateway.settings.auth
        await account(gateway, "ada@example.org")
        first = Browser(gateway)
        await first.log_in("ada@example.org")
        await gateway.sql(
            "INSERT INTO sessions (id, user_id, authority, amr, authenticated_at, created_at, last_seen_at,"
            " idle_expires_at, expires_at, rotated_at)"
            " SELECT gen_random_uuid(), user_id, authority, amr, now(), now(), now(), expires_at, expires_at, now()"
            " FROM sessions, generate_series(1, :more)",
            more=gateway_settings.sessions_per_user - 1,
        )
        await Browser(gateway).log_in("ada@example.org")
        assert (await first.get("/users/me")).status_code == 401
        standing = await gateway.sql("SELECT count(*) AS n FROM sessions WHERE revoked_at IS NULL")
        assert standing[0]["n"] == gateway_settings.sessions_per_user

    async def test_needs_a_request_from_our_own_pages_once_there_are_cookies(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        answer = await browser.post(
            "/auth/login", json={"email": "a@b.org", "password": "x"}, headers={"Origin": "https://evil.example"}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


class TestTwoCredentials:
    async def test_of_different_people_are_refused(self, gateway: RunningGateway) -> None:
        ada, bob = await signed_in(gateway, "ada@example.org"), await signed_in(gateway, "bob@example.org")
        answer = await ada.get("/users/me", headers={"Authorization": f"Bearer {bob.cookie('auth_token')}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "credential_conflict")

    async def test_let_the_bearer_in_when_the_cookie_is_garbage(self, gateway: RunningGateway) -> None:
        ada = await signed_in(gateway, "ada@example.org")
        headers = {"Authorization": f"Bearer {ada.cookie('auth_token')}", "Cookie": "auth_token=garbage"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway.app), base_url=BASE_URL) as client:
            assert (await client.get(f"{API}/users/me", headers=headers)).status_code == 200

    async def test_do_not_let_the_bearer_in_when_the_cookie_is_revoked(self, gateway: RunningGateway) -> None:
        ada = await signed_in(gateway, "ada@example.org")
        other = Browser(gateway)
        await other.log_in("ada@example.org")
        bearer = other.cookie("auth_token")
        session = next(each for each in (await other.get("/auth/sessions")).json()["items"] if not each["current"])
        assert (await other.delete(f"/auth/sessions/{session['id']}")).status_code == 204
        assert (await ada.get("/users/me", headers={"Authorization": f"Bearer {bearer}"})).status_code == 401


class TestLogOut:
    async def test_ends_the_session_for_the_very_next_request(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        access = browser.cookie("auth_token")
        assert (await browser.post("/auth/logout")).status_code == 204
        assert not {"auth_token", "refresh_token"} & set(browser.cookies)
        answer = await Browser(gateway).get("/users/me", headers={"Authorization": f"Bearer {access}"})
        assert answer.status_code == 401

    async def test_works_on_the_refresh_cookie_alone(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        access = browser.cookie("auth_token")
        browser.cookies.delete("auth_token")
        assert (await browser.post("/auth/logout")).status_code == 204
        answer = await Browser(gateway).get("/users/me", headers={"Authorization": f"Bearer {access}"})
        assert answer.status_code == 401

    async def test_works_on_a_refresh_token_of_long_ago(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        old = browser.cookie("refresh_token")
        for _ in range(3):
            await browser.post("/auth/refresh")
        late = Browser(gateway)
        late.cookies.set("refresh_token", old, domain="127.0.0.1")
        assert (await late.post("/auth/logout")).status_code == 204
        assert (await browser.get("/users/me")).status_code == 401

    async def test_is_fine_twice_and_without_any_session(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        kept = dict(browser.cookies)
        await browser.post("/auth/logout")
        again = Browser(gateway)
        for name, value in kept.items():
            again.cookies.set(name, value, domain="127.0.0.1")
        assert (await again.post("/auth/logout")).status_code == 204
        assert (await Browser(gateway).post("/auth/logout")).status_code == 204

    async def test_says_503_when_it_could_not_be_written_and_clears_the_cookies_even_then(
        self, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser = await signed_in(gateway, "ada@example.org")

        def away(*_args: object, **_kind: object) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(Database, "open", away)
        answer = await browser.post("/auth/logout")
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        cleared = [cookie for cookie in answer.headers.get_list("set-cookie") if "Max-Age=0" in cookie]
        assert len(cleared) == 3


class TestLogOutEverywhere:
    async def test_ends_every_session_and_says_how_many(self, gateway: RunningGateway) -> None:
        first = await signed_in(gateway, "ada@example.org")
        second = Browser(gateway)
        await second.log_in("ada@example.org")
        assert (await second.post("/auth/logout-all")).json() == {"revoked": 2}
        for browser in (first, second):
            assert (await browser.get("/users/me")).status_code == 401
            assert (await browser.post("/auth/refresh")).status_code == 401

    async def test_leaves_other_people_signed_in(self, gateway: RunningGateway) -> None:
        ada, bob = await signed_in(gateway, "ada@example.org"), await signed_in(gateway, "bob@example.org")
        await ada.post("/auth/logout-all")
        assert (await bob.get("/users/me")).status_code == 200


class TestStepUp:
    async def test_replaces_the_session_by_a_freshly_proven_one(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        before = (await browser.get("/auth/sessions")).json()["items"]
        answer = await browser.post("/auth/step-up", json={"password": PASSWORD})
        assert answer.status_code == 200
        assert answer.json()["tokens"] is None
        after = (await browser.get("/auth/sessions")).json()["items"]
        assert [each["id"] for each in after] != [each["id"] for each in before]
        assert len(after) == 1

    async def test_gives_the_tokens_in_the_body_to_a_client_without_cookies(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        access = browser.cookie("auth_token")
        script = Browser(gateway, Authorization=f"Bearer {access}")
        answer = await script.post("/auth/step-up", json={"password": PASSWORD})
        assert answer.json()["tokens"]["access_token"]
        assert "auth_token" not in script.cookies

    async def test_is_refused_with_a_wrong_password(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        answer = await browser.post("/auth/step-up", json={"password": "wrong password 123"})
        assert (answer.status_code, answer.json()["code"]) == (401, "login_failed")

    async def test_is_asked_for_when_the_sign_in_is_old(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        change = {"password": "another long passphrase"}
        refused = await browser.post("/users/me/password", json=change)
        assert (refused.status_code, refused.json()["code"]) == (403, "step_up_required")
        assert refused.json()["factors"] == ["password"]
        await browser.post("/auth/step-up", json={"password": PASSWORD})
        assert (await browser.post("/users/me/password", json=change)).status_code == 204
