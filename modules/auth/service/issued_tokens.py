"""Rows of tokens that others than we issue, kept so that every token there is can be found and ended in one place.

A row holds no part of the token. Whoever uses the token looks first whether its row was revoked.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.repository import one_time_tokens as repository
from modules.shared import clock
from modules.shared.ids import TokenId, UserId


class IssuedTokens:
    """Tokens of one purpose each, for features above identity."""

    async def note(
        self,
        session: AsyncSession,
        purpose: str,
        *,
        authority: str,
        user_id: UserId,
        payload: Mapping[str, str],
        expires_at: datetime,
    ) -> TokenId:
        """A token that `authority` has just given for a user."""
        token_id = repository.add(
            session,
            purpose,
            authority=authority,
            user_id=user_id,
            payload=payload,
            now=clock.now(),
            expires_at=expires_at,
        )
        await session.flush()
        return token_id
