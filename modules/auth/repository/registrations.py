"""The rows of accounts asked for and not proven."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import Registration


async def find(session: AsyncSession, registration_id: UUID, now: datetime) -> Registration | None:
    """A registration that can still be finished."""
    statement = select(Registration).where(Registration.id == registration_id, Registration.expires_at > now)
    return (await session.scalars(statement)).one_or_none()


async def drop_for(session: AsyncSession, email: str) -> None:
    """Forget what anybody asked for under an address: its owner has proven it otherwise."""
    statement = delete(Registration).where(Registration.email == email)
    await session.execute(statement.execution_options(synchronize_session=False))


async def delete_expired(session: AsyncSession, before: datetime, limit: int) -> int:
    """Remove registrations nobody finished; how many."""
    chosen = (
        select(Registration.id).where(Registration.expires_at < before).limit(limit).with_for_update(skip_locked=True)
    )
    ids = list(await session.scalars(chosen))
    statement = delete(Registration).where(Registration.id.in_(ids))
    await session.execute(statement.execution_options(synchronize_session=False))
    return len(ids)
