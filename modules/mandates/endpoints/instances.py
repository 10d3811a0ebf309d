"""`/instances`: features installed in the mandate."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from modules.mandates.dependencies import (
    Instances,
    MayCreateInstances,
    MayDeleteInstances,
    MayReadInstances,
    MayUpdateInstances,
    Words,
)
from modules.mandates.schemas.instances import (
    FeatureName,
    InstanceCreate,
    InstancePatch,
    InstanceRead,
    InstanceSort,
)
from modules.shared.idempotency import Once
from modules.shared.ids import InstanceId
from modules.shared.pagination import Page, Paging
from modules.shared.versions import IfMatch

router = APIRouter(prefix="/instances", tags=["instances"])


@router.get("", operation_id="list_instances", summary="List feature instances")
async def list_instances(
    context: MayReadInstances,
    instances: Instances,
    paging: Paging,
    words: Words = None,
    feature: Annotated[FeatureName | None, Query(description="Only instances of this feature.")] = None,
    sort: InstanceSort = "name",
) -> Page[InstanceRead]:
    """All instances, or below level `all` those you have access to."""
    return await instances.list_page(context, words, feature, sort, paging)


@router.post(
    "", status_code=201, response_model=InstanceRead, operation_id="create_instance", summary="Install a feature"
)
async def create_instance(
    context: MayCreateInstances, instance: InstanceCreate, instances: Instances, once: Once
) -> Response:
    """A feature with roles and people of its own."""
    return await once.answer(context, instance, lambda: instances.create(context, instance))


@router.get("/{instance_id}", operation_id="get_instance", summary="Read a feature instance")
async def get_instance(context: MayReadInstances, instance_id: InstanceId, instances: Instances) -> InstanceRead:
    """One instance."""
    return await instances.get(context, instance_id)


@router.patch("/{instance_id}", operation_id="update_instance", summary="Rename or switch a feature instance")
async def update_instance(
    context: MayUpdateInstances,
    instance_id: InstanceId,
    patch: InstancePatch,
    instances: Instances,
    expected: IfMatch,
) -> InstanceRead:
    """Merge patch (RFC 7396). A disabled instance lets nobody in, from the next request on."""
    return await instances.patch(context, instance_id, patch, expected)


@router.delete("/{instance_id}", status_code=204, operation_id="delete_instance", summary="Remove a feature instance")
async def delete_instance(
    context: MayDeleteInstances, instance_id: InstanceId, instances: Instances, expected: IfMatch
) -> None:
    """Remove an instance with its roles and accesses."""
    await instances.delete(context, instance_id, expected)
