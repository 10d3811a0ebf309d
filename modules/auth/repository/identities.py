"""The rows of identities: who users are at providers."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import Identity, Passkey, PasswordCredential, UserSession
from modules.shared.ids import SessionId


class WaysIn(NamedTuple):
    """By what a user can sign in, their address's mailbox aside."""

    password: bool
    passkey: bool
    identities: int


async def find(session: AsyncSession, authority: str, issuer: str, subject: str) -> Identity | None:
    """Whom the provider means."""
    statement = select(Identity).where(
        Identity.authority == authority, Identity.issuer == issuer, Identity.subject == subject
    )
    return (await session.scalars(statement)).one_or_none()


async def find_of_user(session: AsyncSession, user_id: UUID, identity_id: UUID) -> Identity | None:
    """One of a user's own."""
    statement = select(Identity).where(Identity.user_id == user_id, Identity.id == identity_id)
    return (await session.scalars(statement)).one_or_none()


async def list_of_user(session: AsyncSession, user_id: UUID) -> Sequence[Identity]:
    """A user's identities, the oldest first."""
    statement = select(Identity).where(Identity.user_id == user_id).order_by(Identity.linked_at, Identity.id)
    return (await session.scalars(statement)).all()


async def ways_in(session: AsyncSession, user_id: UUID) -> WaysIn:
    """What a user has set up."""
    password = exists().where(PasswordCredential.user_id == user_id)
    passkey = exists().where(Passkey.user_id == user_id)
    row = (await session.execute(select(password, passkey))).one()
    return WaysIn(row[0], row[1], len(await list_of_user(session, user_id)))


async def list_sessions_of(session: AsyncSession, identity_id: UUID) -> list[SessionId]:
    """The sessions that an identity opened and that were not ended."""
    statement = select(UserSession.id).where(UserSession.identity_id == identity_id, UserSession.revoked_at.is_(None))
    return [SessionId(each) for each in await session.scalars(statement)]


async def remove_all(session: AsyncSession, user_id: UUID) -> None:
    """Leave a user without any: who connected one to stay in is not to be told from who it belongs to."""
    statement = delete(Identity).where(Identity.user_id == user_id)
    await session.execute(statement.execution_options(synchronize_session=False))
