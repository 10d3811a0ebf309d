"""The database's level: Alembic behind a few functions, so that the CLI, the start and the tests share one way.

A run is async underneath, holds a session advisory lock (four starting at once end well) and connects as
`mandate_owner`.
"""

import asyncio
import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from modules.shared.database import sqlalchemy_url


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Waits for another run that is under way; raises what PostgreSQL raises."""
    command.upgrade(_configuration(owner_url), revision)


def upgrade_sql(revision: str = "head") -> str:
    """The SQL that `upgrade` would run from an empty database, for `psql`."""
    script = io.StringIO()
    configuration = _configuration("postgresql://offline")
    configuration.output_buffer = script
    command.upgrade(configuration, revision, sql=True)
    return script.getvalue()


def expected_level() -> str:
    """The level this version of the program needs."""
    head = _scripts().get_current_head()
    if head is None:
        raise LookupError("no migrations are packaged")
    return head


def earlier_levels() -> frozenset[str]:
    """The levels this version knows and has left behind. One it does not know is a later version's."""
    return frozenset(script.revision for script in _scripts().walk_revisions()) - {expected_level()}


async def current_level(url: str) -> str | None:
    """The level the database is at; None when it was never migrated."""
    engine = create_async_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_level)
    finally:
        await engine.dispose()


async def require_level(url: str) -> None:
    """Raise WrongLevel on a database of another level than this version needs."""
    current, expected = await current_level(url), expected_level()
    if current != expected:
        raise WrongLevel(
            f"the database is at level {current or 'none'}, this version needs {expected}: run `mandate migrate`"
        )


class WrongLevel(Exception):
    """The database must be migrated before this version can serve it."""


def current_level_sync(url: str) -> str | None:
    """`current_level` for callers without an event loop."""
    return asyncio.run(current_level(url))


def _level(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_configuration("postgresql://offline"))


def _configuration(owner_url: str) -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent))
    configuration.attributes["owner_url"] = owner_url
    return configuration
