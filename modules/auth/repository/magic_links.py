"""The rows of links that sign people in: tokens that know the flow that asked for them, by the hash of its secret."""

from datetime import datetime

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import Token
from modules.shared.ids import TokenId

PURPOSE = "magic_link"

_LOCK_FLOW = text("SELECT pg_advisory_xact_lock(hashtextextended(:flow, 0))")


async def replace_in_flow(session: AsyncSession, flow: str, now: datetime) -> None:
    """End what this flow asked for before; of two that ask at once the other waits until this transaction ends."""
    await session.execute(_LOCK_FLOW, {"flow": flow})
    statement = update(Token).where(*_of(flow), Token.used_at.is_(None), Token.revoked_at.is_(None))
    await session.execute(statement.values(revoked_at=now).execution_options(synchronize_session=False))


async def find_open_in_flow(session: AsyncSession, flow: str, now: datetime) -> Token | None:
    """What this flow asked for last, if it can still be used."""
    statement = select(Token).where(
        *_of(flow), Token.used_at.is_(None), Token.revoked_at.is_(None), Token.expires_at > now
    )
    return (await session.scalars(statement)).one_or_none()


async def find(session: AsyncSession, secret_hash: bytes) -> Token | None:
    """The link of this secret, whatever its state."""
    statement = select(Token).where(Token.purpose == PURPOSE, Token.secret_hash == secret_hash)
    return (await session.scalars(statement)).one_or_none()


async def take_try(session: AsyncSession, token_id: TokenId, most: int) -> bool:
    """Use up one of the link's tries of a code; False when none is left. Exact, however many try at once."""
    statement = update(Token).where(Token.id == token_id, Token.attempts < most).values(attempts=Token.attempts + 1)
    taken = await session.scalars(statement.returning(Token.id).execution_options(synchronize_session=False))
    return taken.one_or_none() is not None


def _of(flow: str) -> tuple[ColumnElement[bool], ...]:
    return Token.purpose == PURPOSE, Token.payload["flow"].astext == flow
