"""The database's level, and which one this version of the program needs.

A level is the number its file in `versions` begins with. Serving only compares levels and so leaves Alembic alone,
which takes 9 MB; `gateway.migrations.runs` migrates with it.
"""

import asyncio
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from modules.shared.database import sqlalchemy_url


def expected_level() -> str:
    """The level this version of the program needs."""
    return _levels()[-1]


def earlier_levels() -> frozenset[str]:
    """The levels this version knows and has left behind. One it does not know is a later version's."""
    return frozenset(_levels()[:-1])


async def current_level(url: str) -> str | None:
    """The level the database is at; None when it was never migrated."""
    engine = create_async_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            if await connection.scalar(text("SELECT to_regclass('alembic_version') IS NULL")):
                return None
            level: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            return level
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


def _levels() -> list[str]:
    """Every level, the earliest first."""
    return sorted(file.name.partition("_")[0] for file in (Path(__file__).parent / "versions").glob("*.py"))
