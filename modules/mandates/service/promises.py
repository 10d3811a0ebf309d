"""The roles that newcomers of a mandate were promised, told to whoever guards rights."""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.repository import promises as repository
from modules.shared.grants import RolePromise
from modules.shared.ids import MandateId


class PromisesToNewcomers:
    """The `RolePromises` of invitations and domains."""

    async def of_mandate(self, session: AsyncSession, mandate_id: MandateId) -> list[RolePromise]:
        """Every promise to a newcomer that can still be kept."""
        return [
            *await repository.of_invitations(session, mandate_id),
            *await repository.of_domains(session, mandate_id),
        ]
