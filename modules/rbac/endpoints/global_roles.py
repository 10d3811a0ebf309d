"""`/admin/roles`: the global roles and their rules."""

from fastapi import APIRouter, Response

from modules.rbac.endpoints.signatures import (
    GlobalRoles,
    MayCreateGlobalRoles,
    MayDeleteGlobalRoles,
    MayReadGlobalRoles,
    MayUpdateGlobalRoles,
)
from modules.rbac.schemas.roles import (
    RoleCreate,
    RoleList,
    RolePatch,
    RoleRead,
    RuleList,
    RuleRead,
    RulesReplace,
    RuleWrite,
)
from modules.shared.idempotency import Once
from modules.shared.ids import RoleId, RuleId
from modules.shared.versions import IfMatch

router = APIRouter(prefix="/admin/roles", tags=["administration"])


@router.get("", operation_id="list_global_roles", summary="List the global roles")
async def list_global_roles(context: MayReadGlobalRoles, roles: GlobalRoles) -> RoleList:
    """The templates every mandate can give or copy, and `everyone`, whose rules cap all mandates."""
    return RoleList(items=await roles.list_roles(context))


@router.post(
    "", status_code=201, response_model=RoleRead, operation_id="create_global_role", summary="Create a global role"
)
async def create_global_role(
    context: MayCreateGlobalRoles, role: RoleCreate, roles: GlobalRoles, once: Once
) -> Response:
    """An empty role that every mandate can give."""
    return await once.answer(context, role, lambda: roles.create(context, role))


@router.get("/{role_id}", operation_id="get_global_role", summary="Read a global role")
async def get_global_role(context: MayReadGlobalRoles, role_id: RoleId, roles: GlobalRoles) -> RoleRead:
    """One global role, without its rules."""
    return await roles.get(context, role_id)


@router.patch("/{role_id}", operation_id="update_global_role", summary="Rename or describe a global role")
async def update_global_role(
    context: MayUpdateGlobalRoles, role_id: RoleId, changes: RolePatch, roles: GlobalRoles, expected: IfMatch
) -> RoleRead:
    """Merge patch (RFC 7396); the built-in roles keep their names."""
    return await roles.patch(context, role_id, changes, expected)


@router.delete("/{role_id}", status_code=204, operation_id="delete_global_role", summary="Delete a global role")
async def delete_global_role(
    context: MayDeleteGlobalRoles, role_id: RoleId, roles: GlobalRoles, expected: IfMatch
) -> None:
    """Remove a global role and take it from everybody, in every mandate. The built-in roles stay."""
    await roles.delete(context, role_id, expected)


@router.get("/{role_id}/rules", operation_id="list_global_rules", summary="List the rules of a global role")
async def list_global_rules(context: MayReadGlobalRoles, role_id: RoleId, roles: GlobalRoles) -> RuleList:
    """All rules of a global role, by kind and item, with the role's version."""
    return await roles.list_rules(context, role_id)


@router.put("/{role_id}/rules", operation_id="replace_global_rules", summary="Replace the rules of a global role")
async def replace_global_rules(
    context: MayUpdateGlobalRoles, role_id: RoleId, rules: RulesReplace, roles: GlobalRoles, expected: IfMatch
) -> RuleList:
    """Make these exactly the rules of a global role, built-in ones included: effective everywhere at once."""
    return await roles.replace_rules(context, role_id, rules, expected)


@router.post(
    "/{role_id}/rules",
    status_code=201,
    response_model=RuleRead,
    operation_id="create_global_rule",
    summary="Add a rule to a global role",
)
async def create_global_rule(
    context: MayUpdateGlobalRoles, role_id: RoleId, rule: RuleWrite, roles: GlobalRoles, once: Once, expected: IfMatch
) -> Response:
    """One more rule; a role has at most one per kind and item."""
    return await once.answer(context, rule, lambda: roles.add_rule(context, role_id, rule, expected))


@router.delete(
    "/{role_id}/rules/{rule_id}",
    status_code=204,
    operation_id="delete_global_rule",
    summary="Remove a rule from a global role",
)
async def delete_global_rule(
    context: MayUpdateGlobalRoles, role_id: RoleId, rule_id: RuleId, roles: GlobalRoles, expected: IfMatch
) -> None:
    """Effective everywhere with the next request."""
    await roles.delete_rule(context, role_id, rule_id, expected)
