"""Sessions as an authorised request judges them: whether they stand, with whose they are."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import AccessToken, User, UserSession
from modules.shared.ids import SessionId, TokenId


class StandingSession(NamedTuple):
    """A session that stands, and its person."""

    session: UserSession
    user: User


async def find_session(session: AsyncSession, session_id: SessionId, now: datetime) -> StandingSession | None:
    """The session if it was not ended and its person is in use."""
    statement = (
        select(UserSession, User)
        .join(User, User.id == UserSession.user_id)
        .where(
            UserSession.id == session_id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            User.state != "disabled",
        )
    )
    row = (await session.execute(statement)).one_or_none()
    return StandingSession(*row) if row else None


async def find_access_token(session: AsyncSession, token_id: TokenId, now: datetime) -> AccessToken | None:
    """The access token if it was not ended."""
    statement = select(AccessToken).where(
        AccessToken.id == token_id, AccessToken.revoked_at.is_(None), AccessToken.expires_at > now
    )
    return (await session.scalars(statement)).one_or_none()
