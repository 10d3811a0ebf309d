"""Single-user mode: whoever connects on this machine is the local user, nobody else gets anywhere, and it ends once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.settings import Settings
from modules.auth.mode_errors import SingleUserModeEnded, SingleUserModeImpossible, StillSingleUser
from modules.auth.service.local_user import LocalUserService
from modules.shared.settings import SettingsError
from tests.auth.people import FAST_HASHES
from tests.support.gateway import BASE_URL, RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls

PASSWORD = "four rivers meet here"
PROGRAM = {"X-Requested-With": "test"}
SINGLE: dict[str, Any] = {"auth__mode": "single", **FAST_HASHES}


@asynccontextmanager
async def single(urls: DatabaseUrls, directory: Path, **overrides: str) -> AsyncIterator[RunningGateway]:
    """The gateway in single-user mode."""
    async with running_gateway(urls, directory, **{**SINGLE, **overrides}) as running:
        yield running


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with single(database_urls, tmp_path) as running:
        yield running


def client_of(
    gateway: RunningGateway, headers: dict[str, str] | None = None, *, peer: str = "127.0.0.1"
) -> httpx.AsyncClient:
    """Somebody who connects from `peer` and shows nothing."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(gateway.app, raise_app_exceptions=False, client=(peer, 50000)),
        base_url=BASE_URL,
        headers=headers,
    )


def program(gateway: RunningGateway) -> httpx.AsyncClient:
    """A program on this machine."""
    return client_of(gateway, PROGRAM)


async def home_of(client: httpx.AsyncClient) -> str:
    """The mandate of the local user that is not the installation's own."""
    items = (await client.get("/api/v1/mandates")).json()["items"]
    (home,) = [each["id"] for each in items if each["name"] == "Home"]
    return str(home)


