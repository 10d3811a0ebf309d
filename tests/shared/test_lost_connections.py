"""What PostgreSQL closed while nobody used it is replaced when it is asked for, and nobody notices."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text

from modules.shared.database import Database
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = Database(database_urls.app, database_urls.system)
    yield database
    await database.close()


async def backend(database: Database) -> int:
    async with database.system_session() as session:
        return int((await session.execute(text("SELECT pg_backend_pid()"))).scalar_one())


class TestAConnectionTheServerClosed:
    async def test_is_replaced_before_it_is_lent(self, database: Database, database_urls: DatabaseUrls) -> None:
        first = await backend(database)
        assert await backend(database) == first
        superuser = await asyncpg.connect(database_urls.superuser)
        await superuser.execute("SELECT pg_terminate_backend($1, 5000)", first)
        await superuser.close()
        await asyncio.sleep(0.1)  # the farewell of the server is read
        assert await backend(database) != first
