"""Row-level security, without the application in front of it: the application's WHERE is removed, or there is none."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
import re
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from modules.shared.ids import MandateId
from tests.conscience.operations import operations
from tests.conscience.requests import path_values
from tests.conscience.world import World, world
from tests.support.postgres import DatabaseUrls

_GLOBAL = {"roles", "access_rules"}
"""Tables of which some rows of the root mandate are for every mandate to read."""
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.attname = 'mandate_id' ORDER BY 1
"""

_TERM = re.compile(r"(?:\w+\.)?\b(?:mandate_id|(?<=mandates\.)id) = (\$\d+)(?:::UUID)?")


@pytest.fixture
async def tables(database_urls: DatabaseUrls, here: World) -> list[str]:
    """Every table with a mandate."""
    connection = await asyncpg.connect(database_urls.superuser)
    try:
        return [row["relname"] for row in await connection.fetch(_TABLES)]
    finally:
        await connection.close()


@asynccontextmanager
async def bound_to(urls: DatabaseUrls, mandate_id: MandateId | None) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """A transaction of `mandate_app` with the settings of a mandate, as the application opens it; rolled back."""
    connection = await asyncpg.connect(urls.app)
    transaction = connection.transaction()
    await transaction.start()
    if mandate_id is not None:
        await connection.execute(f"SET LOCAL mandate.mandate_id = '{mandate_id}'")
    try:
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


async def mandates_seen(connection: "asyncpg.Connection[Any]", table: str) -> set[MandateId]:
    return {MandateId(row[0]) for row in await connection.fetch(f"SELECT DISTINCT mandate_id FROM {table}")}


async def refusal(connection: "asyncpg.Connection[Any]", statement: str, *values: object) -> str:
    """What the database says to a statement: the name of its error, or how many rows it changed."""
    try:
        async with connection.transaction():
            done = await connection.execute(statement, *values)
    except asyncpg.PostgresError as error:
        return type(error).__name__
    return str(done).rpartition(" ")[2]


@contextmanager
def without_where(here: World) -> Iterator[list[str]]:
    """Remove the mandate from the WHERE of every SELECT of the requests; yields the statements it was removed from."""
    engine, changed = here.gateway.database.app_engine.sync_engine, []

    def remove(
        _connection: object, _cursor: object, statement: str, parameters: object, _context: object, _many: object
    ) -> tuple[str, object]:
        bare = _TERM.sub(r"\1::uuid IS NOT NULL", statement) if statement.lstrip().startswith("SELECT") else statement
        if bare != statement:
            changed.append(statement)
        return bare, parameters

    event.listen(engine, "before_cursor_execute", remove, retval=True)
    try:
        yield changed
    finally:
        event.remove(engine, "before_cursor_execute", remove)


async def shown(here: World, *paths: str) -> dict[str, list[str]]:
    """What of the foreign mandate an administrator of the own one reads, by path (of all, unless some are named)."""
    foreign = {name: str(value) for name, value in here.foreign.values().items()}
    person = here.personas["administrator"]
    found = {}
    async with here.gateway.client(person, here.own.mandate_id) as client:
        for operation in operations(here.gateway.app):
            if operation.is_safe and operation.reads_mandate_header and (not paths or operation.path in paths):
                answer = await client.get(operation.filled(path_values(operation, here.own, here)))
                if names := [name for name, value in foreign.items() if value in answer.text]:
                    found[operation.path] = names
    return found


