"""The statements of data connections, and the windows onto other features' tables that say whether an owner stands."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Select,
    String,
    Uuid,
    column,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    table,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from modules.connections.models import Connection, ConnectionEnding
from modules.shared.catalogue import AccessLevel
from modules.shared.context import RequestContext
from modules.shared.ids import MandateId, UserId
from modules.shared.pagination import Column, Ordering, PageQuery, read_page

_Moment = DateTime(timezone=True)
_MEMBERSHIPS = table(
    "memberships",
    column("mandate_id", Uuid),
    column("user_id", Uuid),
    column("enabled", Boolean),
    column("valid_from", _Moment),
    column("valid_until", _Moment),
)
_GROUP_MEMBERS = table("group_members", column("mandate_id", Uuid), column("group_id", Uuid), column("user_id", Uuid))
_MANDATES = table("mandates", column("id", Uuid), column("name", String), column("enabled", Boolean))
_USERS = table(
    "users",
    column("id", Uuid),
    column("email", String),
    column("language", String),
    column("state", String),
    column("delete_after", _Moment),
)
_TOKENS = table("tokens", column("id", Uuid), column("revoked_at", _Moment))
_COLUMNS: Final[Mapping[str, Column]] = {"created_at": Connection.created_at, "provider": Connection.provider}


class FoundConnection(NamedTuple):
    """A connection, whether its owner stands in the mandate, and whether its access token was ended by an operator."""

    connection: Connection
    owner_stands: bool
    is_revoked: bool


class Owner(NamedTuple):
    """Whom a mail about a connection goes to."""

    email: str
    language: str | None
    mandate: str


async def list_page(
    context: RequestContext, sort: str, paging: PageQuery, *, own: bool
) -> tuple[list[FoundConnection], str | None]:
    """The connections within the caller's reach; with `own` no others than theirs."""
    ordering = Ordering.choose(sort, _COLUMNS, Connection.id)
    wanted = _found().where(_within_reach(context))
    if own:
        wanted = wanted.where(Connection.user_id == context.user.id)
    rows, cursor = await read_page(context.db, wanted, ordering, paging)
    return [FoundConnection(*row[:3]) for row in rows], cursor


async def find_within_reach(context: RequestContext, connection_id: UUID) -> Connection | None:
    """One connection within the caller's reach, nobody else's to change until the transaction ends."""
    statement = select(Connection).where(Connection.id == connection_id, _within_reach(context))
    return (await context.db.scalars(statement.with_for_update())).one_or_none()


async def find_own(
    session: AsyncSession, mandate_id: MandateId, user_id: UserId, provider: str, *, lock: bool = False
) -> FoundConnection | None:
    """The connection of this very person; with `lock` nobody else's to change until the transaction ends."""
    own = (Connection.mandate_id == mandate_id, Connection.user_id == user_id, Connection.provider == provider)
    if lock:
        await session.execute(select(Connection.id).where(*own).with_for_update())
    row = (await session.execute(_found().where(*own).execution_options(populate_existing=True))).one_or_none()
    return FoundConnection(*row) if row else None


async def find(session: AsyncSession, mandate_id: MandateId, connection_id: UUID) -> Connection | None:
    """A connection of the mandate."""
    statement = select(Connection).where(Connection.mandate_id == mandate_id, Connection.id == connection_id)
    return (await session.scalars(statement)).one_or_none()


async def find_owner(session: AsyncSession, connection: Connection) -> Owner | None:
    """The owner, unless blocked."""
    statement = (
        select(_USERS.c.email, _USERS.c.language, _MANDATES.c.name)
        .select_from(Connection)
        .join(_USERS, _USERS.c.id == Connection.user_id)
        .join(_MANDATES, _MANDATES.c.id == Connection.mandate_id)
        .where(Connection.mandate_id == connection.mandate_id, Connection.id == connection.id)
        .where(_USERS.c.state != "disabled")
    )
    row = (await session.execute(statement)).one_or_none()
    return Owner(*row) if row else None


async def owner_stands(session: AsyncSession, mandate_id: MandateId, user_id: UserId) -> bool:
    """Whether this person can work in the mandate now."""
    return bool(await session.scalar(select(_stands(mandate_id, user_id))))


async def lock_token(session: AsyncSession, token_id: UUID | None) -> datetime | None:
    """When an operator ended this access token, if ever; nobody does until the transaction ends."""
    return await session.scalar(select(_TOKENS.c.revoked_at).where(_TOKENS.c.id == token_id).with_for_update())


async def delete_own(session: AsyncSession, mandate_id: MandateId, user_id: UserId, provider: str) -> None:
    """Remove what the person has connected of this provider, if anything."""
    statement = delete(Connection).where(
        Connection.mandate_id == mandate_id, Connection.user_id == user_id, Connection.provider == provider
    )
    await session.execute(statement.execution_options(synchronize_session=False))


