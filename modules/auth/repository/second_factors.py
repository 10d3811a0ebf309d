"""The rows of second factors."""

from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.models import BackupCode, Passkey, TotpCredential
from modules.shared.ids import UserId


class FactorsOfUser(NamedTuple):
    """Which kinds of factor a user has set up."""

    totp: bool
    passkey: bool
    backup_code: bool


async def kinds_of(session: AsyncSession, user_id: UserId) -> FactorsOfUser:
    """What the user could show."""
    totp = exists().where(TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_not(None))
    passkey = exists().where(Passkey.user_id == user_id)
    backup_code = exists().where(BackupCode.user_id == user_id, BackupCode.used_at.is_(None))
    row = (await session.execute(select(totp, passkey, backup_code))).one()
    return FactorsOfUser(*row)
