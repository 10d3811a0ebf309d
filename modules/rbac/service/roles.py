"""The roles of a mandate: made, copied from templates, renamed and removed, with their rules, as its people manage
them.
"""

from contextlib import AbstractAsyncContextManager

from modules.audit.service import AuditLog
from modules.rbac import errors
from modules.rbac.models import Role
from modules.rbac.repository import roles as repository
from modules.rbac.schemas.roles import RoleCreate, RoleRead
from modules.rbac.service.installation_roles import InstallationRoles
from modules.rbac.service.role_keeping import RoleKeeping, new_role
from modules.shared.catalogue import ItemCatalogue
from modules.shared.context import RequestContext
from modules.shared.grants import GrantGuard, need_of
from modules.shared.ids import RoleId
from modules.shared.versions import ExpectedVersions


class RoleService(RoleKeeping):
    """Roles and rules of one mandate. The global roles can be seen, given and copied here, not changed."""

    def __init__(
        self, guard: GrantGuard, audit: AuditLog, catalogue: ItemCatalogue, installation: InstallationRoles
    ) -> None:
        super().__init__(audit, catalogue, installation)
        self._guard = guard

    async def list_roles(self, context: RequestContext) -> list[RoleRead]:
        """The mandate's roles, its instances' roles, and the global ones."""
        return await self._read(context, await repository.list_roles(context.db, context.mandate.id))

    async def duplicate(self, context: RequestContext, role_id: RoleId, name: str | None) -> RoleRead:
        """A copy of a role, for this mandate or the original's instance. It keeps no link, so it never changes
        silently.
        """
        original = await self._find(context, role_id)
        rules = await repository.list_rules(context.db, [original.id])
        copy = new_role(context, "mandate", name or original.name, original.description)
        if original.instance_id is not None:
            copy.scope, copy.instance_id = original.scope, original.instance_id
        return await self._insert(context, copy, rules)

    def _changing(self, context: RequestContext) -> AbstractAsyncContextManager[None]:
        return self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context))

    async def _find(self, context: RequestContext, role_id: RoleId) -> Role:
        role = await repository.find_role(context.db, context.mandate.id, role_id)
        if role is None:
            raise errors.RoleNotFound
        return role

    async def _own(self, context: RequestContext, role_id: RoleId, expected: ExpectedVersions) -> Role:
        role = await self._find(context, role_id)
        if role.scope == "global" or role.key is not None:
            raise errors.BuiltInRole
        return await self._expected(context, role, expected)

    async def _ruled(self, context: RequestContext, role_id: RoleId, expected: ExpectedVersions) -> Role:
        """As `_own`; the rules of the mandate's `everyone`, its caps, may change too."""
        role = await self._find(context, role_id)
        if role.scope == "global" or role.key not in {None, "everyone"}:
            raise errors.BuiltInRole
        return await self._expected(context, role, expected)

    def _is_built_in(self, role: Role) -> bool:
        return role.key is not None or role.scope == "global"

    def _new(self, context: RequestContext, wanted: RoleCreate) -> Role:
        role = new_role(context, "mandate", wanted.name, wanted.description)
        if wanted.instance_id is not None:
            role.scope, role.instance_id = "instance", wanted.instance_id
        return role
