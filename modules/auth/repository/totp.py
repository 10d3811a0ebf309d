"""The rows of authenticator apps."""

from datetime import datetime

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import TotpCredential
from modules.shared.ids import UserId


async def find(session: AsyncSession, user_id: UserId) -> TotpCredential | None:
    """The user's app, confirmed or not."""
    return await session.get(TotpCredential, user_id, populate_existing=True)


async def begin(session: AsyncSession, user_id: UserId, sealed_seed: bytes, now: datetime) -> None:
    """Keep a seed that counts for nothing until `confirm`; replaces one that was not confirmed."""
    values = {"sealed_seed": sealed_seed, "last_step": 0, "created_at": now}
    statement = insert(TotpCredential).values(user_id=user_id, **values)
    unconfirmed = TotpCredential.confirmed_at.is_(None)
    await session.execute(statement.on_conflict_do_update(index_elements=["user_id"], set_=values, where=unconfirmed))


async def confirm(session: AsyncSession, user_id: UserId, step: int, now: datetime) -> bool:
    """Let the seed count from now on. Of several at once one succeeds."""
    statement = (
        update(TotpCredential)
        .where(TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_(None))
        .values(confirmed_at=now, last_step=step)
        .returning(TotpCredential.user_id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def use_step(session: AsyncSession, user_id: UserId, step: int) -> bool:
    """Use the code of a time step up, and of all before it. Of several at once one succeeds."""
    statement = (
        update(TotpCredential)
        .where(
            TotpCredential.user_id == user_id,
            TotpCredential.confirmed_at.is_not(None),
            TotpCredential.last_step < step,
        )
        .values(last_step=step)
        .returning(TotpCredential.user_id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def remove(session: AsyncSession, user_id: UserId) -> None:
    """Remove the user's app."""
    await session.execute(delete(TotpCredential).where(TotpCredential.user_id == user_id))
