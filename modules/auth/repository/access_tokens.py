"""The rows of access tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import AccessToken
from modules.shared.ids import TokenId


async def revoke(session: AsyncSession, token_id: TokenId, now: datetime) -> bool:
    """End one access token; whether it stood."""
    statement = (
        update(AccessToken)
        .where(AccessToken.id == token_id, AccessToken.revoked_at.is_(None), AccessToken.expires_at > now)
        .values(revoked_at=now)
        .returning(AccessToken.id)
    )
    return await session.scalar(statement) is not None


async def find(session: AsyncSession, token_id: UUID) -> AccessToken | None:
    """An access token by its `jti`."""
    return await session.get(AccessToken, token_id)
