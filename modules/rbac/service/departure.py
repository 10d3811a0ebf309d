"""Nobody leaves a mandate without an administrator by deleting their account."""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.errors import LastAdministrator
from modules.rbac.repository.holders import lock_mandate, lock_person, mandates_of
from modules.shared.grants import Administrators
from modules.shared.ids import UserId


class AdministratorDeparture:
    """The `Departure` of identity that looks after mandates."""

    def __init__(self, administrators: Administrators) -> None:
        self._administrators = administrators

    async def check(self, session: AsyncSession, user_id: UserId) -> None:
        """Raise LastAdministrator while the person is the only administrator of some mandate.

        Their mandates stay locked until the transaction ends, in the order of their ids, as every change of rights
        locks its own: such a change comes before and is seen here, or after and sees that this person has left. Nobody
        makes them a member of another mandate meanwhile; one they had just joined is locked too.
        """
        for mandate_id in await mandates_of(session, user_id):
            await lock_mandate(session, mandate_id)
        await lock_person(session, user_id)
        for mandate_id in await mandates_of(session, user_id):
            await lock_mandate(session, mandate_id)
            if await self._administrators.of_mandate(session, mandate_id) == {user_id}:
                raise LastAdministrator
