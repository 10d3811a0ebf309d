"""`/roles/{id}/assignments`: who holds a role."""

from uuid import UUID

from fastapi import APIRouter, Response

from modules.rbac.endpoints.signatures import Holders, MayReadMembers, MayUpdateMembers
from modules.rbac.schemas.assignments import AssignmentCreate, AssignmentList, AssignmentRead
from modules.shared.idempotency import Once
from modules.shared.ids import RoleId

router = APIRouter(prefix="/roles/{role_id}/assignments", tags=["roles"])


@router.get("", operation_id="list_assignments", summary="List who holds a role")
async def list_assignments(context: MayReadMembers, role_id: RoleId, holders: Holders) -> AssignmentList:
    """The members who hold the role, and those it is promised to."""
    return AssignmentList(items=await holders.list_of_role(context, role_id))


@router.post(
    "",
    status_code=201,
    response_model=AssignmentRead,
    operation_id="create_assignment",
    summary="Give a role to a member",
)
async def create_assignment(
    context: MayUpdateMembers, role_id: RoleId, wanted: AssignmentCreate, holders: Holders, once: Once
) -> Response:
    """Give the role now; with a `valid_from` in the future, then, if the caller still may."""
    return await once.answer(context, wanted, lambda: holders.give(context, role_id, wanted))


@router.delete("/{assignment_id}", status_code=204, operation_id="delete_assignment", summary="Take a role again")
async def delete_assignment(context: MayUpdateMembers, role_id: RoleId, assignment_id: UUID, holders: Holders) -> None:
    """Take the role from a member, or withdraw the promise of it."""
    await holders.take(context, role_id, assignment_id)
