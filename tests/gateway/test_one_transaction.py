"""A request is one transaction, and its answer leaves after the commit: who was told yes can rely on it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import asyncpg
from fastapi import FastAPI
import pytest
from sqlalchemy import text
from starlette.responses import JSONResponse, Response

from gateway import require_sign_in
from gateway.app import Gateway
from modules.shared.context import Caller
from modules.shared.errors import Conflict
from tests.support.gateway import RunningGateway, running_gateway, settings_for
from tests.support.postgres import DatabaseUrls

_TABLE = """
CREATE TABLE notes (line text PRIMARY KEY, after text REFERENCES notes DEFERRABLE INITIALLY DEFERRED);
GRANT SELECT, INSERT ON notes TO mandate_app, mandate_system;
"""
SignedIn = Annotated[Caller, require_sign_in()]
WRITE = text("INSERT INTO notes (line, after) VALUES (:line, :after)")


@pytest.fixture
async def host(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A host whose routes write a note; one that follows on a missing note fails when it is committed, not before."""
    owner = await asyncpg.connect(database_urls.owner)
    await owner.execute(_TABLE)
    await owner.close()
    app = FastAPI()

    @app.post("/notes/{line}")
    async def write(line: str, caller: SignedIn, after: str | None = None) -> dict[str, str]:
        await caller.db.execute(WRITE, {"line": line, "after": after})
        return {"line": line}

    @app.post("/answered/{line}")
    async def answer_early(line: str, caller: SignedIn) -> Response:
        await caller.db.execute(WRITE, {"line": line, "after": "missing"})
        return JSONResponse({"line": line})

    @app.post("/refused/{line}")
    async def refuse(line: str, caller: SignedIn) -> None:
        await caller.db.execute(WRITE, {"line": line, "after": None})
        raise Conflict

    gateway = Gateway(settings_for(database_urls, tmp_path))
    async with running_gateway(database_urls, tmp_path, app=app, gateway=gateway) as running:
        yield running


async def posted(host: RunningGateway, path: str) -> int:
    async with host.client(await host.person()) as client:
        return (await client.post(path)).status_code


async def lines(host: RunningGateway) -> list[str]:
    return [row["line"] for row in await host.sql("SELECT line FROM notes")]


class TestARequest:
    async def test_is_committed_when_it_is_answered(self, host: RunningGateway) -> None:
        assert await posted(host, "/notes/first") == 200
        assert await lines(host) == ["first"]

    async def test_is_not_answered_with_yes_when_the_commit_fails(self, host: RunningGateway) -> None:
        assert await posted(host, "/notes/first?after=missing") == 409
        assert await lines(host) == []

    async def test_that_makes_its_own_answer_is_none_the_wiser(self, host: RunningGateway) -> None:
        assert await posted(host, "/answered/first") == 409
        assert await lines(host) == []

    async def test_that_is_refused_leaves_nothing(self, host: RunningGateway) -> None:
        assert await posted(host, "/refused/first") == 409
        assert await lines(host) == []