class TestEveryTableWithAMandate:
    async def test_shows_the_rows_of_the_mandate_asked_for(
        self, database_urls: DatabaseUrls, here: World, tables: list[str]
    ) -> None:
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            seen = {table: await mandates_seen(connection, table) for table in tables}
        assert [table for table, mandates in seen.items() if here.own.mandate_id not in mandates] == []

    async def test_shows_no_row_of_another(self, database_urls: DatabaseUrls, here: World, tables: list[str]) -> None:
        seen = {}
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            for table in tables:
                public = {await here.gateway.root()} if table in _GLOBAL else set()
                if others := await mandates_seen(connection, table) - {here.own.mandate_id} - public:
                    seen[table] = others
        assert seen == {}

    async def test_shows_nothing_outside_any_mandate(
        self, database_urls: DatabaseUrls, here: World, tables: list[str]
    ) -> None:
        seen = {}
        async with bound_to(database_urls, None) as connection:
            for table in tables:
                public = {await here.gateway.root()} if table in _GLOBAL else set()
                if others := await mandates_seen(connection, table) - public:
                    seen[table] = others
        assert seen == {}

    @pytest.mark.parametrize("statement", ["UPDATE {} SET mandate_id = mandate_id", "DELETE FROM {}"])
    async def test_lets_nobody_change_a_row_of_another(
        self, database_urls: DatabaseUrls, here: World, tables: list[str], statement: str
    ) -> None:
        outcomes = {}
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            for table in tables:
                wanted = f"{statement.format(table)} WHERE mandate_id = $1"
                outcomes[table] = await refusal(connection, wanted, here.foreign.mandate_id)
        assert set(outcomes.values()) <= {"0", "InsufficientPrivilegeError"}, outcomes

    async def test_lets_nobody_move_a_row_to_another(
        self, database_urls: DatabaseUrls, here: World, tables: list[str]
    ) -> None:
        outcomes = {}
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            for table in tables:
                wanted = f"UPDATE {table} SET mandate_id = $1 WHERE mandate_id = $2"
                outcomes[table] = await refusal(connection, wanted, here.foreign.mandate_id, here.own.mandate_id)
        assert set(outcomes.values()) == {"InsufficientPrivilegeError"}, outcomes

    async def test_keeps_global_roles_from_being_changed_inside_a_mandate(
        self, database_urls: DatabaseUrls, here: World
    ) -> None:
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            assert await refusal(connection, "UPDATE roles SET name = 'mine' WHERE scope = 'global'") == "0"
            assert (
                await refusal(connection, "DELETE FROM access_rules WHERE mandate_id <> $1", here.own.mandate_id) == "0"
            )

    async def test_keeps_a_mandate_from_making_a_role_that_binds_all(
        self, database_urls: DatabaseUrls, here: World
    ) -> None:
        wanted = """INSERT INTO roles (id, mandate_id, scope, key, name, version)
            VALUES (gen_random_uuid(), $1, 'global', 'everyone', 'mine', gen_random_uuid())"""
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            assert await refusal(connection, wanted, here.own.mandate_id) == "InsufficientPrivilegeError"
            raised = "UPDATE roles SET scope = 'global' WHERE mandate_id = $1"
            assert await refusal(connection, raised, here.own.mandate_id) == "InsufficientPrivilegeError"


class TestTheMandateItself:
    async def test_is_the_only_one_in_sight(self, database_urls: DatabaseUrls, here: World) -> None:
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            seen = {row["id"] for row in await connection.fetch("SELECT id FROM mandates")}
        assert seen == {here.own.mandate_id}

    @pytest.mark.parametrize("change", ["enabled = true", "is_root = true", "slug = 'mine'", "delete_after = NULL"])
    async def test_is_not_opened_renamed_or_kept_by_a_request(
        self, database_urls: DatabaseUrls, here: World, change: str
    ) -> None:
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            outcome = await refusal(connection, f"UPDATE mandates SET {change} WHERE id = $1", here.own.mandate_id)
        assert outcome == "InsufficientPrivilegeError"


class TestThePeopleInTheTrail:
    """Their mail, address and device stand beside the event, in a table of their own."""

    async def test_are_those_of_the_mandates_own_events(self, database_urls: DatabaseUrls, here: World) -> None:
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            seen = {row["event_id"] for row in await connection.fetch("SELECT event_id FROM audit_subjects")}
        own = await here.gateway.sql("SELECT id FROM audit_events WHERE mandate_id = :own", own=here.own.mandate_id)
        assert seen
        assert seen <= {row["id"] for row in own}

    async def test_are_nobody_outside_any_mandate(self, database_urls: DatabaseUrls, here: World) -> None:
        async with bound_to(database_urls, None) as connection:
            assert await connection.fetch("SELECT event_id FROM audit_subjects") == []

    async def test_are_not_written_into_another_mandate(self, database_urls: DatabaseUrls, here: World) -> None:
        wanted = "INSERT INTO audit_subjects (mandate_id, event_id) VALUES ($1, gen_random_uuid())"
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            assert await refusal(connection, wanted, here.foreign.mandate_id) == "InsufficientPrivilegeError"
            assert await refusal(connection, wanted, await here.gateway.root()) == "1"


class TestTheCapsOfTheInstallation:
    async def test_are_written_by_no_trigger_of_a_requests_own(self, database_urls: DatabaseUrls, here: World) -> None:
        asked = "SELECT has_function_privilege('repeat_global_caps()', 'EXECUTE')"
        async with bound_to(database_urls, here.own.mandate_id) as connection:
            assert await connection.fetchval(asked) is False


class TestTheApplicationWithoutItsWhere:
    async def test_shows_nothing_of_another_mandate(self, here: World) -> None:
        with without_where(here) as removed:
            assert await shown(here) == {}
        assert len(removed) > 10

    async def test_would_show_it_without_the_second_wall(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        lists = ("/api/v1/groups", "/api/v1/instances", "/api/v1/members")
        async with world(replace(database_urls, app=database_urls.system), tmp_path) as open_house:
            with without_where(open_house):
                assert tuple(await shown(open_house, *lists)) == lists
