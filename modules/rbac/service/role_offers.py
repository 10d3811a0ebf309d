"""Roles for people whom nobody has chosen: those who join a mandate by their mail address.

Whoever sets a role for them must be able to give it, then and each time somebody gets it. And no such role decides who
may do what: the first stranger with a mailbox would be an administrator.
"""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.joining_errors import RoleNotOfferable
from modules.rbac.errors import RoleNotAssignable
from modules.rbac.repository import assignments as repository
from modules.rbac.repository.holders import binding_of
from modules.rbac.service.assignments import RoleAssignments
from modules.rbac.service.grant_guard import RbacGrantGuard
from modules.shared.catalogue import AccessLevel, Action, ItemCatalogue, ItemKind
from modules.shared.grants import Need
from modules.shared.ids import MandateId, RoleId, UserId

_WHO_MAY_WHAT: Final = ("mandate", "domains", "invitations", "members", "groups", "instances", "rbac.roles")
_CHANGES: Final = (Action.CREATE, Action.UPDATE, Action.DELETE)


class OfferedRoles:
    """The `RoleOffers` of `modules.shared.grants`."""

    def __init__(
        self, guard: RbacGrantGuard, assignments: RoleAssignments, root_mandate_id: MandateId, catalogue: ItemCatalogue
    ) -> None:
        self._guard = guard
        self._assignments = assignments
        self._root_mandate_id = root_mandate_id
        items = [catalogue.resolve(path, ItemKind.RESOURCE) for path in _WHO_MAY_WHAT]
        self._refused = [(item, action) for item in items for action in _CHANGES if action in item.actions]

    async def require_offerable(
        self, session: AsyncSession, mandate_id: MandateId, role_id: RoleId, *, offered_by: UserId, needs: Need
    ) -> None:
        """Check a role for newcomers."""
        try:
            await self._assignments.require_assignable(session, mandate_id, [role_id])
        except RoleNotAssignable as error:
            error.pointer = "/role_id"
            raise
        role = (await repository.roles_for_members(session, mandate_id, [role_id]))[role_id]
        is_root = mandate_id == self._root_mandate_id
        binding = binding_of(role.id, role.version, role.scope, is_root=is_root)
        given = await self._guard.require_givable(session, mandate_id, offered_by, binding, needs)
        for item, action in self._refused:
            if given.level(item, action) is not AccessLevel.NONE:
                raise RoleNotOfferable(pointer="/role_id", item=item.path, action=action)
