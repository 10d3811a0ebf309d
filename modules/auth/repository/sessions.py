"""The rows of sessions, with the refresh token and the access tokens of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import ColumnElement, CursorResult, delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import AccessToken, Token, User, UserSession
from modules.shared.ids import SessionId, UserId


class RefreshRow(NamedTuple):
    """A session with what decides about a refresh of it."""

    session: UserSession
    token: Token
    user: User


async def lock_for_refresh(session: AsyncSession, session_id: SessionId) -> RefreshRow | None:
    """The session as of now; parallel refreshes of it go on one after the other.

    Both rows are locked because only locked rows are read anew after the wait (PostgreSQL, section 13.2.1).
    """
    statement = (
        select(UserSession, Token, User)
        .join(Token, (Token.session_id == UserSession.id) & (Token.purpose == "refresh"))
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.id == session_id)
        .with_for_update(of=[UserSession, Token])
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(statement)).one_or_none()
    return RefreshRow(*row) if row else None


async def find_refresh_token(session: AsyncSession, session_id: SessionId) -> Token | None:
    """The refresh token of a session."""
    statement = select(Token).where(Token.session_id == session_id, Token.purpose == "refresh")
    return (await session.scalars(statement)).one_or_none()


async def list_open(session: AsyncSession, user_id: UUID, now: datetime) -> Sequence[UserSession]:
    """The sessions of a user that still stand, the newest first."""
    statement = select(UserSession).where(UserSession.user_id == user_id, *_standing(now))
    return (await session.scalars(statement.order_by(UserSession.created_at.desc(), UserSession.id.desc()))).all()


async def find(session: AsyncSession, session_id: SessionId) -> UserSession | None:
    """A session, whether it stands or not."""
    return await session.get(UserSession, session_id)


async def has_other(session: AsyncSession, opened: UserSession) -> bool:
    """Whether the user has opened another session before."""
    other = exists().where(UserSession.user_id == opened.user_id, UserSession.id != opened.id)
    return bool(await session.scalar(select(other)))


async def has_like(session: AsyncSession, opened: UserSession) -> bool:
    """Whether the user has opened another session with the same program from the same network."""
    like = exists().where(
        UserSession.user_id == opened.user_id,
        UserSession.id != opened.id,
        UserSession.user_agent == opened.user_agent,
        UserSession.ip == opened.ip,
    )
    return bool(await session.scalar(select(like)))


async def find_open(session: AsyncSession, session_id: SessionId, now: datetime) -> UserSession | None:
    """A session if it still stands."""
    return (
        await session.scalars(select(UserSession).where(UserSession.id == session_id, *_standing(now)))
    ).one_or_none()


async def find_without_proof(session: AsyncSession, user_id: UUID, lasts_until: datetime) -> UserSession | None:
    """The newest session of a user that nothing was shown for, if it stands that long."""
    statement = select(UserSession).where(
        UserSession.user_id == user_id, UserSession.amr == [], *_standing(lasts_until)
    )
    return (await session.scalars(statement.order_by(UserSession.id.desc()).limit(1))).one_or_none()


async def oldest_beyond(session: AsyncSession, user_id: UserId, keep: int, now: datetime) -> list[SessionId]:
    """The open sessions of a user beyond the newest `keep`."""
    statement = (
        select(UserSession.id)
        .where(UserSession.user_id == user_id, *_standing(now))
        .order_by(UserSession.created_at.desc(), UserSession.id.desc())
        .offset(keep)
    )
    return [SessionId(session_id) for session_id in await session.scalars(statement)]


async def revoke(
    session: AsyncSession, session_ids: Sequence[SessionId], reason: str, now: datetime
) -> list[UserSession]:
    """End sessions with all their tokens. Answers those that stood until now."""
    if not session_ids:
        return []
    ended = await session.scalars(
        update(UserSession)
        .where(UserSession.id.in_(session_ids), UserSession.revoked_at.is_(None))
        .values(revoked_at=now, revoked_reason=reason)
        .returning(UserSession)
        .execution_options(populate_existing=True)
    )
    standing = [each for each in ended if each.expires_at > now and each.idle_expires_at > now]
    for table in (Token, AccessToken):
        tokens = update(table).where(table.session_id.in_(session_ids), table.revoked_at.is_(None))
        await session.execute(tokens.values(revoked_at=now).execution_options(synchronize_session=False))
    return standing


async def revoke_of_user(
    session: AsyncSession, user_id: UUID, reason: str, now: datetime, *, but: SessionId | None = None
) -> list[UserSession]:
    """End all sessions of a user but one. Answers those that stood until now."""
    statement = select(UserSession.id).where(UserSession.user_id == user_id, UserSession.revoked_at.is_(None))
    if but is not None:
        statement = statement.where(UserSession.id != but)
    return await revoke(session, [SessionId(each) for each in await session.scalars(statement)], reason, now)


async def revoke_everywhere(session: AsyncSession, reason: str, now: datetime) -> int:
    """End every session of the installation that stands; how many."""
    statement = update(UserSession).where(*_standing(now)).values(revoked_at=now, revoked_reason=reason)
    ended = await session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", ended).rowcount


async def delete_ended(session: AsyncSession, before: datetime, limit: int) -> int:
    """Remove sessions that ended before that moment, with their tokens; how many."""
    ended = (
        (UserSession.revoked_at < before) | (UserSession.expires_at < before) | (UserSession.idle_expires_at < before)
    )
    chosen = select(UserSession.id).where(ended).limit(limit).with_for_update(skip_locked=True)
    ids = list(await session.scalars(chosen))
    statement = delete(UserSession).where(UserSession.id.in_(ids)).execution_options(synchronize_session=False)
    await session.execute(statement)
    return len(ids)


async def delete_access_tokens_of(session: AsyncSession, user_ids: Sequence[UserId]) -> None:
    """Remove the access tokens of people; their table knows no foreign key."""
    own = select(UserSession.id).where(UserSession.user_id.in_(user_ids))
    statement = delete(AccessToken).where(AccessToken.session_id.in_(own))
    await session.execute(statement.execution_options(synchronize_session=False))


def _standing(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return UserSession.revoked_at.is_(None), UserSession.expires_at > now, UserSession.idle_expires_at > now
