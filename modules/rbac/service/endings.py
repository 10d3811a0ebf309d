"""What roles leave behind when a mandate is erased: nothing."""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.repository import roles as repository
from modules.shared.ids import MandateId


class RoleEndings:
    """The `MandateErasure` of `modules.shared.grants` for roles, who holds them, and visits."""

    async def erase(self, session: AsyncSession, mandate_id: MandateId) -> None:
        """Delete them. Members and instances are still there: the feature that keeps them comes after."""
        await repository.erase(session, mandate_id)