class TestTheLocalUser:
    async def test_is_whoever_connects(self, gateway: RunningGateway) -> None:
        async with program(gateway) as client:
            me = (await client.get("/api/v1/users/me")).json()
        assert (me["display_name"], me["is_sysadmin"], me["state"]) == ("Local user", True, "verified")

    async def test_administers_a_mandate_of_their_own_and_the_installation(self, gateway: RunningGateway) -> None:
        async with program(gateway) as client:
            client.headers["X-Mandate-Id"] = await home_of(client)
            assert (await client.post("/api/v1/groups", json={"name": "Friends"})).status_code == 201
            assert (await client.get("/api/v1/admin/users")).status_code == 200
            assert (await client.get("/api/v1/admin/system/keys")).status_code == 200

    async def test_has_signed_in_recently_at_any_time_and_goes_on_with_other_keys(
        self, gateway: RunningGateway
    ) -> None:
        async with program(gateway) as client:
            answer = await client.post("/api/v1/admin/system/keys/rotate", json={"compromised": True})
            assert answer.status_code < 300, answer.text
            assert (await client.get("/api/v1/users/me")).status_code == 200

    async def test_is_one_person_with_one_session_whichever_process_asks(
        self, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        async with single(database_urls, tmp_path) as first, single(database_urls, tmp_path) as second:
            async with program(first) as one, program(second) as other:
                assert (await one.get("/api/v1/users/me")).json() == (await other.get("/api/v1/users/me")).json()
            rows = await first.sql("SELECT authority, amr FROM sessions")
        assert [(row["authority"], row["amr"]) for row in rows] == [("local", [])]

    async def test_is_the_same_after_another_start(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        seen = set()
        for _ in range(2):
            async with single(database_urls, tmp_path) as running, program(running) as client:
                seen.add((await client.get("/api/v1/users/me")).json()["id"])
        assert len(seen) == 1

    async def test_goes_on_when_their_session_was_ended(self, gateway: RunningGateway) -> None:
        async with program(gateway) as client:
            (held,) = (await client.get("/api/v1/auth/sessions")).json()["items"]
            assert held["current"] is True
            assert (await client.delete(f"/api/v1/auth/sessions/{held['id']}")).status_code == 204
            (renewed,) = (await client.get("/api/v1/auth/sessions")).json()["items"]
        assert renewed["id"] != held["id"]

    async def test_gets_a_new_token_before_the_old_one_expires(
        self, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        async with single(database_urls, tmp_path, auth__access_token_lifetime="4s") as running:
            async with program(running) as client:
                for _ in range(6):
                    assert (await client.get("/api/v1/users/me")).status_code == 200
                    await running.sql("SELECT pg_sleep(1)")
            assert (await running.sql("SELECT count(*) AS n FROM access_tokens"))[0]["n"] >= 2

    async def test_is_not_who_shows_another_token(self, gateway: RunningGateway) -> None:
        async with client_of(gateway, {"Authorization": "Bearer made.up.token", **PROGRAM}) as client:
            assert (await client.get("/api/v1/users/me")).status_code == 401

    async def test_is_not_bothered_by_the_cookie_of_another_server_on_this_machine(
        self, gateway: RunningGateway
    ) -> None:
        async with client_of(gateway, {"Cookie": "auth_token=from-another-port", **PROGRAM}) as client:
            assert (await client.get("/api/v1/users/me")).status_code == 200


class TestWaysIn:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/auth/login", {"email": "ada@example.org", "password": PASSWORD}),
            ("POST", "/auth/register", {"email": "ada@example.org", "password": PASSWORD}),
            ("POST", "/auth/refresh", None),
            ("POST", "/auth/logout", None),
            ("POST", "/auth/logout-all", None),
            ("POST", "/auth/step-up", {"password": PASSWORD}),
            ("POST", "/auth/password-reset", {"email": "ada@example.org"}),
            ("POST", "/users/me/password", {"password": PASSWORD}),
            ("POST", "/users/me/email", {"email": "ada@example.org"}),
            ("DELETE", "/users/me", None),
            ("POST", "/invitations", {"email": "ada@example.org"}),
        ],
    )
    async def test_are_closed_and_say_so(
        self, gateway: RunningGateway, method: str, path: str, body: dict[str, str] | None
    ) -> None:
        async with program(gateway) as client:
            answer = await client.request(method, f"/api/v1{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "single_user_mode")

    async def test_are_none_for_a_page_to_draw(self, gateway: RunningGateway) -> None:
        async with program(gateway) as client:
            found = (await client.get("/api/v1/auth/methods")).json()
        assert (found["single_user"], found["methods"], found["registration"]) == (True, [], "closed")
        assert found["needs_first_account"] is False

    async def test_leave_the_profile_to_its_owner(self, gateway: RunningGateway) -> None:
        async with program(gateway) as client:
            changed = await client.patch("/api/v1/users/me", json={"display_name": "Ada", "language": "de"})
            assert (changed.status_code, changed.json()["display_name"]) == (200, "Ada")
            assert (await client.get("/api/v1/users/me/export")).status_code == 200


class TestStrangers:
    @pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.5", "2001:db8::1"])
    async def test_on_another_machine_are_refused_however_the_server_came_to_listen(
        self, gateway: RunningGateway, peer: str
    ) -> None:
        async with client_of(gateway, PROGRAM, peer=peer) as client:
            answer = await client.get("/api/v1/users/me")
            assert (answer.status_code, answer.json()["code"]) == (403, "local_only")
            assert (await client.get("/health/live")).status_code == 200

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
    async def test_behind_a_proxy_on_this_machine_are_refused(self, gateway: RunningGateway, header: str) -> None:
        async with client_of(gateway, {header: "for=127.0.0.1", **PROGRAM}) as client:
            assert (await client.get("/api/v1/users/me")).json()["code"] == "local_only"

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil"])
    async def test_with_a_name_that_points_here_are_refused(self, gateway: RunningGateway, host: str) -> None:
        """DNS rebinding: to its browser the page is same-origin; only the Host header tells."""
        async with client_of(gateway, {"Host": host, "Sec-Fetch-Site": "same-origin", **PROGRAM}) as client:
            answer = await client.get("/api/v1/users/me")
        assert (answer.status_code, answer.json()["code"]) == (421, "misdirected_request")

    @pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost:1234"])
    async def test_are_not_those_who_call_this_machine_by_its_own_names(
        self, gateway: RunningGateway, host: str
    ) -> None:
        async with client_of(gateway, {"Host": host, **PROGRAM}) as client:
            assert (await client.get("/api/v1/users/me")).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", **PROGRAM},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
            {"Origin": "https://evil.example", **PROGRAM},
            {"Origin": "null", **PROGRAM},
            {},
        ],
    )
    async def test_on_a_page_of_another_site_read_nothing(
        self, gateway: RunningGateway, headers: dict[str, str]
    ) -> None:
        async with client_of(gateway, headers) as client:
            answer = await client.get("/api/v1/users/me")
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
            {"Sec-Fetch-Site": "cross-site", **PROGRAM},
            {"Sec-Fetch-Site": "same-origin"},
            {},
        ],
    )
    async def test_on_a_page_of_another_site_change_nothing(
        self, gateway: RunningGateway, headers: dict[str, str]
    ) -> None:
        async with client_of(gateway, headers) as client:
            answer = await client.patch("/api/v1/users/me", json={"display_name": "Mallory"})
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
        async with program(gateway) as client:
            assert (await client.get("/api/v1/users/me")).json()["display_name"] == "Local user"

    async def test_may_lead_a_person_to_our_page(self, gateway: RunningGateway) -> None:
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        async with client_of(gateway, headers) as client:
            assert (await client.get("/console/")).status_code == 200

    async def test_are_let_in_only_by_the_setting_that_says_so(
        self, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        async with (
            single(database_urls, tmp_path, auth__single_user_on_network="yes") as running,
            client_of(running, PROGRAM, peer="192.0.2.7") as client,
        ):
            assert (await client.get("/api/v1/users/me")).status_code == 200


class TestSettings:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("http.host", "0.0.0.0"),  # noqa: S104  # refused
            ("http.host", "::"),
            ("http.host", "192.168.1.4"),
            ("http.public_url", "https://gateway.example.org"),
            ("http.allowed_hosts", "gateway.lan"),
            ("http.allowed_origins", "https://spa.example.org"),
            ("http.trusted_proxies", "127.0.0.1"),
        ],
    )
    def test_refuse_what_other_machines_could_reach(self, key: str, value: str) -> None:
        overrides = {"http.public_url": "http://127.0.0.1:8000", "auth.mode": "single", key: value}
        with pytest.raises(SettingsError, match="gives everything to whoever can connect"):
            Settings.load(None, environment={}, overrides=overrides)
        for allowed in ({"auth.single_user_on_network": "yes"}, {"auth.mode": "multi"}):
            Settings.load(None, environment={}, overrides=overrides | allowed)

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
    def test_take_this_machine_by_any_of_its_names(self, host: str) -> None:
        found = Settings.load(None, environment={}, overrides={"auth.mode": "single", "http.host": host})
        assert found.http.host == host


class TestTheMode:
    async def test_is_refused_where_people_have_accounts(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with running_gateway(database_urls, tmp_path, **FAST_HASHES) as running:
            await running.person("ada@example.org")
        with pytest.raises(SingleUserModeImpossible):
            async with single(database_urls, tmp_path):
                pass

    async def test_is_not_left_by_a_setting(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with single(database_urls, tmp_path):
            pass
        with pytest.raises(StillSingleUser):
            async with running_gateway(database_urls, tmp_path, **FAST_HASHES):
                pass

    async def test_never_comes_back_after_the_upgrade(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with single(database_urls, tmp_path) as running:
            async with program(running) as client:
                assert (await client.get("/api/v1/users/me")).status_code == 200
                await running.services.get(LocalUserService).upgrade("ada@example.org", PASSWORD)
                refused = await client.get("/api/v1/users/me")
            assert (refused.status_code, refused.json()["code"]) == (503, "single_user_mode_ended")
            assert await running.sql("SELECT 1 FROM audit_events WHERE code = 'upgraded_to_multi'")
        with pytest.raises(SingleUserModeEnded):
            async with single(database_urls, tmp_path):
                pass
