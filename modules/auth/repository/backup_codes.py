"""The rows of backup codes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import BackupCode
from modules.shared.ids import UserId, new_id


async def list_unused(session: AsyncSession, user_id: UserId) -> Sequence[BackupCode]:
    """Those of a user that still work."""
    statement = select(BackupCode).where(BackupCode.user_id == user_id, BackupCode.used_at.is_(None))
    return (await session.scalars(statement.order_by(BackupCode.id))).all()


async def count_unused(session: AsyncSession, user_id: UserId) -> int:
    """How many of a user's still work."""
    statement = select(func.count()).where(BackupCode.user_id == user_id, BackupCode.used_at.is_(None))
    return (await session.scalars(statement)).one()


async def replace(session: AsyncSession, user_id: UserId, hashes: Sequence[str], now: datetime) -> None:
    """Give a user these codes; earlier ones work no more."""
    await remove(session, user_id)
    session.add_all(
        BackupCode(id=new_id(), user_id=user_id, code_hash=code_hash, created_at=now) for code_hash in hashes
    )
    await session.flush()


async def use(session: AsyncSession, code_id: UUID, now: datetime) -> bool:
    """Use a code up. Of several at once one succeeds."""
    statement = (
        update(BackupCode)
        .where(BackupCode.id == code_id, BackupCode.used_at.is_(None))
        .values(used_at=now)
        .returning(BackupCode.id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def remove(session: AsyncSession, user_id: UserId) -> None:
    """Remove a user's codes, used ones too."""
    statement = delete(BackupCode).where(BackupCode.user_id == user_id)
    await session.execute(statement.execution_options(synchronize_session=False))
