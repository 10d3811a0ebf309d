"""`/groups`: named sets of members, and who is in them."""

from fastapi import APIRouter, Response

from modules.mandates.dependencies import (
    Groups,
    MayCreateGroups,
    MayDeleteGroups,
    MayReadGroups,
    MayUpdateGroups,
    Words,
)
from modules.mandates.schemas.groups import (
    GroupCreate,
    GroupMemberRead,
    GroupMemberSort,
    GroupPatch,
    GroupRead,
    GroupSort,
)
from modules.shared.idempotency import Once
from modules.shared.ids import GroupId, UserId
from modules.shared.pagination import Page, Paging
from modules.shared.versions import IfMatch

router = APIRouter(prefix="/groups", tags=["groups"])


@router.get("", operation_id="list_groups", summary="List groups")
async def list_groups(
    context: MayReadGroups, groups: Groups, paging: Paging, words: Words = None, sort: GroupSort = "name"
) -> Page[GroupRead]:
    """All groups, or below level `all` those you are in."""
    return await groups.list_page(context, words, sort, paging)


@router.post("", status_code=201, response_model=GroupRead, operation_id="create_group", summary="Create a group")
async def create_group(context: MayCreateGroups, group: GroupCreate, groups: Groups, once: Once) -> Response:
    """A new, empty group."""
    return await once.answer(context, group, lambda: groups.create(context, group))


@router.get("/{group_id}", operation_id="get_group", summary="Read a group")
async def get_group(context: MayReadGroups, group_id: GroupId, groups: Groups) -> GroupRead:
    """One group."""
    return await groups.get(context, group_id)


@router.patch("/{group_id}", operation_id="update_group", summary="Rename a group")
async def update_group(
    context: MayUpdateGroups, group_id: GroupId, patch: GroupPatch, groups: Groups, expected: IfMatch
) -> GroupRead:
    """Merge patch (RFC 7396) of a group."""
    return await groups.patch(context, group_id, patch, expected)


@router.delete("/{group_id}", status_code=204, operation_id="delete_group", summary="Delete a group")
async def delete_group(context: MayDeleteGroups, group_id: GroupId, groups: Groups, expected: IfMatch) -> None:
    """Remove a group; its members stay members."""
    await groups.delete(context, group_id, expected)


@router.get("/{group_id}/members", operation_id="list_group_members", summary="List who is in a group")
async def list_group_members(
    context: MayReadGroups,
    group_id: GroupId,
    groups: Groups,
    paging: Paging,
    words: Words = None,
    sort: GroupMemberSort = "display_name",
) -> Page[GroupMemberRead]:
    """The people in a group."""
    return await groups.list_members(context, group_id, words, sort, paging)


@router.put(
    "/{group_id}/members/{user_id}", status_code=204, operation_id="put_group_member", summary="Put into a group"
)
async def put_group_member(context: MayUpdateGroups, group_id: GroupId, user_id: UserId, groups: Groups) -> None:
    """Put a member into a group. Refused when somebody would gain more than you hold."""
    await groups.put_member(context, group_id, user_id)


@router.delete(
    "/{group_id}/members/{user_id}", status_code=204, operation_id="remove_group_member", summary="Take out of a group"
)
async def remove_group_member(context: MayUpdateGroups, group_id: GroupId, user_id: UserId, groups: Groups) -> None:
    """Take a member out of a group."""
    await groups.remove_member(context, group_id, user_id)
