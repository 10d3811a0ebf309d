"""The rows of tokens that prove something once: links in mails and the like."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import Token
from modules.shared.ids import SessionId, TokenId, UserId, new_id

PENDING_SIGN_IN: Final = "pending_sign_in"
EMAIL_VERIFICATION: Final = "email_verification"
BEGUN: Final = (PENDING_SIGN_IN, EMAIL_VERIFICATION)
"""What somebody began with the proofs of before: it ends where their sessions all end, or their password changes."""
ASKED_IN: Final = "session_id"
"""Where a payload names the session that asked."""


def add(
    session: AsyncSession,
    purpose: str,
    *,
    authority: str,
    user_id: UUID | None,
    payload: Mapping[str, Any],
    now: datetime,
    expires_at: datetime,
    secret_hash: bytes | None = None,
) -> TokenId:
    """A token; without a hash it proves nothing until `set_secret`."""
    token_id = TokenId(new_id())
    session.add(
        Token(
            id=token_id,
            purpose=purpose,
            user_id=user_id,
            session_id=None,
            authority=authority,
            secret_hash=secret_hash,
            parent_hash=None,
            payload=dict(payload),
            issued_at=now,
            expires_at=expires_at,
        )
    )
    return token_id


async def find(session: AsyncSession, token_id: TokenId) -> Token | None:
    """A token by id, whatever its state."""
    return await session.get(Token, token_id)


async def set_secret(session: AsyncSession, token_id: TokenId, secret_hash: bytes, now: datetime) -> Token | None:
    """Give an open token its secret; one it had before proves nothing any more. None when the token is not open."""
    statement = (
        update(Token)
        .where(Token.id == token_id, *_open(now))
        .values(secret_hash=secret_hash)
        .returning(Token)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).one_or_none()


async def find_open(session: AsyncSession, purpose: str, secret_hash: bytes, now: datetime) -> Token | None:
    """The open token of this secret, not consumed."""
    statement = select(Token).where(Token.purpose == purpose, Token.secret_hash == secret_hash, *_open(now))
    return (await session.scalars(statement)).one_or_none()


async def consume(session: AsyncSession, purpose: str, secret_hash: bytes, now: datetime) -> Token | None:
    """Use the open token of this secret up. Of several at once exactly one gets it."""
    statement = (
        update(Token)
        .where(Token.purpose == purpose, Token.secret_hash == secret_hash, *_open(now))
        .values(used_at=now)
        .returning(Token)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).one_or_none()


async def claim(session: AsyncSession, purpose: str, secret_hash: bytes, user_id: UserId, now: datetime) -> None:
    """Give the open token of this secret to a user, unless it is somebody's already."""
    statement = update(Token).where(
        Token.purpose == purpose, Token.secret_hash == secret_hash, Token.user_id.is_(None), *_open(now)
    )
    await session.execute(statement.values(user_id=user_id).execution_options(synchronize_session=False))


async def drop(session: AsyncSession, purpose: str, secret_hash: bytes) -> None:
    """Remove the token of this secret, whatever its state."""
    statement = delete(Token).where(Token.purpose == purpose, Token.secret_hash == secret_hash)
    await session.execute(statement.execution_options(synchronize_session=False))


async def count_try(session: AsyncSession, purpose: str, secret_hash: bytes, most: int, now: datetime) -> Token | None:
    """Count one try of what goes with the open token of this secret; None when there is none, or it had its tries."""
    statement = (
        update(Token)
        .where(Token.purpose == purpose, Token.secret_hash == secret_hash, Token.attempts < most, *_open(now))
        .values(attempts=Token.attempts + 1)
        .returning(Token)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).one_or_none()


async def revoke_open(session: AsyncSession, user_id: UserId, purposes: Sequence[str], now: datetime) -> None:
    """End a user's open tokens of these purposes."""
    statement = update(Token).where(Token.user_id == user_id, Token.purpose.in_(purposes), *_open(now))
    await session.execute(statement.values(revoked_at=now).execution_options(synchronize_session=False))


async def revoke_all_open_but(session: AsyncSession, user_id: UserId, purpose: str, now: datetime) -> None:
    """End a user's open tokens of every purpose except this one."""
    statement = update(Token).where(Token.user_id == user_id, Token.purpose != purpose, *_open(now))
    await session.execute(statement.values(revoked_at=now).execution_options(synchronize_session=False))


async def revoke_issued_since(
    session: AsyncSession, user_id: UserId, purpose: str, since: datetime, now: datetime
) -> None:
    """End a user's open tokens of a purpose that were issued then or later."""
    statement = update(Token).where(
        Token.user_id == user_id, Token.purpose == purpose, Token.issued_at >= since, *_open(now)
    )
    await session.execute(statement.values(revoked_at=now).execution_options(synchronize_session=False))


async def hand_over(
    session: AsyncSession, user_id: UserId, purpose: str, former: SessionId, present: SessionId, now: datetime
) -> None:
    """Have what one session of a user asked for go on with the session that took its place."""
    asked_in = Token.payload[ASKED_IN]
    statement = update(Token).where(
        Token.user_id == user_id, Token.purpose == purpose, asked_in.astext == str(former), *_open(now)
    )
    moved = statement.values(payload=func.jsonb_set(Token.payload, [ASKED_IN], func.to_jsonb(str(present))))
    await session.execute(moved.execution_options(synchronize_session=False))


async def delete_expired(session: AsyncSession, before: datetime, limit: int) -> int:
    """Remove tokens that expired before that moment; how many."""
    chosen = select(Token.id).where(Token.expires_at < before).limit(limit).with_for_update(skip_locked=True)
    ids = list(await session.scalars(chosen))
    await session.execute(delete(Token).where(Token.id.in_(ids)).execution_options(synchronize_session=False))
    return len(ids)


def _open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Token.used_at.is_(None), Token.revoked_at.is_(None), Token.expires_at > now
