"""`POST /auth/introspect`: what services learn about tokens that were shown to them, and what nobody learns."""

from pathlib import Path

import httpx
import pytest

from modules.auth.api_keys import new_api_key
from modules.shared.ids import new_id
from tests.auth.people import API, Browser, account, signed_in
from tests.support.api_keys import Key, make_key
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls

PATH = f"{API}/auth/introspect"


async def asker(gateway: RunningGateway) -> Key:
    return await make_key(gateway, await gateway.person(), "introspect")


async def told(key: Key, token: str, **more: str) -> dict[str, object]:
    async with key.client() as client:
        answer = await client.post(PATH, data={"token": token, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


class TestAnAccessToken:
    async def test_is_told_while_it_stands(self, gateway: RunningGateway) -> None:
        ada = await gateway.person()
        found = await told(await asker(gateway), ada.token)
        assert found["active"] is True
        assert (found["sub"], found["sid"], found["token_type"]) == (str(ada.id), str(ada.session_id), "access_token")
        assert (found["iss"], found["aud"]) == ("http://127.0.0.1:8000", "mandate-gateway")
        assert found["amr"] == ["pwd"]
        assert isinstance(found["exp"], int)
        assert ada.email not in str(found)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE access_tokens SET revoked_at = now() WHERE user_id = :id",
            "UPDATE access_tokens SET expires_at = now() WHERE user_id = :id",
            "UPDATE sessions SET revoked_at = now() WHERE user_id = :id",
            "UPDATE sessions SET expires_at = now() WHERE user_id = :id",
            "UPDATE users SET state = 'disabled' WHERE id = :id",
            "UPDATE users SET ver = ver + 1 WHERE id = :id",
            "DELETE FROM access_tokens WHERE user_id = :id",
        ],
    )
    async def test_is_inactive_the_moment_it_is_not(self, gateway: RunningGateway, change: str) -> None:
        key, ada = await asker(gateway), await gateway.person()
        await gateway.sql(change, id=ada.id)
        assert await told(key, ada.token) == {"active": False}


class TestARefreshToken:
    async def test_is_told_while_it_stands(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.test")
        browser = Browser(gateway)
        form = {"grant_type": "password", "username": "ada@example.test", "password": "correct horse battery staple"}
        first = (await browser.post("/auth/token", data=form)).json()["refresh_token"]
        key = await asker(gateway)
        assert (await told(key, first, token_type_hint="refresh_token"))["token_type"] == "refresh_token"
        again = {"grant_type": "refresh_token", "refresh_token": first}
        second = (await browser.post("/auth/token", data=again)).json()["refresh_token"]
        assert await told(key, first) == {"active": False}
        assert (await told(key, second))["active"] is True
        await gateway.sql("UPDATE sessions SET idle_expires_at = now()")
        assert await told(key, second) == {"active": False}

    async def test_is_not_used_up(self, gateway: RunningGateway) -> None:
        await account(gateway, "ada@example.test")
        form = {"grant_type": "password", "username": "ada@example.test", "password": "correct horse battery staple"}
        browser = Browser(gateway)
        token = (await browser.post("/auth/token", data=form)).json()["refresh_token"]
        await told(await asker(gateway), token)
        again = await browser.post("/auth/token", data={"grant_type": "refresh_token", "refresh_token": token})
        assert again.status_code == 200


class TestAnApiKey:
    async def test_is_told_with_its_scopes(self, gateway: RunningGateway) -> None:
        ada, here = await gateway.person(), await gateway.mandate("here")
        await gateway.join(ada, here)
        shown = await make_key(gateway, ada, "members:read", "audit:read", mandate_id=here)
        found = await told(await asker(gateway), shown.secret)
        assert (found["active"], found["token_type"], found["jti"]) == (True, "api_key", str(shown.id))
        assert (found["scope"], found["mandate_id"], found["sub"]) == (
            "audit:read members:read",
            str(here),
            str(ada.id),
        )

    async def test_is_inactive_once_ended_or_its_owner_blocked(self, gateway: RunningGateway) -> None:
        key, ada = await asker(gateway), await gateway.person()
        ended, asleep = await make_key(gateway, ada, "*"), await make_key(gateway, ada, "*")
        await gateway.sql("UPDATE tokens SET revoked_at = now() WHERE id = :id", id=ended.id)
        assert await told(key, ended.secret) == {"active": False}
        assert (await told(key, asleep.secret))["active"] is True
        await gateway.sql("UPDATE users SET state = 'disabled' WHERE id = :id", id=ada.id)
        assert await told(key, asleep.secret) == {"active": False}


class TestWhatIsNoToken:
    @pytest.mark.parametrize(
        "token", ["x", "a.b.c", "mgk_", "mgk_" + "0" * 49, "é", " ", "eyJ.eyJ.x", "x" * 5000, "{id}", "{key}"]
    )
    async def test_is_inactive_like_everything_else(self, gateway: RunningGateway, token: str) -> None:
        unknown = token.format(id=new_id(), key=new_api_key())
        assert await told(await asker(gateway), unknown) == {"active": False}

    @pytest.mark.parametrize("form", [{}, {"token": "x" * 5001}, {"token": "\0"}, {"token": ["a", "b"]}])
    async def test_is_never_an_error_of_ours(self, gateway: RunningGateway, form: dict[str, object]) -> None:
        async with (await asker(gateway)).client() as client:
            assert (await client.post(PATH, data=form)).status_code in {200, 422}


class TestWhoMayAsk:
    async def test_is_whoever_has_a_key_for_it(self, gateway: RunningGateway) -> None:
        ada = await gateway.person()
        other = await make_key(gateway, ada, "*")

        async def status(client: httpx.AsyncClient) -> tuple[int, str]:
            async with client:
                answer = await client.post(PATH, data={"token": ada.token})
            return answer.status_code, answer.json().get("code", "")

        assert await status(gateway.client()) == (401, "unauthenticated")
        assert await status(gateway.client(ada)) == (403, "api_key_required")
        assert await status(other.client()) == (403, "insufficient_scope")
        assert await status((await asker(gateway)).client()) == (200, "")

    async def test_has_to_send_a_form(self, gateway: RunningGateway) -> None:
        async with (await asker(gateway)).client() as client:
            assert (await client.post(PATH, json={"token": "x"})).status_code == 415

    async def test_asks_so_often_and_no_more(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with running_gateway(database_urls, tmp_path, rate_limits__introspections_per_key="3/minute") as gateway:
            key, other = await asker(gateway), await asker(gateway)
            for _ in range(3):
                await told(key, "x")
            async with key.client() as client:
                answer = await client.post(PATH, data={"token": "x"})
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) > 0
            assert await told(other, "x") == {"active": False}


async def test_a_session_signed_in_by_cookie_does_not_do(gateway: RunningGateway) -> None:
    browser = await signed_in(gateway, "ada@example.test")
    answer = await browser.post("/auth/introspect", data={"token": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "api_key_required")
