"""The database that the fixture gives to each test."""

from dataclasses import asdict

import asyncpg
import pytest

from gateway.migrations import current_level, expected_level
from tests.support.postgres import DatabaseUrls


class TestDatabaseUrls:
    async def test_are_of_a_migrated_database(self, database_urls: DatabaseUrls) -> None:
        assert await current_level(database_urls.owner) == expected_level()

    @pytest.mark.parametrize("login", ["owner", "auth", "app", "system"])
    async def test_sign_in_as_the_login_they_are_named_after(self, database_urls: DatabaseUrls, login: str) -> None:
        connection = await asyncpg.connect(asdict(database_urls)[login])
        assert await connection.fetchval("SELECT current_user") == f"mandate_{login}"
        await connection.close()

    @pytest.mark.parametrize("turn", [1, 2])
    async def test_are_of_a_database_without_traces_of_another_test(
        self, database_urls: DatabaseUrls, turn: int
    ) -> None:
        connection = await asyncpg.connect(database_urls.owner)
        await connection.execute("CREATE TABLE trace ()")
        await connection.close()
