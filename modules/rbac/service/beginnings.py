"""What begins before anybody holds a right to compare with: a mandate's own caps, its first administrator, and the
installation's first sysadmin.

These acts rest on a permission of the installation, or on being the first; they do not pass the guard, and say why.
"""

from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.errors import RoleNotFound
from modules.rbac.models import Role
from modules.rbac.repository import roles as repository
from modules.rbac.repository.standing import standing_of
from modules.rbac.service.assignments import Given, assignment_of_member
from modules.shared import clock
from modules.shared.catalogue import AccessLevel, Action, ItemCatalogue, ItemKind
from modules.shared.grants import rights_may_change
from modules.shared.ids import MandateId, MembershipId, UserId, new_id


class RoleBeginnings:
    """The `MandateProvisioning` of `modules.shared.grants`, and the role of the first sysadmin."""

    def __init__(self, catalogue: ItemCatalogue, root_mandate_id: MandateId) -> None:
        self._catalogue = catalogue
        self._root = root_mandate_id

    async def provision(self, session: AsyncSession, mandate_id: MandateId) -> None:
        """Give a new mandate its own `everyone`, empty: it caps nothing yet."""
        with rights_may_change(session, "a new mandate has nobody to compare with"):
            session.add(
                Role(
                    id=new_id(),
                    mandate_id=mandate_id,
                    scope="mandate",
                    instance_id=None,
                    key="everyone",
                    name="everyone",
                    description="Caps for every context of this mandate",
                    travels=False,
                    version=uuid4(),
                    created_at=clock.now(),
                )
            )
            await session.flush()

    async def appoint_administrator(
        self, session: AsyncSession, mandate_id: MandateId, membership_id: MembershipId, *, appointed_by: UserId
    ) -> None:
        """Give the global role `administrator` to this member, without end."""
        role = await repository.find_global_role_by_key(session, "administrator")
        await self._appoint(session, mandate_id, membership_id, role, appointed_by)

    async def appoint_member(
        self, session: AsyncSession, mandate_id: MandateId, membership_id: MembershipId, *, appointed_by: UserId
    ) -> None:
        """Give the global role `member` to this member, without end."""
        role = await repository.find_global_role_by_key(session, "member")
        await self._appoint(session, mandate_id, membership_id, role, appointed_by)

    async def appoint_sysadmin(
        self, session: AsyncSession, membership_id: MembershipId, *, appointed_by: UserId
    ) -> None:
        """Give the role `sysadmin` to this member of the root mandate, without end. `session` works across mandates."""
        role = await repository.find_role_by_key(session, self._root, "sysadmin")
        await self._appoint(session, self._root, membership_id, role, appointed_by)

    async def may_create_mandates(self, session: AsyncSession, user_id: UserId) -> bool:
        """Whether a role of the root mandate lets this person create mandates now."""
        item = self._catalogue.resolve("admin.mandates", ItemKind.RESOURCE)
        return (await standing_of(session, self._root, user_id)).level(item, Action.CREATE) > AccessLevel.NONE

    async def _appoint(
        self,
        session: AsyncSession,
        mandate_id: MandateId,
        membership_id: MembershipId,
        role: Role | None,
        appointed_by: UserId,
    ) -> None:
        if role is None:
            raise RoleNotFound
        with rights_may_change(session, "appointed for the installation, not by rights in the mandate"):
            session.add(assignment_of_member(mandate_id, membership_id, role, Given(appointed_by)))
            await session.flush()
