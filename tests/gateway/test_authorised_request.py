"""The way of one authorised request: what it costs, what it refuses, and how soon a change counts."""

import asyncio
from collections.abc import AsyncIterator
import gc
from pathlib import Path
from uuid import UUID, uuid4

from fastapi import FastAPI
import pytest

from gateway import RequestContext, require
from gateway.app import Gateway
from modules.rbac.repository.authorisation import Authorisation, AuthorisationRow, Question
from modules.shared.ids import MandateId, new_id
from tests.support.gateway import Person, RunningGateway, running_gateway, settings_for
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def host(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A host application with one guarded route."""
    app = FastAPI()
    gateway = Gateway(settings_for(database_urls, tmp_path))
    gateway.declare_item("invoices", label={"en": "Invoices", "de": "Rechnungen"})

    @app.get("/invoices")
    async def list_invoices(context: RequestContext = require("invoices", "read")) -> dict[str, str]:
        return {"level": context.level("invoices", "read").name, "mandate": context.mandate.slug}

    @app.post("/invoices")
    async def create_invoice(context: RequestContext = require("invoices", "create")) -> dict[str, str]:
        return {"level": context.level("invoices", "create").name}

    async with running_gateway(database_urls, tmp_path, app=app, gateway=gateway) as running:
        yield running


async def status(
    host: RunningGateway, person: Person | None, mandate_id: MandateId | None, method: str = "GET"
) -> tuple[int, str]:
    """What the guarded route answers."""
    async with host.client(person, mandate_id) as client:
        answer = await client.request(method, "/invoices")
        return answer.status_code, answer.json().get("code", "")


async def name_of_mandate(host: RunningGateway, person: Person, mandate_id: MandateId) -> str:
    """Where the guarded route says it is."""
    async with host.client(person, mandate_id) as client:
        name: str = (await client.get("/invoices")).json()["mandate"]
        return name


class TestAnAuthorisedRequest:
    async def test_is_answered_by_the_rules_of_the_mandate_it_names(self, host: RunningGateway) -> None:
        ada, here, there = await host.person(), await host.mandate("here"), await host.mandate("there")
        await host.join(ada, here, "administrator")
        await host.join(ada, there, "viewer")
        assert await status(host, ada, here, "POST") == (200, "")
        assert await status(host, ada, there, "POST") == (403, "permission_denied")

    async def test_asks_one_statement(self, host: RunningGateway) -> None:
        ada, here = await host.person(), await host.mandate("here")
        await host.join(ada, here, "member")
        assert await status(host, ada, here) == (200, "")
        connections = host.services.get(Authorisation).connections
        before = connections.statements
        assert await status(host, ada, here) == (200, "")
        assert connections.statements == before + 1

    async def test_shares_the_statement_with_those_who_come_together(self, host: RunningGateway) -> None:
        mandates = [await host.mandate(f"m-{number}") for number in range(10)]
        people = [await host.person() for _ in mandates]
        for person, mandate in zip(people, mandates, strict=True):
            await host.join(person, mandate, "member")
            assert await status(host, person, mandate) == (200, "")
        connections = host.services.get(Authorisation).connections
        before = connections.statements
        own = [name_of_mandate(host, *each) for each in zip(people, mandates, strict=True)]
        foreign = [status(host, *each) for each in zip(people, mandates[1:], strict=False)]
        assert await asyncio.gather(*own) == [f"m-{number}" for number in range(10)]
        assert await asyncio.gather(*foreign) == [(403, "not_a_member")] * 9
        assert connections.statements < before + 19

    async def test_notices_an_answer_meant_for_another(
        self, host: RunningGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada, bob, here, there = (
            await host.person(),
            await host.person(),
            await host.mandate("a"),
            await host.mandate("b"),
        )
        for person, mandate in ((ada, here), (ada, there), (bob, here)):
            await host.join(person, mandate, "member")
        asked: list[AuthorisationRow] = []
        authorisation, ask = host.services.get(Authorisation), host.services.get(Authorisation).ask

        async def ask_and_remember(question: Question, *parameters: UUID | None) -> AuthorisationRow:
            asked.append(await ask(question, *parameters))
            return asked[0]

        monkeypatch.setattr(authorisation, "ask", ask_and_remember)
        assert await status(host, ada, here) == (200, "")
        assert await status(host, ada, there) == (403, "not_a_member")
        assert await status(host, bob, here) == (401, "invalid_token")

    async def test_says_401_before_400(self, host: RunningGateway) -> None:
        assert await status(host, None, None) == (401, "unauthenticated")
        ada = await host.person()
        assert await status(host, ada, None) == (400, "mandate_required")

    async def test_refuses_an_unknown_and_a_foreign_mandate_alike(self, host: RunningGateway) -> None:
        ada, foreign = await host.person(), await host.mandate("foreign")
        assert await status(host, ada, foreign) == await status(host, ada, MandateId(uuid4())) == (403, "not_a_member")

    async def test_pays_for_no_collection_of_what_stands_since_the_start(
        self, database_urls: DatabaseUrls, tmp_path: Path
    ) -> None:
        async with running_gateway(database_urls, tmp_path) as running:
            kept = sum(each is running.app for generation in range(3) for each in gc.get_objects(generation))
            assert kept == 0
        assert gc.get_freeze_count() == 0


_CHANGES = {
    "membership": ("UPDATE memberships SET enabled = false WHERE user_id = :user", (403, "membership_disabled")),
    "ended membership": ("UPDATE memberships SET valid_until = now() WHERE user_id = :user",
                         (403, "membership_disabled")),
    "user": ("UPDATE users SET state = 'disabled' WHERE id = :user", (401, "invalid_token")),
    "user's version": ("UPDATE users SET ver = ver + 1 WHERE id = :user", (401, "invalid_token")),
    "mandate": ("UPDATE mandates SET enabled = false WHERE id = :mandate", (403, "not_a_member")),
    "token": ("UPDATE access_tokens SET revoked_at = now() WHERE user_id = :user", (401, "invalid_token")),
    "session": ("UPDATE sessions SET revoked_at = now() WHERE user_id = :user", (401, "invalid_token")),
    "assignment": ("DELETE FROM role_assignments WHERE mandate_id = :mandate", (403, "permission_denied")),
    "rule": ("UPDATE access_rules SET may_read = 0 WHERE kind = 'DATA' AND item = '*'", (403, "permission_denied")),
    "login policy": ("UPDATE mandates SET login_policy = '{\"authorities\": [\"google\"]}' WHERE id = :mandate",
                     (403, "login_method_not_allowed")),
}  # fmt: skip


class TestAChange:
    @pytest.mark.parametrize("what", _CHANGES)
    async def test_counts_with_the_very_next_request(self, host: RunningGateway, what: str) -> None:
        ada, here = await host.person(), await host.mandate("here")
        await host.join(ada, here, "member")
        assert await status(host, ada, here) == (200, "")
        statement, expected = _CHANGES[what]
        parameters = {"user": ada.id, "mandate": here}
        await host.sql(statement, **{name: value for name, value in parameters.items() if f":{name}" in statement})
        assert await status(host, ada, here) == expected

    async def test_of_a_locked_rule_lowers_everybody(self, host: RunningGateway) -> None:
        ada, here = await host.person(), await host.mandate("here")
        await host.join(ada, here, "administrator")
        assert await status(host, ada, here) == (200, "")
        await host.sql(
            "INSERT INTO access_rules (id, mandate_id, role_id, kind, item, may_read)"
            " SELECT :id, mandate_id, id, 'DATA', 'invoices', 0 FROM roles"
            " WHERE mandate_id = :mandate AND key = 'everyone'",
            id=new_id(),
            mandate=here,
        )
        assert await status(host, ada, here) == (403, "permission_denied")