# ── across mandates: for the system login only ───────────────────────────────────────────────────────────────────────


async def list_of_user(session: AsyncSession, user_id: UserId) -> Sequence[Connection]:
    """A person's connections in all mandates, the oldest first."""
    statement = select(Connection).where(Connection.user_id == user_id).order_by(Connection.created_at, Connection.id)
    return (await session.scalars(statement)).all()


async def delete_of_mandate(session: AsyncSession, mandate_id: MandateId) -> None:
    """Remove all of a mandate's."""
    statement = delete(Connection).where(Connection.mandate_id == mandate_id)
    await session.execute(statement.execution_options(synchronize_session=False))


async def mark_suspended(session: AsyncSession, now: datetime) -> None:
    """Note since when owners do not stand, and forget it of those who do again."""
    stands = _stands(Connection.mandate_id, Connection.user_id)
    for changed, value in (
        ((Connection.suspended_at.is_(None), ~stands), now),
        ((Connection.suspended_at.is_not(None), stands), None),
    ):
        statement = update(Connection).where(*changed).values(suspended_at=value)
        await session.execute(statement.execution_options(synchronize_session=False))


async def mark_revoked(session: AsyncSession) -> None:
    """Break those whose access token an operator ended: its row does not stay for ever."""
    ended = exists().where(_TOKENS.c.id == Connection.token_id, _TOKENS.c.revoked_at.is_not(None))
    statement = update(Connection).where(ended, Connection.state != "broken").values(state="broken")
    await session.execute(statement.execution_options(synchronize_session=False))


async def delete_suspended(session: AsyncSession, before: datetime) -> Sequence[Connection]:
    """Remove those suspended since before that moment, and say which."""
    statement = delete(Connection).where(Connection.suspended_at <= before).returning(Connection)
    return (await session.scalars(statement.execution_options(synchronize_session=False))).all()


async def take_ending(session: AsyncSession, now: datetime, waits: Sequence[timedelta]) -> ConnectionEnding | None:
    """One that is due, as tried now: the next try is as far away as the number of tries says."""
    statement = (
        select(ConnectionEnding).where(ConnectionEnding.next_try_at <= now).order_by(ConnectionEnding.next_try_at)
    )
    found = (await session.scalars(statement.limit(1).with_for_update(skip_locked=True))).one_or_none()
    if found is not None:
        found.next_try_at = now + waits[min(found.tries, len(waits) - 1)]
        found.tries += 1
    return found


async def is_connected_elsewhere(session: AsyncSession, provider: str, issuer: str, subject: str) -> bool:
    """Whether an account at the provider is connected by a row, which a revocation of what has none could end too."""
    same = (Connection.provider == provider, Connection.issuer == issuer, Connection.subject == subject)
    return bool(await session.scalar(select(exists().where(*same))))


async def drop_ending(session: AsyncSession, ending_id: UUID) -> None:
    """It is over."""
    statement = delete(ConnectionEnding).where(ConnectionEnding.id == ending_id)
    await session.execute(statement.execution_options(synchronize_session=False))


# ── the parts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _found() -> Select[*tuple[Any, ...]]:
    is_revoked = exists().where(_TOKENS.c.id == Connection.token_id, _TOKENS.c.revoked_at.is_not(None))
    return select(Connection, _stands(Connection.mandate_id, Connection.user_id), is_revoked)


def _stands(mandate_id: Any, user_id: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a value or a column
    """Blocked people, people about to leave, and everybody in a mandate that is closed do not stand."""
    member, user, mandate, now = _MEMBERSHIPS.c, _USERS.c, _MANDATES.c, func.now()
    return exists().where(
        member.mandate_id == mandate_id,
        member.user_id == user_id,
        member.enabled,
        or_(member.valid_from.is_(None), member.valid_from <= now),
        or_(member.valid_until.is_(None), member.valid_until > now),
        user.id == member.user_id,
        user.state != "disabled",
        user.delete_after.is_(None),
        mandate.id == member.mandate_id,
        mandate.enabled,
    )


def _within_reach(context: RequestContext) -> ColumnElement[bool]:
    """Connections of everybody, of people in the caller's groups and the caller, of the caller alone, or none."""
    return (Connection.mandate_id == context.mandate.id) & _owned_within_reach(context)


def _owned_within_reach(context: RequestContext) -> ColumnElement[bool]:
    if context.item is None or context.action is None:
        return false()
    own = Connection.user_id == context.user.id
    match context.permissions.level(context.item, context.action):
        case AccessLevel.ALL:
            return true()
        case AccessLevel.GROUP:
            fellows = select(_GROUP_MEMBERS.c.user_id).where(
                _GROUP_MEMBERS.c.mandate_id == context.mandate.id, _GROUP_MEMBERS.c.group_id.in_(context.groups)
            )
            return or_(own, Connection.user_id.in_(fellows))
        case AccessLevel.MY:
            return own
        case AccessLevel.NONE:
            return false()
