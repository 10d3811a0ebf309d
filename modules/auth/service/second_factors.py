"""What people have set up besides their first proof."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.repository import second_factors as repository
from modules.auth.service.recent import PASSWORD
from modules.shared.ids import UserId


class ChosenFactors:
    """Knows the factors a person can show. Backup codes stand in for one of the others, never alone."""

    async def of(self, session: AsyncSession, user_id: UserId) -> Sequence[str]:
        """`totp`, `passkey`, `backup_code`; empty when none is set up."""
        factors = await repository.of_user(session, user_id)
        return tuple(name for name in factors.names if name != PASSWORD) if factors.second_factor else ()
