"""What ends with a person's last second factor."""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.repository import backup_codes, second_factors
from modules.auth.service.sign_in_proof import MULTIPLE_FACTORS
from modules.shared.ids import UserId


async def end_with_the_last(session: AsyncSession, user_id: UserId) -> None:
    """Where no second factor is left, remove the backup codes, which stand in for one, and the mark of two factors
    from sessions and API keys: a mandate that demands two is not entered by somebody who has one.
    """
    if not (await second_factors.of_user(session, user_id)).second_factor:
        await backup_codes.remove(session, user_id)
        await second_factors.forget_method(session, user_id, MULTIPLE_FACTORS)
