"""How PostgreSQL runs what every request asks: by keys alone, however large the installation grows."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
import json
from typing import Any

import asyncpg
import pytest

from modules.rbac.repository.authorisation import RULES, STATEMENTS, new_connections
from modules.shared.database import DatabaseUrls
from tests.support.waiting import eventually

ASKED = {**STATEMENTS, "rules": RULES}
ONE_ROW = "installation"
"""The one table that may be read whole."""


@pytest.fixture
async def connection(database_urls: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the application makes it, with its settings and its login."""
    statements = new_connections(database_urls.auth, connections=1, deadline=timedelta(seconds=5), waiters=1)
    await statements.start()
    await eventually(lambda: statements.idle == 1)
    yield statements._free[0].connection
    await statements.stop()


async def plan(connection: asyncpg.Connection, sql: str) -> dict[str, Any]:
    """The generic plan, which is what a prepared statement runs."""
    await connection.execute(f"PREPARE asked AS {sql}")
    parameters = ", ".join(["'{}'"] * max(number for number in range(1, 4) if f"${number}" in sql))
    (row,) = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE asked({parameters})")
    found: dict[str, Any] = json.loads(row[0])[0]["Plan"]
    return found


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for below in tree.get("Plans", ()):
        yield from nodes(below)


def tables_read(tree: dict[str, Any], *ways: str) -> set[str]:
    return {node["Relation Name"] for node in nodes(tree) if node["Node Type"] in ways}


class TestThePlan:
    @pytest.mark.parametrize("name", ASKED)
    async def test_reads_no_table_whole(self, connection: asyncpg.Connection, name: str) -> None:
        found = await plan(connection, ASKED[name])
        assert {node["Node Type"] for node in nodes(found) if "Bitmap" in node["Node Type"]} == set()
        assert tables_read(found, "Seq Scan", "Sample Scan", "Tid Scan") <= {ONE_ROW}

    @pytest.mark.parametrize("name", ASKED)
    async def test_looks_each_row_up_by_a_key(self, connection: asyncpg.Connection, name: str) -> None:
        """An index scan without a condition would walk through the whole index."""
        found = await plan(connection, ASKED[name])
        without = [
            node["Relation Name"]
            for node in nodes(found)
            if node["Node Type"].startswith("Index") and not node.get("Index Cond") and node["Relation Name"] != ONE_ROW
        ]
        assert without == []

    @pytest.mark.parametrize("name", ASKED)
    async def test_joins_by_looking_up(self, connection: asyncpg.Connection, name: str) -> None:
        found = await plan(connection, ASKED[name])
        assert {node["Node Type"] for node in nodes(found)} & {"Hash Join", "Merge Join", "Materialize"} == set()

    async def test_is_generic_and_never_compiled(self, connection: asyncpg.Connection) -> None:
        assert await connection.fetchval("SHOW plan_cache_mode") == "force_generic_plan"
        assert await connection.fetchval("SHOW jit") == "off"

    async def test_reads_tokens_in_few_partitions(self, connection: asyncpg.Connection) -> None:
        """Each is looked into when the statement starts; they are weekly, and those that ended are dropped."""
        found = await plan(connection, STATEMENTS["caller"])
        partitions = {each for each in tables_read(found, "Index Scan") if each.startswith("access_tokens")}
        assert 1 <= len(partitions) <= 7
