"""`/roles`: the roles of the mandate and their rules."""

from fastapi import APIRouter, Response

from modules.rbac.endpoints.signatures import MayCreateRoles, MayDeleteRoles, MayReadRoles, MayUpdateRoles, Roles
from modules.rbac.schemas.roles import (
    RoleCreate,
    RoleDuplicate,
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

router = APIRouter(prefix="/roles", tags=["roles"])


@router.get("", operation_id="list_roles", summary="List roles")
async def list_roles(context: MayReadRoles, roles: Roles) -> RoleList:
    """The roles that can be given here: the mandate's, its instances' and the global ones."""
    return RoleList(items=await roles.list_roles(context))


@router.post("", status_code=201, response_model=RoleRead, operation_id="create_role", summary="Create a role")
async def create_role(context: MayCreateRoles, role: RoleCreate, roles: Roles, once: Once) -> Response:
    """An empty role of the mandate, or of one of its instances."""
    return await once.answer(context, role, lambda: roles.create(context, role))


@router.get("/{role_id}", operation_id="get_role", summary="Read a role")
async def get_role(context: MayReadRoles, role_id: RoleId, roles: Roles) -> RoleRead:
    """One role, without its rules."""
    return await roles.get(context, role_id)


@router.patch("/{role_id}", operation_id="update_role", summary="Rename or describe a role")
async def update_role(
    context: MayUpdateRoles, role_id: RoleId, changes: RolePatch, roles: Roles, expected: IfMatch
) -> RoleRead:
    """Merge patch (RFC 7396) of a role of this mandate."""
    return await roles.patch(context, role_id, changes, expected)


@router.delete("/{role_id}", status_code=204, operation_id="delete_role", summary="Delete a role")
async def delete_role(context: MayDeleteRoles, role_id: RoleId, roles: Roles, expected: IfMatch) -> None:
    """Remove a role of this mandate and take it from everybody who holds it."""
    await roles.delete(context, role_id, expected)


@router.post(
    "/{role_id}/duplicate",
    status_code=201,
    response_model=RoleRead,
    operation_id="duplicate_role",
    summary="Duplicate a role",
)
async def duplicate_role(
    context: MayCreateRoles, role_id: RoleId, copy: RoleDuplicate, roles: Roles, once: Once
) -> Response:
    """A copy of a global or own role as a role of this mandate; it does not follow the original's changes."""
    return await once.answer(
        context, copy, lambda: roles.duplicate(context, role_id, copy.name), collection="/api/v1/roles"
    )


@router.get("/{role_id}/rules", operation_id="list_rules", summary="List the rules of a role")
async def list_rules(context: MayReadRoles, role_id: RoleId, roles: Roles) -> RuleList:
    """All rules of a role, by kind and item, with the role's version."""
    return await roles.list_rules(context, role_id)


@router.put("/{role_id}/rules", operation_id="replace_rules", summary="Replace the rules of a role")
async def replace_rules(
    context: MayUpdateRoles, role_id: RoleId, rules: RulesReplace, roles: Roles, expected: IfMatch
) -> RuleList:
    """Make these exactly the rules of a role of this mandate, or the caps in its role `everyone`."""
    return await roles.replace_rules(context, role_id, rules, expected)


@router.post(
    "/{role_id}/rules",
    status_code=201,
    response_model=RuleRead,
    operation_id="create_rule",
    summary="Add a rule to a role",
)
async def create_rule(
    context: MayUpdateRoles, role_id: RoleId, rule: RuleWrite, roles: Roles, once: Once, expected: IfMatch
) -> Response:
    """One more rule; a role has at most one per kind and item."""
    return await once.answer(context, rule, lambda: roles.add_rule(context, role_id, rule, expected))


@router.delete(
    "/{role_id}/rules/{rule_id}", status_code=204, operation_id="delete_rule", summary="Remove a rule from a role"
)
async def delete_rule(
    context: MayUpdateRoles, role_id: RoleId, rule_id: RuleId, roles: Roles, expected: IfMatch
) -> None:
    """Without a narrow rule a wider one may answer, so this too can be refused as an escalation."""
    await roles.delete_rule(context, role_id, rule_id, expected)
