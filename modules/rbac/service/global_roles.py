"""The global roles: the built-in templates, further ones of the operator, and the caps that bind every mandate."""

from contextlib import AbstractAsyncContextManager

from modules.audit.service import AuditLog
from modules.rbac import errors
from modules.rbac.models import Role
from modules.rbac.repository import roles as repository
from modules.rbac.schemas.roles import RoleCreate, RoleRead
from modules.rbac.service.global_guard import GlobalRoleGuard
from modules.rbac.service.installation_roles import InstallationRoles
from modules.rbac.service.role_keeping import RoleKeeping, new_role
from modules.shared.catalogue import ItemCatalogue
from modules.shared.context import RequestContext
from modules.shared.grants import need_of
from modules.shared.ids import RoleId
from modules.shared.versions import ExpectedVersions


class GlobalRoleService(RoleKeeping):
    """Works in the root mandate's context, to which the global roles belong. A change is effective in every mandate
    with the next request.
    """

    def __init__(
        self, guard: GlobalRoleGuard, audit: AuditLog, catalogue: ItemCatalogue, installation: InstallationRoles
    ) -> None:
        super().__init__(audit, catalogue, installation)
        self._guard = guard

    async def list_roles(self, context: RequestContext) -> list[RoleRead]:
        """Every global role, by name."""
        return await self._read(context, await repository.list_global_roles(context.db, context.mandate.id))

    def _changing(self, context: RequestContext) -> AbstractAsyncContextManager[None]:
        return self._guard.change(context.db, context.mandate.id, context.user.id, needs=need_of(context))

    async def _find(self, context: RequestContext, role_id: RoleId) -> Role:
        role = await repository.find_role(context.db, context.mandate.id, role_id)
        if role is None or role.scope != "global":
            raise errors.RoleNotFound
        return role

    async def _own(self, context: RequestContext, role_id: RoleId, expected: ExpectedVersions) -> Role:
        """The built-in ones are known by their key and stay, under the names they have."""
        role = await self._find(context, role_id)
        if role.key is not None:
            raise errors.BuiltInRole
        return await self._expected(context, role, expected)

    async def _ruled(self, context: RequestContext, role_id: RoleId, expected: ExpectedVersions) -> Role:
        return await self._expected(context, await self._find(context, role_id), expected)

    def _new(self, context: RequestContext, wanted: RoleCreate) -> Role:
        if wanted.instance_id is not None:
            raise errors.RoleNotAssignable(pointer="/instance_id")
        return new_role(context, "global", wanted.name, wanted.description)
