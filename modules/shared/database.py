"""PostgreSQL through SQLAlchemy: one transaction per unit of work, bound to one tenant.

Two logins are used here (see `database_logins`): `mandate_app` for requests and ordinary jobs, behind row-level
security, and `mandate_system` for what works across mandates. The tenant travels inside `BEGIN` itself, as
transaction-local settings, so it costs no round trip and cannot outlive the transaction.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, Self, TypeVar

import asyncpg
from sqlalchemy import MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, SessionTransaction
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from modules.shared.ids import InstanceId, MandateId, UserId
from modules.shared.ownership import UnscopedStatement, anything_protected

RIGHTS = "rights"
"""Where a session keeps the rights of the request that narrow its statements (see scoping.py)."""

_P = ParamSpec("_P")
_R = TypeVar("_R")
_TENANT = "tenant"
_READ_ONLY = "read_only"


class Base(DeclarativeBase):
    """Declarative base of every table of the product."""

    metadata = MetaData()


class Tenant(NamedTuple):
    """Whose rows a transaction may see: the second wall compares these with each row (row-level security)."""

    mandate_id: MandateId | None = None
    instance_id: InstanceId | None = None
    user_id: UserId | None = None

    def settings(self) -> str:
        """The `SET LOCAL` statements that carry this tenant into a transaction."""
        values = (("mandate_id", self.mandate_id), ("instance_id", self.instance_id), ("user_id", self.user_id))
        return ";".join(f"SET LOCAL mandate.{name} = '{value}'" for name, value in values if value is not None)


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One `postgresql://` URL per login."""

    owner: str
    auth: str
    app: str
    system: str


class TenantConnection(asyncpg.Connection):
    """Appends the tenant's settings to `BEGIN`, in the same round trip."""

    prologue: str = ""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ANN401, ASYNC109
        """As asyncpg's; a `BEGIN` without arguments also carries the prologue."""
        if not args and self.prologue and query.startswith("BEGIN"):
            query = query.rstrip("; ") + self.prologue
        return await super().execute(query, *args, timeout=timeout)


class Database:
    """The engines of one process. `session` and `system_session` are one transaction each, committed when their block
    ends well.
    """

    def __init__(
        self,
        app_url: str,
        system_url: str,
        *,
        pool_size: int = 10,
        max_overflow: int = 5,
        system_pool_size: int = 4,
        statement_timeout: timedelta = timedelta(seconds=15),
    ) -> None:
        self.app_engine = _engine(app_url, pool_size, max_overflow, statement_timeout)
        self.system_engine = _engine(system_url, system_pool_size, max_overflow, statement_timeout)
        self._app_sessions = _sessions(self.app_engine)
        self._system_sessions = _sessions(self.system_engine)

    def open(self, tenant: Tenant, *, read_only: bool = False) -> AsyncSession:
        """A session bound to `tenant` for life, to be committed and closed. Takes no connection until first used."""
        return self._app_sessions(info={_TENANT: tenant, _READ_ONLY: read_only})

    @asynccontextmanager
    async def session(self, tenant: Tenant | None = None) -> AsyncIterator[AsyncSession]:
        """One transaction of `mandate_app`; without a tenant it sees no mandate's rows."""
        async with self.open(tenant or Tenant()) as session, session.begin():
            yield session

    @asynccontextmanager
    async def system_session(self) -> AsyncIterator[AsyncSession]:
        """One transaction of `mandate_system`, across mandates: for sweeps, keys and `/admin` lists only."""
        async with self._system_sessions(info={_TENANT: Tenant()}) as session, session.begin():
            yield session

    async def close(self) -> None:
        """Give all connections back."""
        await self.app_engine.dispose()
        await self.system_engine.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def sqlalchemy_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy's asyncpg dialect wants it."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


class WaitedForPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, which also knows how many wait for a connection."""

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401 - as the base class
        super().__init__(*given, **named)
        self.waiting = 0

    def _do_get(self) -> ConnectionPoolEntry:
        must_wait = self.checkedin() == 0 and self.overflow() >= self._max_overflow
        self.waiting += must_wait
        try:
            return super()._do_get()
        finally:
            self.waiting -= must_wait


def _engine(url: str, pool_size: int, max_overflow: int, statement_timeout: timedelta) -> AsyncEngine:
    engine = create_async_engine(
        sqlalchemy_url(url),
        poolclass=WaitedForPool,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_timeout=5,
        pool_pre_ping=False,
        connect_args={
            "connection_class": TenantConnection,
            "timeout": 5,
            "server_settings": {
                "application_name": "mandate-gateway",
                "statement_timeout": str(int(statement_timeout.total_seconds() * 1000)),
                "timezone": "UTC",
                "jit": "off",
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _replace_if_closed)
    event.listen(engine.sync_engine, "checkin", _forget_tenant)
    return engine


def _sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    return async_sessionmaker(engine, expire_on_commit=False, sync_session_class=TenantSession)


def _closed_when_narrowed(
    method: Callable[Concatenate["TenantSession", _P], _R],
) -> Callable[Concatenate["TenantSession", _P], _R]:
    @wraps(method)
    def refuse(session: "TenantSession", /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if RIGHTS in session.info and anything_protected():
            raise UnscopedStatement(f"{method.__name__}() passes by what narrows this session: use its statements")
        return method(session, *args, **kwargs)

    return refuse


class TenantSession(Session):
    """The synchronous half of every session; hooks (tenant, scope) are registered on this class.

    Where a context narrows the session, the ways around its hooks raise UnscopedStatement.
    """

    connection = _closed_when_narrowed(Session.connection)
    bulk_save_objects = _closed_when_narrowed(Session.bulk_save_objects)
    bulk_insert_mappings = _closed_when_narrowed(Session.bulk_insert_mappings)
    bulk_update_mappings = _closed_when_narrowed(Session.bulk_update_mappings)


@event.listens_for(TenantSession, "after_begin")
def _carry_tenant(session: Session, transaction: SessionTransaction, connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
    if transaction.nested:
        return
    tenant: Tenant = session.info[_TENANT]
    settings = tenant.settings()
    access = " READ ONLY" if session.info.get(_READ_ONLY) else ""
    connection.connection.driver_connection.prologue = f"{access};{settings}" if access or settings else ""


def _replace_if_closed(dbapi_connection: Any, _record: Any, _lent: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
    """Costs no round trip: what the server closed while the connection lay in the pool is known here."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError("closed by the server")


def _forget_tenant(dbapi_connection: Any, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
    if dbapi_connection is not None:
        dbapi_connection.driver_connection.prologue = ""
