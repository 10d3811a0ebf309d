"""Nobody leaves a mandate without an administrator by deleting their account."""

from modules.rbac.errors import LastAdministrator
from modules.rbac.repository.holders import mandates_of
from modules.shared.context import Caller
from modules.shared.database import Database
from modules.shared.grants import Administrators


class AdministratorDeparture:
    """The `Departure` of identity that looks after mandates."""

    def __init__(self, database: Database, administrators: Administrators) -> None:
        self._database = database
        self._administrators = administrators

    async def check(self, caller: Caller) -> None:
        """Raise LastAdministrator while the caller is the only administrator of some mandate."""
        async with self._database.system_session() as session:
            for mandate_id in await mandates_of(session, caller.user.id):
                if await self._administrators.of_mandate(session, mandate_id) == {caller.user.id}:
                    raise LastAdministrator
