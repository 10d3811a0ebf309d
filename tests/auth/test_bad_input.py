"""Garbage is refused as such, naming the field, and never with a 5xx."""

import json

import pytest

from tests.auth.people import PASSWORD, Browser, account, signed_in
from tests.support.gateway import RunningGateway

BODIES = {
    "/auth/login": {"email": "ada@example.org", "password": PASSWORD},
    "/auth/register": {"email": "ada@example.org", "password": PASSWORD},
    "/auth/password-reset": {"email": "ada@example.org"},
    "/auth/password-reset/confirm": {"token": "x", "password": PASSWORD},
    "/auth/email/verify": {"token": "x"},
    "/auth/email/take-back": {"token": "x"},
}
GARBAGE: list[object] = [None, 1, True, [], {}, "", "x" * 5000, "a\0b", "\ud800", "\u202e"]


class TestFields:
    @pytest.mark.parametrize("path", BODIES)
    async def test_of_any_shape_are_refused_by_name(self, gateway: RunningGateway, path: str) -> None:
        for field, value in ((field, value) for field in BODIES[path] for value in GARBAGE):
            body = json.dumps({**BODIES[path], field: value}).encode()
            answer = await Browser(gateway, **{"Content-Type": "application/json"}).post(path, content=body)
            if answer.status_code == 429:
                return
            assert answer.status_code in {401, 422}, (path, field, value, answer.text)
            if answer.status_code == 422 and answer.json()["code"] != "link_not_valid":
                assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}"), (field, value)

    @pytest.mark.parametrize("path", BODIES)
    async def test_that_nobody_knows_are_refused(self, gateway: RunningGateway, path: str) -> None:
        answer = await Browser(gateway).post(path, json={**BODIES[path], "surprise": 1})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/surprise")

    @pytest.mark.parametrize("path", BODIES)
    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"email":' * 2000])
    async def test_cannot_be_read_from_what_is_no_json(self, gateway: RunningGateway, path: str, body: bytes) -> None:
        answer = await Browser(gateway, **{"Content-Type": "application/json"}).post(path, content=body)
        assert answer.status_code in {400, 415, 422}
        assert answer.headers["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("depth", [100, 200, 300, 500, 800, 950])
    @pytest.mark.parametrize("field", ["email", "surprise"])
    async def test_nested_too_deeply_are_refused(self, gateway: RunningGateway, field: str, depth: int) -> None:
        body = b'{"%s":%s%s,"password":"x"}' % (field.encode(), b"[" * depth, b"]" * depth)
        browser = Browser(gateway, **{"Content-Type": "application/json"})
        assert (await browser.post("/auth/login", content=body)).status_code in {400, 422}

    @pytest.mark.parametrize("path", BODIES)
    async def test_are_taken_as_json_only(self, gateway: RunningGateway, path: str) -> None:
        assert (await Browser(gateway).post(path, data=BODIES[path])).status_code == 415


class TestCredentials:
    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "." * 100, "A" * 5000, "é", "e30.e30.e30"])
    async def test_that_are_garbage_are_401(self, gateway: RunningGateway, token: str) -> None:
        for headers in ({"Authorization": f"Bearer {token}".encode()}, {"Cookie": f"auth_token={token}".encode()}):
            answer = await Browser(gateway).get("/users/me", headers=headers)  # type: ignore[arg-type]
            assert answer.status_code == 401

    async def test_that_are_garbage_do_not_hinder_a_logout(self, gateway: RunningGateway) -> None:
        headers = {"Cookie": "auth_token=x; refresh_token=y; device=z", "Authorization": "Bearer x"}
        assert (await Browser(gateway).post("/auth/logout", headers=headers)).status_code == 204

    async def test_of_a_device_that_are_garbage_do_not_hinder_a_login(self, gateway: RunningGateway) -> None:
        await signed_in(gateway, "ada@example.org")
        browser = Browser(gateway)
        body = {"email": "ada@example.org", "password": PASSWORD}
        headers = {"Cookie": f"device={'é' * 50}".encode()}
        assert (await browser.post("/auth/login", json=body, headers=headers)).status_code == 200  # type: ignore[arg-type]


class TestDeviceIds:
    @pytest.mark.parametrize("device_id", [b"x" * 65, b"a\tb", "küche".encode(), b"a\x01b", b"a\x7fb"])
    async def test_that_are_too_long_or_not_printable_are_refused(
        self, gateway: RunningGateway, device_id: bytes
    ) -> None:
        await account(gateway, "ada@example.org")
        body = {"email": "ada@example.org", "password": PASSWORD}
        answer = await Browser(gateway).post("/auth/login", json=body, headers=[(b"X-Device-Id", device_id)])
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (400, "malformed_device_id")
        assert [place["pointer"] for place in problem["errors"]] == ["X-Device-Id"]

    async def test_of_64_characters_are_kept_whole(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.org")
        browser = Browser(gateway, **{"X-Device-Id": "x" * 64})
        signed_in = (await browser.log_in("ada@example.org")).json()
        assert signed_in["session"]["device_id"] == "x" * 64

    async def test_that_are_garbage_do_not_keep_a_refusal_from_the_audit(self, gateway: RunningGateway) -> None:
        headers = {"Origin": "https://evil.example", "Cookie": "auth_token=x", "X-Device-Id": "x" * 65}
        assert (await Browser(gateway).post("/auth/logout", headers=headers)).json()["code"] == "csrf"


class TestIds:
    @pytest.mark.parametrize("session_id", ["x", "1", "%00", "01890000-0000-7000-8000-000000000000"])
    async def test_of_sessions_that_are_garbage_are_refused(self, gateway: RunningGateway, session_id: str) -> None:
        browser = await signed_in(gateway, "ada@example.org")
        answer = await browser.delete(f"/auth/sessions/{session_id}")
        assert answer.status_code in {400, 404, 422}
