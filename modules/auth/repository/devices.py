"""The rows of browsers known to a user."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import Device, User
from modules.shared.ids import UserId


async def is_known_to(session: AsyncSession, secret_hash: bytes, email: str) -> bool:
    """Whether this browser has signed the user of that address in before."""
    known = (
        select(Device.id)
        .join(User, User.id == Device.user_id)
        .where(Device.secret_hash == secret_hash, Device.revoked_at.is_(None), User.email == email)
    )
    return bool(await session.scalar(select(exists(known.subquery().select()))))


async def find(session: AsyncSession, secret_hash: bytes, user_id: UUID) -> Device | None:
    """The device of this secret, if it is this user's and not revoked."""
    statement = select(Device).where(
        Device.secret_hash == secret_hash, Device.user_id == user_id, Device.revoked_at.is_(None)
    )
    return (await session.scalars(statement)).one_or_none()


async def revoke_of_user(session: AsyncSession, user_id: UserId, now: datetime) -> None:
    """Know none of a user's browsers any more."""
    statement = update(Device).where(Device.user_id == user_id, Device.revoked_at.is_(None)).values(revoked_at=now)
    await session.execute(statement.execution_options(synchronize_session=False))


async def revoke(session: AsyncSession, device_id: UUID, user_id: UserId, now: datetime) -> bool:
    """Know a browser of this user no more; whether there was one."""
    statement = update(Device).where(Device.id == device_id, Device.user_id == user_id, Device.revoked_at.is_(None))
    return await session.scalar(statement.values(revoked_at=now).returning(Device.id)) is not None


async def any_of_user(session: AsyncSession, user_id: UserId) -> bool:
    """Whether the user was ever known by a browser."""
    return bool(await session.scalar(select(exists().where(Device.user_id == user_id))))


async def list_of_user(session: AsyncSession, user_id: UserId) -> list[Device]:
    """Every browser of a user, the oldest first."""
    return list(await session.scalars(select(Device).where(Device.user_id == user_id).order_by(Device.created_at)))


async def delete_old(session: AsyncSession, before: datetime) -> None:
    """Remove browsers made known before that moment."""
    statement = delete(Device).where(Device.created_at < before)
    await session.execute(statement.execution_options(synchronize_session=False))
