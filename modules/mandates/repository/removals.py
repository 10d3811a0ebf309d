"""People whose membership somebody else ended."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.models import RemovedMember
from modules.shared.ids import MandateId, UserId


async def remember(session: AsyncSession, mandate_id: MandateId, user_id: UserId, now: datetime) -> None:
    """They were sent away; again changes nothing."""
    values = {"mandate_id": mandate_id, "user_id": user_id, "removed_at": now}
    await session.execute(insert(RemovedMember).values(values).on_conflict_do_nothing())


async def forget(session: AsyncSession, mandate_id: MandateId, user_id: UserId) -> None:
    """They were asked back."""
    await session.execute(
        delete(RemovedMember).where(RemovedMember.mandate_id == mandate_id, RemovedMember.user_id == user_id)
    )


async def includes(session: AsyncSession, mandate_id: MandateId, user_id: UserId) -> bool:
    """Whether they were sent away and not asked back."""
    found = select(RemovedMember.user_id).where(
        RemovedMember.mandate_id == mandate_id, RemovedMember.user_id == user_id
    )
    return await session.scalar(found) is not None
