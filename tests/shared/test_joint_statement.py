"""Many questions, one statement: everyone gets their own row, read after they asked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from modules.shared.embedded_postgres import EmbeddedPostgres
from modules.shared.errors import DatabaseUnavailable
from modules.shared.joint_statement import MOST_TOGETHER
from modules.shared.prepared_statement import PreparedStatements
from tests.support.waiting import eventually

STATEMENTS = {
    "tenfold": "SELECT 10 * q.number, q.place FROM unnest($1::int[]) WITH ORDINALITY q (number, place)",
    "backwards": "SELECT q.word, q.place FROM unnest($1::text[]) WITH ORDINALITY q (word, place) ORDER BY place DESC",
    "moment": "SELECT statement_timestamp(), pg_sleep(q.seconds), q.place"
    " FROM unnest($1::float8[]) WITH ORDINALITY q (seconds, place)",
}
WAITERS = 200


@pytest.fixture
async def statements(postgres_server: EmbeddedPostgres) -> AsyncIterator[PreparedStatements]:
    url, deadline = postgres_server.url("postgres"), timedelta(seconds=2)
    prepared = PreparedStatements(url, STATEMENTS, connections=1, deadline=deadline, waiters=WAITERS)
    await prepared.start()
    yield prepared
    await prepared.stop()


class TestAsk:
    async def test_answers_everyone_their_own_row(self, statements: PreparedStatements) -> None:
        tenfold = statements.joint("tenfold")
        rows = await asyncio.gather(*(tenfold.ask(number) for number in range(100)))
        assert [row[0] for row in rows] == [10 * number for number in range(100)]

    async def test_does_not_rely_on_the_order_of_the_rows(self, statements: PreparedStatements) -> None:
        backwards = statements.joint("backwards")
        rows = await asyncio.gather(*(backwards.ask(word) for word in "abc"))
        assert [row[0] for row in rows] == ["a", "b", "c"]

    async def test_executes_once_for_all_who_ask_together(self, statements: PreparedStatements) -> None:
        tenfold = statements.joint("tenfold")
        await asyncio.gather(*(tenfold.ask(number) for number in range(MOST_TOGETHER)))
        assert statements.statements == 1

    async def test_executes_again_for_more_than_fit_together(self, statements: PreparedStatements) -> None:
        tenfold = statements.joint("tenfold")
        await asyncio.gather(*(tenfold.ask(number) for number in range(3 * MOST_TOGETHER)))
        assert statements.statements == 3

    async def test_never_answers_with_what_was_read_before(self, statements: PreparedStatements) -> None:
        moment = statements.joint("moment")
        first = asyncio.create_task(moment.ask(0.2))
        await eventually(lambda: statements.statements == 1)
        await asyncio.sleep(0.05)  # sent is not yet begun
        asked = datetime.now(UTC)
        late = await moment.ask(0)
        assert (await first)[0] < asked <= late[0]

    async def test_is_not_disturbed_by_one_who_gave_up(self, statements: PreparedStatements) -> None:
        tenfold = statements.joint("tenfold")
        others = [asyncio.create_task(tenfold.ask(number)) for number in range(3)]
        await asyncio.sleep(0)
        others[1].cancel()
        assert [(await others[place])[0] for place in (0, 2)] == [0, 20]


class TestWaiting:
    async def test_is_counted(self, statements: PreparedStatements) -> None:
        moment = statements.joint("moment")
        asked = [asyncio.create_task(moment.ask(0.2))]
        await eventually(lambda: statements.statements == 1)
        asked += [asyncio.create_task(moment.ask(0)) for _ in range(5)]
        await asyncio.sleep(0)
        assert statements.waiting == 5
        await asyncio.gather(*asked)
        assert statements.waiting == 0

    async def test_is_bounded(self, statements: PreparedStatements) -> None:
        moment = statements.joint("moment")
        asked = [asyncio.create_task(moment.ask(0.2))]
        await eventually(lambda: statements.statements == 1)
        asked += [asyncio.create_task(moment.ask(0)) for _ in range(WAITERS)]
        await asyncio.sleep(0)
        with pytest.raises(DatabaseUnavailable):
            await moment.ask(0)
        assert len(await asyncio.gather(*asked)) == WAITERS + 1

    async def test_ends_with_the_execution_that_failed(self, statements: PreparedStatements) -> None:
        """Whoever joined just before the deadline is not made to wait for another one."""
        moment = statements.joint("moment")
        first = asyncio.create_task(moment.ask(60))
        await asyncio.sleep(1.9)
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(DatabaseUnavailable):
            await moment.ask(60)
        assert loop.time() - began < 1
        with pytest.raises(DatabaseUnavailable):
            await first

    async def test_ends_well_when_a_question_cannot_be_asked(self, statements: PreparedStatements) -> None:
        nobody = statements.joint("nobody prepared this")
        with pytest.raises(KeyError):
            await nobody.ask(1)
        assert (await statements.joint("tenfold").ask(4))[0] == 40
