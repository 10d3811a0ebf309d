"""What identity keeps in the installation's own row, and its partitions."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from modules.shared.ids import UserId

_CODE = text("SELECT set_up_code_hash FROM installation")
_SET_CODE = text("UPDATE installation SET set_up_code_hash = :code_hash")
_LOCAL_USER = text("SELECT local_user_id, single_user_ended_at FROM installation FOR SHARE")
_BEGIN_SINGLE_USER = text("UPDATE installation SET local_user_id = :user_id")
_END_SINGLE_USER = text("UPDATE installation SET single_user_ended_at = :now")
_PARTITIONS = text("SELECT maintain_access_token_partitions(:keep)")


class LocalUser(NamedTuple):
    """Who was made for single-user mode, and when the mode ended for good."""

    user_id: UUID | None
    ended_at: datetime | None

    @property
    def stands(self) -> bool:
        """Whether the installation is in single-user mode."""
        return self.user_id is not None and self.ended_at is None


async def local_user(session: AsyncSession) -> LocalUser:
    """What the installation says of single-user mode; it stays so until the transaction ends."""
    return LocalUser(*(await session.execute(_LOCAL_USER)).one())


async def begin_single_user(session: AsyncSession, user_id: UserId) -> None:
    """The installation is this person's."""
    await session.execute(_BEGIN_SINGLE_USER, {"user_id": user_id})


async def end_single_user(session: AsyncSession, now: datetime) -> None:
    """It was until now, and will not be again."""
    await session.execute(_END_SINGLE_USER, {"now": now})


async def set_up_code_hash(session: AsyncSession) -> bytes | None:
    """The hash of the code the first account needs."""
    found: bytes | None = await session.scalar(_CODE)
    return found


async def set_set_up_code_hash(session: AsyncSession, code_hash: bytes | None) -> None:
    """Replace it, or forget it."""
    await session.execute(_SET_CODE, {"code_hash": code_hash})


async def maintain_partitions(session: AsyncSession, keep: timedelta) -> None:
    """Make the coming weeks' partitions of access tokens and drop those that ended `keep` ago."""
    await session.execute(_PARTITIONS, {"keep": keep})
