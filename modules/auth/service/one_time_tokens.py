"""Secrets that prove something once, for features above identity: who holds the mail that carried the secret.

A token exists before it has a secret: the worker makes the secret when it sends, so neither the queue nor a dump of the
database ever holds one. A secret made later replaces the one before.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import hash_secret, new_secret
from modules.auth.repository import one_time_tokens as repository
from modules.shared import clock
from modules.shared.ids import TokenId

Payload = Mapping[str, str]


class OneTimeTokens:
    """Tokens of one purpose each. A payload says what is proven, and holds no secret."""

    async def prepare(self, session: AsyncSession, purpose: str, payload: Payload, expires_at: datetime) -> TokenId:
        """A token that proves nothing until it is given a secret."""
        token_id = repository.add(
            session,
            purpose,
            authority="local",
            user_id=None,
            payload=payload,
            now=clock.now(),
            expires_at=expires_at,
        )
        await session.flush()
        return token_id

    async def give_secret(self, session: AsyncSession, token_id: TokenId) -> str | None:
        """A new secret for the token; None when it was used or has expired. Only its hash is kept."""
        secret = new_secret()
        token = await repository.set_secret(session, token_id, hash_secret(secret), clock.now())
        return secret if token else None

    async def find(self, session: AsyncSession, purpose: str, secret: str) -> Payload | None:
        """What the secret would prove, without using it up."""
        token = await repository.find_open(session, purpose, hash_secret(secret), clock.now())
        return token.payload if token else None

    async def consume(self, session: AsyncSession, purpose: str, secret: str) -> Payload | None:
        """What the secret proves, once: of several askers at the same moment exactly one is told."""
        token = await repository.consume(session, purpose, hash_secret(secret), clock.now())
        return token.payload if token else None
