"""Run by Alembic. The version table has a name of its own, because the gateway's migrations live in the same schema."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


def _run(connection: Connection) -> None:
    context.configure(connection=connection, version_table="invoices_version")
    with context.begin_transaction():
        context.run_migrations()


async def _connect_and_run() -> None:
    url = make_url(context.config.attributes["owner_url"]).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


asyncio.run(_connect_and_run())
