"""Telling people and front-ends the context they are in: who, where, through which roles, and what may be done."""

from collections.abc import Iterable

from modules.mandates.login_policy import parse_login_policy
from modules.rbac.repository import contexts as repository
from modules.rbac.schemas.contexts import (
    ContextGroup,
    ContextInstance,
    ContextMandate,
    ContextRead,
    ContextUser,
    EffectivePermission,
)
from modules.rbac.schemas.decisions import Levels, RoleUsed
from modules.rbac.schemas.levels import level_name
from modules.rbac.service.items import items_shown
from modules.shared.catalogue import Item, Reach
from modules.shared.context import RequestContext, Via
from modules.shared.database import Database


class ContextService:
    """Reads a context out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, context: RequestContext) -> ContextRead:
        """Everything about the caller here."""
        policy = await repository.find_login_policy(context)
        user, mandate, instance = context.user, context.mandate, context.instance
        return ContextRead(
            user=ContextUser.model_validate(user, from_attributes=True),
            mandate=ContextMandate.model_validate(mandate, from_attributes=True),
            instance=ContextInstance.model_validate(instance, from_attributes=True) if instance else None,
            via=context.via,
            roles=await self.roles_used(context),
            groups=[ContextGroup(id=row.id, name=row.name) for row in await repository.list_groups(context)],
            has_sysadmin_role=context.has_sysadmin_role,
            permissions=list(_permissions(context)),
            login_policy=parse_login_policy(policy) if policy else None,
        )

    async def roles_used(self, context: RequestContext) -> list[RoleUsed]:
        """The roles that answer in this context."""
        role_ids = {role_id for _, role_id in context.permissions.roles()}
        if context.via is Via.MEMBERSHIP:
            found = await repository.find_roles(context.db, role_ids)
        else:  # what a visitor brings along belongs to the root mandate, which this context does not see
            async with self._database.system_session() as session:
                found = await repository.find_roles(session, role_ids)
        return [RoleUsed.model_validate(role, from_attributes=True) for role in found]


def _permissions(context: RequestContext) -> Iterable[EffectivePermission]:
    for item in items_shown(context.catalogue, in_root=context.mandate.is_root):
        if item.reach is not Reach.INSTANCE or context.instance:
            yield EffectivePermission(
                kind=item.kind,
                item=item.path,
                reach=item.reach,
                levels=_levels(context, item),
                fields={field: _levels(context, item, field) for field in sorted(item.fields)},
            )


def _levels(context: RequestContext, item: Item, field: str | None = None) -> Levels:
    return {action: level_name(context.permissions.level(item, action, field)) for action in sorted(item.actions)}
