"""API keys as their owner makes, sees and ends them."""

from base64 import b64encode
from datetime import timedelta
import re
from typing import Any
from zlib import crc32

import httpx
import pytest

from modules.auth.api_keys import new_api_key, read_api_key
from modules.auth.keys import hash_secret
from modules.shared import clock
from tests.auth.people import API, Browser, Mailbox, account, audited, signed_in
from tests.support.api_keys import make_key
from tests.support.gateway import RunningGateway

KEYS = "/users/me/api-keys"
WANTED = {"name": "deploy", "scopes": ["members:read"]}
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class TestTheForm:
    def test_is_one_a_scanner_can_tell(self) -> None:
        """As docs/sign-in/api-keys.md tells it to whoever writes a scanner."""
        key = new_api_key()
        assert re.fullmatch(r"mgk_[0-9A-Za-z]{49}", key)
        checksum = 0
        for digit in key[-6:]:
            checksum = checksum * 62 + _DIGITS.index(digit)
        assert checksum == crc32(key[:-6].encode())

    def test_is_new_every_time(self) -> None:
        assert len({new_api_key() for _ in range(1000)}) == 1000

    def test_is_known_by_its_hash(self) -> None:
        key = new_api_key()
        assert read_api_key(key) == hash_secret(key)

    @pytest.mark.parametrize("position", range(4, 53))
    def test_shows_every_slip_of_one_character(self, position: int) -> None:
        key = new_api_key()
        slip = "0" if key[position] != "0" else "1"
        assert read_api_key(key[:position] + slip + key[position + 1 :]) is None

    @pytest.mark.parametrize(
        "bad", ["", "mgk_", "mgk_é", "mgk_" + "0" * 48, "mgk_" + "0" * 50, "mgk_" + "٣" * 49, "\0"]
    )
    def test_refuses_what_is_none(self, bad: str) -> None:
        assert read_api_key(bad) is None


async def made(browser: Browser, **wanted: object) -> httpx.Response:
    return await browser.post(KEYS, json={**WANTED, **wanted})


