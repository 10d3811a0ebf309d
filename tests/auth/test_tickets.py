"""Tickets: one path, once, within a minute, and worth no more than the session behind them."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from modules.auth.keys import hash_secret
from modules.shared import clock
from modules.shared.ids import MandateId
from tests.support.api_keys import make_key
from tests.support.gateway import Person, RunningGateway

TICKETS, CSV = "/api/v1/auth/tickets", "/api/v1/audit.csv"


async def ticket(gateway: RunningGateway, person: Person, mandate_id: MandateId, **wanted: str) -> str:
    async with gateway.client(person, mandate_id) as client:
        answer = await client.post(TICKETS, json={"path": CSV, **wanted})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["ticket"])


async def opened(gateway: RunningGateway, secret: str, path: str = CSV, **headers: str) -> httpx.Response:
    """As a browser opens a link: without headers of ours."""
    async with gateway.client(None, None, None, **headers) as client:
        return await client.get(path, params={"ticket": secret})


async def administrator(gateway: RunningGateway) -> tuple[Person, MandateId]:
    ada, here = await gateway.person(), await gateway.mandate("here")
    await gateway.join(ada, here, "administrator")
    return ada, here


class TestATicket:
    async def test_opens_its_path_once(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        secret = await ticket(gateway, ada, here)
        first, second = await opened(gateway, secret), await opened(gateway, secret)
        assert (first.status_code, first.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert first.headers["content-disposition"] == 'attachment; filename="audit-here.csv"'
        assert (second.status_code, second.json()["code"]) == (401, "ticket_not_valid")

    async def test_opens_once_for_several_at_the_same_moment(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        secret = await ticket(gateway, ada, here)
        answers = await asyncio.gather(*(opened(gateway, secret) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]

    async def test_ends_within_a_minute(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        async with gateway.client(ada, here) as client:
            made = (await client.post(TICKETS, json={"path": CSV})).json()
        ends = datetime.fromisoformat(made["expires_at"])
        assert timedelta(seconds=50) < ends - clock.now() <= timedelta(seconds=60)
        await gateway.sql("UPDATE tokens SET expires_at = now() WHERE purpose = 'ticket'")
        assert (await opened(gateway, made["ticket"])).status_code == 401

    async def test_does_not_outlive_the_token_that_asked(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        brief = await gateway.sign_in(ada.id, ada.email, lifetime=timedelta(seconds=20))
        async with gateway.client(brief, here) as client:
            made = (await client.post(TICKETS, json={"path": CSV})).json()
        assert datetime.fromisoformat(made["expires_at"]) - clock.now() <= timedelta(seconds=20)

    @pytest.mark.parametrize(
        ("wanted", "path"),
        [
            ({"path": "/api/v1/audit"}, CSV),
            ({"method": "WEBSOCKET"}, CSV),
            ({"path": f"{CSV}/"}, CSV),
            ({}, "/api/v1/audit"),
        ],
    )
    async def test_opens_nothing_else(self, gateway: RunningGateway, wanted: dict[str, str], path: str) -> None:
        ada, here = await administrator(gateway)
        secret = await ticket(gateway, ada, here, **wanted)
        assert (await opened(gateway, secret, path)).status_code == 401

    async def test_is_used_up_by_the_wrong_path(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        secret = await ticket(gateway, ada, here, path="/api/v1/elsewhere.csv")
        assert (await opened(gateway, secret)).status_code == 401
        rows = await gateway.sql("SELECT used_at FROM tokens WHERE purpose = 'ticket'")
        assert rows[0]["used_at"] is not None

    async def test_works_in_its_mandate_whatever_the_headers_say(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        there = await gateway.mandate("there")
        secret = await ticket(gateway, ada, here)
        answer = await opened(gateway, secret, **{"X-Mandate-Id": str(there)})
        assert "audit-here.csv" in answer.headers["content-disposition"]

    async def test_stands_for_its_owner_whoever_is_signed_in_there(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        bob = await gateway.person()
        secret = await ticket(gateway, ada, here)
        assert (await opened(gateway, secret, Cookie=f"auth_token={bob.token}")).status_code == 200

    @pytest.mark.parametrize("secret", ["x", "", "x" * 300, "%00", "é", "a" * 43])
    async def test_that_is_none_opens_nothing(self, gateway: RunningGateway, secret: str) -> None:
        assert (await opened(gateway, secret)).status_code == 401

    async def test_given_twice_counts_as_none(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        secret = await ticket(gateway, ada, here)
        async with gateway.client() as client:
            assert (await client.get(f"{CSV}?ticket={secret}&ticket=x")).status_code == 401
        assert (await opened(gateway, secret)).status_code == 200


_CHANGES = {
    "session": ("UPDATE sessions SET revoked_at = now() WHERE user_id = :user", (401, "invalid_token")),
    "token": ("UPDATE access_tokens SET revoked_at = now() WHERE user_id = :user", (401, "invalid_token")),
    "user": ("UPDATE users SET state = 'disabled' WHERE id = :user", (401, "invalid_token")),
    "version": ("UPDATE users SET ver = ver + 1 WHERE id = :user", (401, "invalid_token")),
    "membership": ("UPDATE memberships SET enabled = false WHERE user_id = :user", (403, "membership_disabled")),
    "roles": ("DELETE FROM role_assignments WHERE mandate_id = :mandate", (403, "permission_denied")),
    "mandate": ("UPDATE mandates SET enabled = false WHERE id = :mandate", (403, "not_a_member")),
}


class TestAChangeInBetween:
    @pytest.mark.parametrize("what", _CHANGES)
    async def test_counts(self, gateway: RunningGateway, what: str) -> None:
        ada, here = await administrator(gateway)
        secret = await ticket(gateway, ada, here)
        statement, expected = _CHANGES[what]
        parameters = {"user": ada.id, "mandate": here}
        await gateway.sql(statement, **{name: value for name, value in parameters.items() if f":{name}" in statement})
        answer = await opened(gateway, secret)
        assert (answer.status_code, answer.json()["code"]) == expected


class TestAsking:
    @pytest.mark.parametrize(
        "wanted",
        [{"path": "audit.csv"}, {"path": "https://elsewhere.test/"}, {"path": "/a b"}, {"path": "/\0"},
         {"method": "POST"},
         {"path": "/" + "x" * 500}, {"more": "1"}],
    )  # fmt: skip
    async def test_refuses_unfit_bodies(self, gateway: RunningGateway, wanted: dict[str, str]) -> None:
        ada, here = await administrator(gateway)
        async with gateway.client(ada, here) as client:
            answer = await client.post(TICKETS, json={"path": CSV, **wanted})
        assert answer.status_code == 422

    async def test_is_for_members(self, gateway: RunningGateway) -> None:
        ada = await gateway.person()
        for foreign in (await gateway.mandate("foreign"), MandateId(uuid4())):
            async with gateway.client(ada, foreign) as client:
                answer = await client.post(TICKETS, json={"path": CSV})
            assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")
        assert await gateway.sql("SELECT id FROM tokens WHERE purpose = 'ticket'") == []

    async def test_is_for_persons(self, gateway: RunningGateway) -> None:
        ada, here = await administrator(gateway)
        async with (await make_key(gateway, ada, "*")).client(here) as client:
            answer = await client.post(TICKETS, json={"path": CSV})
        assert (answer.status_code, answer.json()["code"]) == (403, "api_key_not_accepted")


class TestTheSecret:
    async def test_is_kept_and_logged_nowhere(
        self, gateway: RunningGateway, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ada, here = await administrator(gateway)
        secret = await ticket(gateway, ada, here)
        answer = await opened(gateway, secret)
        assert secret not in answer.text
        rows = await gateway.sql(
            "SELECT to_jsonb(t)::text AS whole, secret_hash FROM tokens t WHERE purpose = 'ticket'"
        )
        assert rows[0]["secret_hash"] == hash_secret(secret)
        told = capsys.readouterr()
        assert secret not in rows[0]["whole"] + told.out + told.err
