"""Statements on connections of their own: who is next, what a lost connection costs, and that nobody waits forever."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
import os
from pathlib import Path
import signal

import pytest

from modules.shared.embedded_postgres import EmbeddedPostgres
from modules.shared.errors import DatabaseUnavailable
from modules.shared.prepared_statement import PreparedStatements
from tests.support.postgres import new_directory, remove_server, server_in
from tests.support.waiting import eventually

STATEMENTS = {
    "number": "SELECT $1::int AS number",
    "sleep": "SELECT pg_sleep($1)",
    "backend": "SELECT pg_backend_pid() AS pid",
}
DEADLINE = 1.0
TOLERANCE = 0.7
"""For a machine that has other things to do."""
pytestmark = pytest.mark.postgres


@asynccontextmanager
async def prepared(
    server: EmbeddedPostgres, *, connections: int = 1, waiters: int = 100
) -> AsyncIterator[PreparedStatements]:
    statements = PreparedStatements(
        server.url("postgres"),
        STATEMENTS,
        connections=connections,
        deadline=timedelta(seconds=DEADLINE),
        waiters=waiters,
    )
    await statements.start()
    await eventually(lambda: statements.idle == connections)
    try:
        yield statements
    finally:
        await statements.stop()


async def seconds_until_refused(question: Awaitable[object]) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(DatabaseUnavailable):
        await question
    return loop.time() - began


async def backends(statements: PreparedStatements, most: int) -> set[int]:
    """The server processes that answer so many questions at once."""
    rows = await asyncio.gather(*(statements.fetch("backend") for _ in range(most)))
    return {row["pid"] for (row,) in rows}


class TestFetch:
    async def test_answers_the_rows(self, postgres_server: EmbeddedPostgres) -> None:
        async with prepared(postgres_server) as statements:
            (row,) = await statements.fetch("number", 7)
            assert row["number"] == 7

    async def test_starves_nobody(self, postgres_server: EmbeddedPostgres) -> None:
        """A freed connection goes to whoever waited longest, not to the one who is quickest to ask again."""
        answered: Counter[int] = Counter()

        async def ask_again_and_again(who: int) -> None:
            while answered.total() < 400:
                await statements.fetch("number", who)
                answered[who] += 1

        async with prepared(postgres_server) as statements:
            await asyncio.gather(*(ask_again_and_again(who) for who in range(20)))
        assert max(answered.values()) - min(answered.values()) <= 1

    async def test_gives_the_connection_to_the_next_when_a_waiting_one_gave_up(
        self, postgres_server: EmbeddedPostgres
    ) -> None:
        async with prepared(postgres_server) as statements:
            busy = asyncio.create_task(statements.fetch("sleep", 0.2))
            waiting = [asyncio.create_task(statements.fetch("number", number)) for number in range(3)]
            await eventually(lambda: statements.waiting == 3)
            waiting[0].cancel()
            await asyncio.gather(busy, waiting[1], waiting[2])
            assert (statements.waiting, statements.idle) == (0, 1)

    async def test_refuses_at_once_when_too_many_wait(self, postgres_server: EmbeddedPostgres) -> None:
        async with prepared(postgres_server, waiters=2) as statements:
            asked = [asyncio.create_task(statements.fetch("sleep", 0.1)) for _ in range(3)]
            await eventually(lambda: statements.waiting == 2)
            assert await seconds_until_refused(statements.fetch("number", 1)) < 0.1
            await asyncio.gather(*asked)

    async def test_waits_and_asks_within_one_deadline(self, postgres_server: EmbeddedPostgres) -> None:
        async with prepared(postgres_server) as statements:
            busy = asyncio.create_task(statements.fetch("sleep", 0.8 * DEADLINE))
            await eventually(lambda: statements.idle == 0)
            assert await seconds_until_refused(statements.fetch("sleep", 60)) < DEADLINE + TOLERANCE
            await busy

    async def test_leaves_nothing_behind_where_it_was_refused(self, postgres_server: EmbeddedPostgres) -> None:
        async with prepared(postgres_server) as statements:
            await seconds_until_refused(statements.fetch("sleep", 60))
            assert statements.waiting == 0
            (row,) = await statements.fetch("number", 3)
            assert row["number"] == 3


class TestALostConnection:
    async def test_costs_no_answer(self, postgres_server: EmbeddedPostgres) -> None:
        async with prepared(postgres_server, connections=2) as statements:
            (row,) = await statements.fetch("backend")
            os.kill(row["pid"], signal.SIGTERM)
            rows = await asyncio.gather(*(statements.fetch("number", number) for number in range(20)))
            assert [row["number"] for (row,) in rows] == list(range(20))

    async def test_comes_back(self, postgres_server: EmbeddedPostgres) -> None:
        async with prepared(postgres_server, connections=2) as statements:
            (lost,) = await backends(statements, 1)
            os.kill(lost, signal.SIGTERM)

            async def another_stands_in() -> bool:
                return len(await backends(statements, 2) - {lost}) == 2

            await eventually(another_stands_in)

    async def test_that_hangs_is_given_up_at_the_deadline(self, postgres_server: EmbeddedPostgres) -> None:
        async with prepared(postgres_server) as statements:
            (row,) = await statements.fetch("backend")
            os.kill(row["pid"], signal.SIGSTOP)
            try:
                assert await seconds_until_refused(statements.fetch("number", 1)) < DEADLINE + TOLERANCE
                (answer,) = await statements.fetch("number", 2)
                assert answer["number"] == 2
            finally:
                os.kill(row["pid"], signal.SIGCONT)


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = new_directory()
    yield directory
    remove_server(directory)


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedPostgres]:
    with server_in(directory) as server:
        yield server


class TestAKilledServer:
    async def test_is_reported_within_the_deadline_and_answers_when_it_is_back(
        self, directory: Path, server: EmbeddedPostgres
    ) -> None:
        async with prepared(server, connections=2) as statements:
            os.kill(int((directory / "cluster" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            await eventually(lambda: statements.idle == 0)
            refused = await asyncio.gather(
                *(seconds_until_refused(statements.fetch("number", number)) for number in range(10))
            )
            assert max(refused) < DEADLINE + TOLERANCE
            assert await asyncio.to_thread(server.ensure_running)
            await eventually(lambda: statements.idle == 2)
            (row,) = await statements.fetch("number", 5)
            assert row["number"] == 5