class TestMaking:
    async def test_shows_the_key_once(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        answer = await made(browser)
        assert answer.status_code == 201
        key = answer.json()
        assert answer.headers["location"] == f"{API}{KEYS}/{key['id']}"
        assert read_api_key(key.pop("key"))
        assert (await browser.get(KEYS)).json()["items"] == [key]
        assert (key["name"], key["scopes"], key["mandate_id"], key["last_used_at"]) == (
            "deploy",
            ["members:read"],
            None,
            None,
        )

    async def test_keeps_nothing_but_the_hash(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        secret = (await made(browser)).json()["key"]
        rows = await gateway.sql("SELECT secret_hash, to_jsonb(t) AS whole FROM tokens t WHERE purpose = 'api_key'")
        assert rows[0]["secret_hash"] == hash_secret(secret)
        assert secret not in str(rows)

    async def test_keeps_no_answer_for_an_idempotency_key(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        twice = [await browser.post(KEYS, json=WANTED, headers={"Idempotency-Key": "same"}) for _ in range(2)]
        assert twice[0].json()["key"] != twice[1].json()["key"]
        assert await gateway.sql("SELECT * FROM idempotency_keys") == []

    async def test_lasts_as_long_as_allowed_unless_it_names_an_end(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        key = (await made(browser)).json()
        ends = await gateway.sql("SELECT expires_at - issued_at AS lasts FROM tokens WHERE id = :id", id=key["id"])
        assert ends[0]["lasts"] == timedelta(days=365)
        soon = (clock.now() + timedelta(hours=1)).isoformat()
        assert (await made(browser, expires_at=soon)).status_code == 201

    @pytest.mark.parametrize("after", [timedelta(seconds=-1), timedelta(days=366)])
    async def test_ends_in_the_future_and_within_the_limit(self, gateway: RunningGateway, after: timedelta) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        answer = await made(browser, expires_at=(clock.now() + after).isoformat())
        assert (answer.status_code, answer.json()["code"]) == (422, "api_key_expiry")

    async def test_names_the_unknown_scope(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        answer = await made(browser, scopes=["members:read", "membrs:read"])
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_scope")
        assert answer.json()["errors"][0]["pointer"] == "/scopes/1"
        assert "membrs:read" in answer.json()["detail"]

    @pytest.mark.parametrize(
        "wanted",
        [{"scopes": []}, {"scopes": ["*"] * 51}, {"name": ""}, {"name": " "}, {"name": "x" * 101}, {"name": "\0"},
         {"scopes": ["\0"]}, {"scopes": "*"}, {"scopes": [1]}, {"expires_at": "soon"}, {"mandate_id": "x"},
         {"more": 1}],
    )  # fmt: skip
    async def test_refuses_unfit_bodies(self, gateway: RunningGateway, wanted: dict[str, Any]) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        assert (await made(browser, **wanted)).status_code == 422
        assert (await browser.get(KEYS)).json()["items"] == []

    async def test_is_bound_to_mandates_of_the_owner_only(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        answer = await made(browser, mandate_id=str(await gateway.mandate("foreign")))
        assert (answer.status_code, answer.json()["code"]) == (422, "api_key_mandate_unknown")

    async def test_needs_a_recent_sign_in(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        await gateway.sql("UPDATE sessions SET authenticated_at = now() - interval '11 minutes'")
        answer = await made(browser)
        assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required")

    async def test_stops_at_the_cap(self, gateway: RunningGateway) -> None:
        browser = await signed_in(gateway, "ada@example.test")
        first = (await made(browser)).json()
        for _ in range(19):
            assert (await made(browser)).status_code == 201
        answer = await made(browser)
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_api_keys")
        assert (await browser.delete(f"{KEYS}/{first['id']}")).status_code == 204
        assert (await made(browser)).status_code == 201

    async def test_is_on_record_and_told_by_mail(self, mailing_gateway: RunningGateway, mailbox: Mailbox) -> None:
        browser = await signed_in(mailing_gateway, "ada@example.test", language="de")
        key = (await made(browser)).json()
        (event,) = await audited(mailing_gateway, "api_key_made")
        assert (event["subject_id"], event["details"]["scopes"]) == (key["id"], ["members:read"])
        mail = await mailbox.next_to("ada@example.test")
        assert "API-Schlüssel" in mail
        assert key["key"] not in mail


class TestTheAddressOfItsOwner:
    async def test_counts_for_a_key_until_the_account_has_another(self, gateway: RunningGateway) -> None:
        ada, mandate = await gateway.person("ada@corp.example"), await gateway.mandate("alpine")
        await gateway.join(ada, mandate, "administrator")
        key = await make_key(gateway, ada, "*")
        policy = '{"email_domains": ["corp.example"]}'
        await gateway.sql(
            "UPDATE mandates SET login_policy = CAST(:policy AS jsonb) WHERE id = :id", policy=policy, id=mandate
        )
        assert await key.answer("GET", "/context", mandate) == (200, "")
        await gateway.sql("UPDATE users SET email = 'ada@home.example' WHERE id = :id", id=ada.id)
        assert await key.answer("GET", "/context", mandate) == (403, "login_method_not_allowed")


class TestEnding:
    async def test_counts_with_the_next_request(self, gateway: RunningGateway) -> None:
        ada = await gateway.person()
        key = await make_key(gateway, ada, "*")
        assert await key.answer("GET", "/users/me") == (200, "")
        async with gateway.client(ada) as client:
            assert (await client.delete(f"{API}{KEYS}/{key.id}")).status_code == 204
            assert (await client.delete(f"{API}{KEYS}/{key.id}")).json()["code"] == "api_key_not_found"
        assert await key.answer("GET", "/users/me") == (401, "invalid_token")
        assert len(await audited(gateway, "api_key_ended")) == 1

    async def test_is_not_for_others_to_do(self, gateway: RunningGateway) -> None:
        key = await make_key(gateway, await gateway.person(), "*")
        async with gateway.client(await gateway.person()) as client:
            assert (await client.delete(f"{API}{KEYS}/{key.id}")).status_code == 404
            assert (await client.get(f"{API}{KEYS}")).json()["items"] == []
        assert await key.answer("GET", "/users/me") == (200, "")

    async def test_comes_with_leaving(self, gateway: RunningGateway) -> None:
        ada = await gateway.person()
        key = await make_key(gateway, ada, "*")
        async with gateway.client(ada) as client:
            assert (await client.delete(f"{API}/users/me")).status_code == 200
        assert await key.answer("GET", "/users/me") == (401, "invalid_token")

    async def test_is_done_by_holders_of_the_flag_too(self, gateway: RunningGateway) -> None:
        ada, root = await gateway.person(), await gateway.person(sysadmin=True)
        key = await make_key(gateway, ada, "*")
        async with gateway.client(root) as client:
            found = await client.get(
                f"{API}/admin/system/tokens", params={"user_id": str(ada.id), "purpose": "api_key"}
            )
            assert [token["id"] for token in found.json()["items"]] == [str(key.id)]
            assert key.secret not in found.text
            assert (await client.delete(f"{API}/admin/system/tokens/{key.id}")).status_code == 204
        assert await key.answer("GET", "/users/me") == (401, "invalid_token")


_PERSONS = [
    ("GET", "/users/me/api-keys"), ("POST", "/users/me/api-keys"), ("PATCH", "/users/me"), ("DELETE", "/users/me"),
    ("POST", "/users/me/password"), ("POST", "/users/me/email"), ("GET", "/users/me/export"), ("GET", "/auth/sessions"),
    ("DELETE", "/auth/sessions"), ("POST", "/auth/logout-all"), ("POST", "/auth/step-up"),
    ("POST", "/invitations/accept"), ("GET", "/admin/system/tokens"), ("GET", "/admin/system/sysadmins"),
    ("GET", "/admin/system/settings"),
]  # fmt: skip


class TestWhatIsForPersons:
    @pytest.mark.parametrize(("method", "path"), _PERSONS)
    async def test_refuses_a_key(self, gateway: RunningGateway, method: str, path: str) -> None:
        key = await make_key(gateway, await gateway.person(sysadmin=True), "*", "admin.*:*", "introspect")
        assert await key.answer(method, path) == (403, "api_key_not_accepted")

    async def test_is_not_reached_by_handing_a_key_to_a_route_of_tokens(self, gateway: RunningGateway) -> None:
        key = await make_key(gateway, await gateway.person(), "*")
        async with key.client() as client:
            assert (await client.post(f"{API}/auth/logout")).status_code == 204
            assert (await client.post(f"{API}/auth/revoke", data={"token": key.secret})).status_code == 200
            form = {"grant_type": "refresh_token", "refresh_token": key.secret}
            assert (await client.post(f"{API}/auth/token", data=form)).status_code == 400
        assert await key.answer("GET", "/users/me") == (200, "")


class TestTheSecret:
    async def test_stands_nowhere_but_in_the_answer_that_made_it(
        self, gateway: RunningGateway, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ada = await gateway.person(sysadmin=True)
        here = await gateway.mandate("here")
        await gateway.join(ada, here, "administrator")
        key = await make_key(gateway, ada, "*")
        wrong = key.secret[:-1] + ("1" if key.secret[-1] == "0" else "0")
        answers = []
        async with key.client(here) as client:
            answers += [await client.get(f"{API}{path}") for path in ("/users/me", "/context", "/audit", "/roles/x")]
            answers.append(await client.get(f"{API}/audit", headers={"Authorization": f"Bearer {wrong}"}))
            answers.append(await client.get(f"{API}/audit", params={"cursor": key.secret}))
        async with gateway.client(ada, here) as client:
            for path in (
                KEYS,
                "/audit",
                f"/admin/system/tokens?user_id={ada.id}",
                "/admin/system/logs",
                "/users/me/export",
            ):
                answers.append(await client.get(f"{API}{path}"))
        tables = await gateway.sql(
            "SELECT table_name AS name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        readable = [
            table["name"]
            for table in tables
            if (await gateway.sql("SELECT has_table_privilege(:name, 'SELECT') AS may", name=table["name"]))[0]["may"]
        ]
        dump = "".join([str(await gateway.sql(f"SELECT to_jsonb(t)::text AS row FROM {name} t")) for name in readable])
        assert {"tokens", "api_keys", "audit_events"} <= set(readable)
        told = capsys.readouterr()
        for text in (*(answer.text for answer in answers), dump, told.out, told.err):
            assert key.secret not in text
            assert key.secret[4:40] not in text
            assert b64encode(key.secret.encode()).decode() not in text


async def test_a_key_of_a_blocked_owner_is_asleep(gateway: RunningGateway) -> None:
    user_id = await account(gateway, "ada@example.test")
    key = await make_key(gateway, await gateway.sign_in(user_id, "ada@example.test"), "*")
    await gateway.sql("UPDATE users SET state = 'disabled' WHERE id = :id", id=user_id)
    assert await key.answer("GET", "/users/me") == (401, "invalid_token")
    await gateway.sql("UPDATE users SET state = 'active' WHERE id = :id", id=user_id)
    assert await key.answer("GET", "/users/me") == (200, "")
