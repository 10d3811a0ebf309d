"""`mandate migrate`: the database's logins and its level."""

import asyncio

import asyncpg
from sqlalchemy.exc import DBAPIError
import typer

from gateway import migrations
from gateway.commands.installation import require_answer
from gateway.commands.refusals import Refused
from gateway.embedded_database import database_of, external_urls
from gateway.migrations.runs import upgrade, upgrade_sql
from gateway.settings import Settings
from modules.shared.database_logins import logins_sql

__all__ = ["is_current", "logins_sql", "migrate", "migration_sql"]


def migrate(settings: Settings) -> None:
    """Bring the database to this version's level. Raises Refused, DatabaseAway, EmbeddedPostgresError."""
    if settings.database.embedded:
        asyncio.run(_visit_embedded(settings))
    else:
        url = _owner_url(settings)
        asyncio.run(require_answer(url))
        try:
            upgrade(url)
        except (DBAPIError, asyncpg.PostgresError) as error:
            raise Refused(f"the migration failed and changed nothing: {error}") from error
    typer.echo(f"The database is at level {migrations.expected_level()}.")


def is_current(settings: Settings) -> bool:
    """Whether the database is at this version's level, said in a sentence."""
    if settings.database.embedded:
        typer.echo("The embedded database is brought to its level whenever it is started.")
        return True
    url = external_urls(settings).system
    asyncio.run(require_answer(url))
    current, expected = migrations.current_level_sync(url), migrations.expected_level()
    typer.echo(f"The database is at level {current or 'none'}; this version needs {expected}.")
    return current == expected


def migration_sql() -> str:
    """What a migration from an empty database would run, for `psql` as mandate_owner."""
    return upgrade_sql()


async def _visit_embedded(settings: Settings) -> None:
    async with database_of(settings):
        pass


def _owner_url(settings: Settings) -> str:
    url = external_urls(settings).owner
    if not url:
        raise Refused("[database] owner_url is needed to migrate: the login mandate_owner owns the schema")
    return url
