"""My profile, my sessions, my data, my leaving."""

import pytest

from modules.auth.service.clean_up import CleanUp
from tests.auth.people import Browser, account, audited, signed_in
from tests.support.gateway import RunningGateway


class TestProfile:
    async def test_is_changed_by_merge_patch(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", language="en")
        patch = {"display_name": " Ada Lovelace ", "language": None, "time_zone": "Europe/Berlin"}
        changed = (await browser.patch("/users/me", json=patch)).json()
        assert (changed["display_name"], changed["language"], changed["time_zone"], changed["version"]) == (
            "Ada Lovelace",
            None,
            "Europe/Berlin",
            2,
        )

    async def test_is_not_changed_over_a_newer_one(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        fresh = {"If-Match": '"1"'}
        assert (await browser.patch("/users/me", json={"display_name": "A"}, headers=fresh)).status_code == 200
        assert (await browser.patch("/users/me", json={"display_name": "B"}, headers=fresh)).status_code == 412

    @pytest.mark.parametrize(
        "patch",
        [
            {"email": "eve@example.org"},
            {"is_sysadmin": True},
            {"display_name": None},
            {"display_name": "x" * 121},
            {"display_name": "a\0b"},
            {"language": "fr"},
            {"time_zone": "Mars/Olympus"},
            {"avatar_url": "javascript:alert(1)"},
        ],
    )
    async def test_refuses_what_cannot_be(self, gateway: RunningGateway, patch: dict[str, object]) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        answer = await browser.patch("/users/me", json=patch)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(patch))}"

    async def test_needs_a_sign_in(self, gateway: RunningGateway) -> None:
        assert (await Browser(gateway).get("/users/me")).status_code == 401


class TestSessions:
    async def test_are_listed_with_this_one_marked(self, gateway: RunningGateway) -> None:
        first = await signed_in(gateway, "ada@example.org")
        second = Browser(gateway, **{"X-Device-Id": "the kitchen"})
        await second.log_in("ada@example.org")
        found = (await first.get("/auth/sessions")).json()["items"]
        assert [(each["current"], each["device_id"]) for each in found] == [(False, "the kitchen"), (True, None)]

    async def test_are_ended_one_by_one(self, gateway: RunningGateway) -> None:
        first = await signed_in(gateway, "ada@example.org")
        second = Browser(gateway)
        session_id = (await second.log_in("ada@example.org")).json()["session"]["id"]
        assert (await first.delete(f"/auth/sessions/{session_id}")).status_code == 204
        assert (await second.get("/users/me")).status_code == 401
        assert (await first.delete(f"/auth/sessions/{session_id}")).status_code == 404

    async def test_of_others_are_not_found(self, gateway: RunningGateway) -> None:
        ada, bob = await signed_in(gateway, "ada@example.org"), await signed_in(gateway, "bob@example.org")
        session_id = (await bob.get("/auth/sessions")).json()["items"][0]["id"]
        assert (await ada.delete(f"/auth/sessions/{session_id}")).status_code == 404
        assert (await bob.get("/users/me")).status_code == 200

    async def test_elsewhere_are_ended_at_once(self, gateway: RunningGateway) -> None:
        first = await signed_in(gateway, "ada@example.org")
        second = Browser(gateway)
        await second.log_in("ada@example.org")
        assert (await first.delete("/auth/sessions")).json() == {"revoked": 1}
        assert (await second.get("/users/me")).status_code == 401
        assert (await first.get("/users/me")).status_code == 200


class TestExport:
    async def test_has_the_profile_the_sessions_and_the_browsers(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        found = (await browser.get("/users/me/export")).json()
        assert found["user"]["email"] == "ada@example.org"
        assert (len(found["sessions"]), len(found["known_browsers"])) == (1, 1)


class TestLeave:
    async def test_ends_every_session_and_waits(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        left = await browser.delete("/users/me")
        assert left.json()["delete_after"] is not None
        assert "auth_token" not in browser.cookies
        await gateway.services.get(CleanUp).departed()
        assert (await gateway.sql("SELECT count(*) AS n FROM users"))[0]["n"] == 1

    async def test_is_undone_by_signing_in(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await browser.delete("/users/me")
        await browser.log_in("ada@example.org")
        assert (await browser.get("/users/me")).json()["delete_after"] is None
        assert len(await audited(gateway, "deletion_withdrawn")) == 1

    async def test_erases_the_person_after_the_grace(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        await browser.delete("/users/me")
        await gateway.sql("UPDATE users SET delete_after = now()")
        await gateway.services.get(CleanUp).departed()
        for table in ("users", "sessions", "tokens", "access_tokens", "devices", "password_credentials"):
            assert await gateway.sql(f"SELECT * FROM {table}") == []
        assert "ada@example.org" not in str(await gateway.sql("SELECT * FROM audit_subjects"))
        assert len(await audited(gateway, "login")) == 1

    async def test_is_not_for_the_last_sysadmin(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.org", sysadmin=True)
        answer = await browser.delete("/users/me")
        assert (answer.status_code, answer.json()["code"]) == (409, "last_sysadmin")
        await account(gateway, "bob@example.org", sysadmin=True)
        assert (await browser.delete("/users/me")).status_code == 200
