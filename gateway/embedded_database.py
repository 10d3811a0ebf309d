"""The installation's own PostgreSQL: started on demand, with its logins, its database and its level made ready."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from gateway import migrations
from gateway.settings import Settings
from modules.shared.database import DatabaseUrls
from modules.shared.database_logins import create_database, ensure_logins
from modules.shared.embedded_postgres import EmbeddedPostgres

_log = structlog.get_logger(__name__)
_DATABASE = "mandate"
_WATCH_SECONDS = 1.0


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[DatabaseUrls]:
    """The URLs of the installation's database for as long as the block runs.

    An embedded server is started (or joined, when another process of this installation runs it), brought to this
    version's level, and watched: a postmaster that was killed is started again. An external database is taken as it is.
    """
    if not settings.database.embedded:
        yield external_urls(settings)
        return
    server = EmbeddedPostgres(embedded_directory(settings))
    await asyncio.to_thread(server.start)
    try:
        superuser = server.url("postgres")
        await ensure_logins(superuser)
        await create_database(superuser, _DATABASE)
        urls = embedded_urls(server)
        if await migrations.current_level(urls.owner) != migrations.expected_level():
            await asyncio.to_thread(_upgrade, urls.owner)
        watch = asyncio.create_task(_watch(server), name="embedded-postgres-watch")
        try:
            yield urls
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
    finally:
        await asyncio.to_thread(server.stop)


def _upgrade(owner_url: str) -> None:
    from gateway.migrations.runs import upgrade  # noqa: PLC0415  # Alembic, for a new version's first start only

    upgrade(owner_url)


def external_urls(settings: Settings) -> DatabaseUrls:
    """The configured URLs. The owner's may be empty: only migrations need it."""
    section = settings.database
    return DatabaseUrls(
        owner=section.owner_url.get_secret_value(),
        auth=section.auth_url.get_secret_value(),
        app=section.url.get_secret_value(),
        system=section.system_url.get_secret_value(),
    )


def embedded_urls(server: EmbeddedPostgres) -> DatabaseUrls:
    """The URLs of the four logins on the embedded server."""
    return DatabaseUrls(*(server.url(_DATABASE, f"mandate_{login}") for login in ("owner", "auth", "app", "system")))


def embedded_directory(settings: Settings) -> Path:
    """Where the embedded server keeps its data."""
    return settings.installation.data_directory / "postgres"


async def _watch(server: EmbeddedPostgres) -> None:
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        try:
            if await asyncio.to_thread(server.ensure_running):
                _log.warning("embedded_postgres_restarted")
        except Exception as error:  # noqa: BLE001 - tried again in a second, and the requests say 503 meanwhile
            _log.error("embedded_postgres_not_restarted", error=str(error))
