"""The rows of API keys: a token each, and what it may do."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import ApiKey, Token, User
from modules.shared.ids import TokenId, UserId

API_KEY = "api_key"


class KeyRow(NamedTuple):
    """Both halves of a key."""

    token: Token
    key: ApiKey


async def add(session: AsyncSession, row: KeyRow) -> None:
    """Keep a new key."""
    session.add(row.token)
    await session.flush()
    session.add(row.key)
    await session.flush()


async def list_of_user(session: AsyncSession, user_id: UserId) -> Sequence[KeyRow]:
    """The keys of a user that nobody ended, the newest first; also those that have expired."""
    statement = (
        select(Token, ApiKey)
        .join(ApiKey, ApiKey.id == Token.id)
        .where(Token.user_id == user_id, Token.purpose == API_KEY, Token.revoked_at.is_(None))
        .order_by(Token.issued_at.desc(), Token.id.desc())
    )
    return [KeyRow(*row) for row in await session.execute(statement)]


async def count_standing(session: AsyncSession, user_id: UserId, now: datetime) -> int:
    """How many keys of a user hold."""
    counted = select(func.count()).select_from(Token)
    statement = counted.where(
        Token.user_id == user_id, Token.purpose == API_KEY, Token.revoked_at.is_(None), Token.expires_at > now
    )
    return await session.scalar(statement) or 0


async def end(session: AsyncSession, user_id: UserId, key_id: TokenId, now: datetime) -> str | None:
    """End a key of a user; its name, None when there is no such key."""
    statement = (
        update(Token)
        .where(Token.id == key_id, Token.user_id == user_id, Token.purpose == API_KEY, Token.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Token.id)
    )
    if await session.scalar(statement) is None:
        return None
    return await session.scalar(select(ApiKey.name).where(ApiKey.id == key_id))


async def end_of_identity(session: AsyncSession, identity_id: UUID, now: datetime) -> Sequence[tuple[UUID, str]]:
    """End the keys made in sessions of an identity; (id, name) of those that nobody had ended."""
    made = select(ApiKey.id, ApiKey.name).join(Token, Token.id == ApiKey.id)
    statement = made.where(ApiKey.identity_id == identity_id, Token.revoked_at.is_(None))
    keys = [(key_id, name) for key_id, name in await session.execute(statement)]
    ended = update(Token).where(Token.id.in_([key_id for key_id, _ in keys])).values(revoked_at=now)
    await session.execute(ended.execution_options(synchronize_session=False))
    return keys


async def find_standing(session: AsyncSession, secret_hash: bytes, now: datetime) -> KeyRow | None:
    """The key of this secret if it holds and its owner is in use."""
    statement = (
        select(Token, ApiKey)
        .join(ApiKey, ApiKey.id == Token.id)
        .join(User, User.id == Token.user_id)
        .where(
            Token.purpose == API_KEY,
            Token.secret_hash == secret_hash,
            Token.revoked_at.is_(None),
            Token.expires_at > now,
            User.state != "disabled",
        )
    )
    row = (await session.execute(statement)).one_or_none()
    return KeyRow(*row) if row else None
