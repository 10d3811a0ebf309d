"""Whether a running process counts itself ready, by the level of its database."""

import subprocess
import sys

from alembic.script import ScriptDirectory
import asyncpg
import pytest

from gateway import migrations
from gateway.http.health import NotReady
from gateway.migrations.runs import configuration
from gateway.wiring import _has_level
from tests.support.gateway import RunningGateway
from tests.support.postgres import DatabaseUrls

ALEMBIC = ScriptDirectory.from_config(configuration("postgresql://offline"))


async def level_check(running: RunningGateway, urls: DatabaseUrls, change: str) -> tuple[int, str]:
    """What `/health/ready` says after `change` to the recorded level."""
    connection = await asyncpg.connect(urls.superuser)
    await connection.execute(change)
    await connection.close()
    async with running.client() as client:
        answer = await client.get("/health/ready")
        return answer.status_code, answer.json()["checks"]["level"]


class TestAProcessThatRuns:
    async def test_is_ready_at_its_own_level(self, running: RunningGateway, database_urls: DatabaseUrls) -> None:
        assert await level_check(running, database_urls, "SELECT 1") == (200, "ok")

    async def test_stays_ready_beside_a_later_version(
        self, running: RunningGateway, database_urls: DatabaseUrls
    ) -> None:
        change = "UPDATE alembic_version SET version_num = 'of a later version'"
        assert await level_check(running, database_urls, change) == (200, "ok")

    async def test_is_not_ready_without_a_level(self, running: RunningGateway, database_urls: DatabaseUrls) -> None:
        assert await level_check(running, database_urls, "DELETE FROM alembic_version") == (503, "failed")

    async def test_is_not_ready_at_an_earlier_level(self, running: RunningGateway) -> None:
        await _has_level(running.database, too_early=frozenset())
        with pytest.raises(NotReady, match=f"at level {migrations.expected_level()}"):
            await _has_level(running.database, too_early=frozenset({migrations.expected_level()}))


class TestLevels:
    def test_end_with_the_expected_one_as_alembic_finds_it(self) -> None:
        assert migrations.expected_level() == ALEMBIC.get_current_head()

    def test_are_all_those_alembic_finds(self) -> None:
        known = {migrations.expected_level(), *migrations.earlier_levels()}
        assert known == {script.revision for script in ALEMBIC.walk_revisions()}

    def test_left_behind_do_not_hold_the_expected_one(self) -> None:
        assert migrations.expected_level() not in migrations.earlier_levels()

    async def test_are_none_before_the_first_migration(self, database_urls: DatabaseUrls) -> None:
        connection = await asyncpg.connect(database_urls.superuser)
        await connection.execute("DROP TABLE alembic_version")
        await connection.close()
        assert await migrations.current_level(database_urls.system) is None


class TestServing:
    def test_does_not_load_what_migrates(self) -> None:
        program = "import sys, gateway.commands.serving; print(sorted({'alembic', 'mako'} & {*sys.modules}))"
        answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
        assert answer.stdout.strip() == "[]"
