"""`/instances/{id}/access`: who may enter a feature instance. Whoever may change instances sees and changes it."""

from fastapi import APIRouter

from modules.mandates.dependencies import Accesses, MayUpdateInstances, Words
from modules.mandates.schemas.instances import AccessPatch, AccessPut, AccessRead, AccessSort
from modules.shared.ids import InstanceId, UserId
from modules.shared.pagination import Page, Paging
from modules.shared.versions import IfMatch

router = APIRouter(prefix="/instances/{instance_id}/access", tags=["instances"])


@router.get("", operation_id="list_instance_access", summary="List who may enter a feature instance")
async def list_instance_access(
    context: MayUpdateInstances,
    instance_id: InstanceId,
    accesses: Accesses,
    paging: Paging,
    words: Words = None,
    sort: AccessSort = "display_name",
) -> Page[AccessRead]:
    """The people with access, with their roles in the instance."""
    return await accesses.list_page(context, instance_id, words, sort, paging)


@router.put("/{user_id}", operation_id="put_instance_access", summary="Give access to a feature instance")
async def put_instance_access(
    context: MayUpdateInstances,
    instance_id: InstanceId,
    user_id: UserId,
    access: AccessPut,
    accesses: Accesses,
    expected: IfMatch,
) -> AccessRead:
    """Make this exactly the member's access and roles; an access that was there before is replaced."""
    return await accesses.put(context, instance_id, user_id, access, expected)


@router.patch("/{user_id}", operation_id="update_instance_access", summary="Change an access to a feature instance")
async def update_instance_access(
    context: MayUpdateInstances,
    instance_id: InstanceId,
    user_id: UserId,
    patch: AccessPatch,
    accesses: Accesses,
    expected: IfMatch,
) -> AccessRead:
    """Merge patch (RFC 7396): switch the access on or off, limit it in time, replace its roles."""
    return await accesses.patch(context, instance_id, user_id, patch, expected)


@router.delete(
    "/{user_id}", status_code=204, operation_id="remove_instance_access", summary="Take access to a feature instance"
)
async def remove_instance_access(
    context: MayUpdateInstances, instance_id: InstanceId, user_id: UserId, accesses: Accesses, expected: IfMatch
) -> None:
    """Take the access and its roles away."""
    await accesses.remove(context, instance_id, user_id, expected)
