"""`/members`: who works in the mandate."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from modules.mandates.dependencies import (
    MayCreateMembers,
    MayDeleteMembers,
    MayReadMembers,
    MayUpdateMembers,
    Members,
    Words,
)
from modules.mandates.repository.memberships import MemberFilter
from modules.mandates.schemas.members import MemberCreate, MemberPatch, MemberRead, MemberSort
from modules.shared.idempotency import Once
from modules.shared.ids import GroupId, MembershipId
from modules.shared.pagination import Page, Paging
from modules.shared.versions import IfMatch

router = APIRouter(prefix="/members", tags=["members"])


@router.get("", operation_id="list_members", summary="List members")
async def list_members(
    context: MayReadMembers,
    members: Members,
    paging: Paging,
    words: Words = None,
    enabled: Annotated[bool | None, Query(description="Only switched on, or only switched off.")] = None,
    group_id: Annotated[GroupId | None, Query(description="Only members of this group.")] = None,
    sort: MemberSort = "display_name",
) -> Page[MemberRead]:
    """The members your level reaches, with their roles and groups."""
    return await members.list_page(context, MemberFilter(words, enabled, group_id), sort, paging)


@router.post("", status_code=201, response_model=MemberRead, operation_id="add_member", summary="Add a member")
async def add_member(context: MayCreateMembers, member: MemberCreate, members: Members, once: Once) -> Response:
    """Make a user a member without asking them. For the installation's administrators; everybody else invites."""
    return await once.answer(context, member, lambda: members.add(context, member))


@router.get("/{membership_id}", operation_id="get_member", summary="Read a member")
async def get_member(context: MayReadMembers, membership_id: MembershipId, members: Members) -> MemberRead:
    """One member your level reaches."""
    return await members.get(context, membership_id)


@router.patch("/{membership_id}", operation_id="update_member", summary="Change a member's terms and roles")
async def update_member(
    context: MayUpdateMembers, membership_id: MembershipId, patch: MemberPatch, members: Members, expected: IfMatch
) -> MemberRead:
    """Merge patch (RFC 7396): switch the membership on or off, limit it in time, replace its roles."""
    return await members.patch(context, membership_id, patch, expected)


@router.delete("/{membership_id}", status_code=204, operation_id="remove_member", summary="Remove a member")
async def remove_member(
    context: MayDeleteMembers, membership_id: MembershipId, members: Members, expected: IfMatch
) -> None:
    """End a membership with its roles, groups and accesses. The last administrator stays."""
    await members.remove(context, membership_id, expected)
