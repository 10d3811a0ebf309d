"""`/auth/token` and `/auth/revoke`, as scripts and the documentation page use them."""

import httpx
import pytest

from tests.auth.people import API, PASSWORD, account
from tests.support.gateway import BASE_URL, RunningGateway


@pytest.fixture
async def script(gateway: RunningGateway) -> httpx.AsyncClient:
    """A client without cookies and without our headers."""
    await account(gateway, "ada@example.org")
    transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=f"{BASE_URL}{API}")


async def tokens(script: httpx.AsyncClient) -> dict[str, str]:
    form = {"grant_type": "password", "username": "ada@example.org", "password": PASSWORD}
    answer = await script.post("/auth/token", data=form)
    assert answer.status_code == 200
    found: dict[str, str] = answer.json()
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class TestIssueToken:
    async def test_for_a_password_answers_tokens_and_sets_no_cookie(self, script: httpx.AsyncClient) -> None:
        found = await tokens(script)
        assert (found["token_type"], 0 < int(found["expires_in"]) <= 600) == ("Bearer", True)
        assert not script.cookies
        assert (await script.get("/users/me", headers=bearer(found["access_token"]))).status_code == 200

    async def test_for_a_refresh_token_answers_the_next_ones(self, script: httpx.AsyncClient) -> None:
        first = await tokens(script)
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        second = (await script.post("/auth/token", data=form)).json()
        assert second["refresh_token"] != first["refresh_token"]
        assert (await script.get("/users/me", headers=bearer(second["access_token"]))).status_code == 200

    async def test_ignores_what_it_does_not_know(self, script: httpx.AsyncClient) -> None:
        form = {"grant_type": "password", "username": "ada@example.org", "password": PASSWORD, "scope": "", "x": "y"}
        assert (await script.post("/auth/token", data=form)).status_code == 200

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({}, "invalid_request"),
            ({"grant_type": "password", "username": "ada@example.org"}, "invalid_request"),
            ({"grant_type": "password", "password": "x"}, "invalid_request"),
            ({"grant_type": "refresh_token"}, "invalid_request"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
            ({"grant_type": "password", "username": "ada@example.org", "password": "wrong"}, "invalid_grant"),
            ({"grant_type": "password", "username": "garbage", "password": "wrong"}, "invalid_grant"),
            ({"grant_type": "refresh_token", "refresh_token": "garbage"}, "invalid_grant"),
        ],
    )
    async def test_refuses_as_oauth_says(self, script: httpx.AsyncClient, form: dict[str, str], error: str) -> None:
        answer = await script.post("/auth/token", data={"_": "", **form})
        assert (answer.status_code, answer.json()["error"]) == (400, error)
        assert answer.headers["Content-Type"] == "application/problem+json"

    async def test_takes_forms_only(self, script: httpx.AsyncClient) -> None:
        assert (await script.post("/auth/token", json={"grant_type": "password"})).status_code == 415


class TestRevokeToken:
    async def test_ends_an_access_token_and_leaves_its_session(self, script: httpx.AsyncClient) -> None:
        found = await tokens(script)
        assert (await script.post("/auth/revoke", data={"token": found["access_token"]})).status_code == 200
        assert (await script.get("/users/me", headers=bearer(found["access_token"]))).status_code == 401
        form = {"grant_type": "refresh_token", "refresh_token": found["refresh_token"]}
        assert (await script.post("/auth/token", data=form)).status_code == 200

    async def test_ends_the_session_of_a_refresh_token(self, script: httpx.AsyncClient) -> None:
        found = await tokens(script)
        assert (await script.post("/auth/revoke", data={"token": found["refresh_token"]})).status_code == 200
        assert (await script.get("/users/me", headers=bearer(found["access_token"]))).status_code == 401

    @pytest.mark.parametrize("token", ["garbage", "a.b.c", "x" * 5000, "é"])
    async def test_answers_what_proves_nothing_alike(self, script: httpx.AsyncClient, token: str) -> None:
        assert (await script.post("/auth/revoke", data={"token": token})).status_code == 200

    async def test_needs_a_token(self, script: httpx.AsyncClient) -> None:
        assert (await script.post("/auth/revoke", data={"token_type_hint": "access_token"})).status_code == 422


class TestPublicKeys:
    async def test_are_none_while_tokens_are_signed_with_a_shared_secret(self, gateway: RunningGateway) -> None:
        async with gateway.client() as client:
            assert (await client.get("/.well-known/jwks.json")).json() == {"keys": []}
