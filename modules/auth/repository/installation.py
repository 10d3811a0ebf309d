"""What identity keeps in the installation's own row, and its partitions."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_CODE = text("SELECT set_up_code_hash FROM installation")
_SET_CODE = text("UPDATE installation SET set_up_code_hash = :code_hash")
_PARTITIONS = text("SELECT maintain_access_token_partitions(:keep)")


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
