"""What most commands begin with: the settings, the database at its level, the services behind the routes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
import os
from pathlib import Path
import sys

import asyncpg
from sqlalchemy.engine import make_url

from gateway import migrations
from gateway.app import Gateway
from gateway.commands.refusals import DatabaseAway
from gateway.embedded_database import database_of
from gateway.settings import Settings
from gateway.wiring import Installation, running
from modules.shared.database import DatabaseUrls
from modules.shared.logging import configure_logging

DEFAULT_CONFIG = Path("config.ini")
_PATIENCE_SECONDS = 10


def load_settings(config: Path | None, overrides: Mapping[str, str | None] | None = None) -> Settings:
    """The settings from `config` (by default config.ini here, if there is one), the environment and `overrides`.

    Raises SettingsError with everything that is wrong.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    return Settings.load(path, environment=os.environ, overrides=given)


@asynccontextmanager
async def database_ready(settings: Settings) -> AsyncIterator[DatabaseUrls]:
    """The database for as long as the block runs, every login answered and at the level this version needs.

    Raises EmbeddedPostgresError, DatabaseAway or WrongLevel.
    """
    async with database_of(settings) as urls:
        for url in (urls.auth, urls.app, urls.system):
            await require_answer(url)
        await migrations.require_level(urls.system)
        yield urls


@asynccontextmanager
async def installation_of(settings: Settings) -> AsyncIterator[Installation]:
    """The services of the installation for a command: it leaves the jobs to others, and standard output is its own."""
    configure_logging(settings.logging.model_copy(update={"level": "WARNING"}), sys.stderr)
    async with database_ready(settings) as urls, running(without_jobs(settings, urls), urls) as installation:
        yield installation


def without_jobs(settings: Settings, urls: DatabaseUrls) -> Gateway:
    """A gateway that serves nobody and works on no jobs by itself."""
    jobs = settings.jobs.model_copy(update={"in_process": False})
    return Gateway(settings.model_copy(update={"jobs": jobs}), urls)


async def require_answer(url: str) -> None:
    """Connect once. Raises DatabaseAway, which names the login and never its password."""
    try:
        connection = await asyncpg.connect(url, timeout=_PATIENCE_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        cause = str(error) or type(error).__name__
        raise DatabaseAway(f"the database cannot be reached as {_login(url)}: {cause}") from error
    await connection.close()


def _login(url: str) -> str:
    return make_url(url).username or "nobody"
