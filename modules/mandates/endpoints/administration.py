"""`/admin/mandates`: all mandates, for the installation's administrators."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from modules.mandates.dependencies import (
    AcrossMandates,
    Administration,
    MayCreateMandates,
    MayDeleteMandates,
    MayReadAllMandates,
    MayUpdateAllMandates,
    Words,
)
from modules.mandates.repository.mandates import MandateFilter
from modules.mandates.schemas.mandates import (
    AdministeredMandate,
    AdministeredMandatePatch,
    MandateCreate,
    MandateSort,
)
from modules.shared.idempotency import Once
from modules.shared.ids import MandateId
from modules.shared.pagination import Page, Paging
from modules.shared.versions import IfMatch
from modules.shared.wire import StorableText

router = APIRouter(prefix="/admin/mandates", tags=["administration"])


@router.get("", operation_id="list_mandates", summary="List all mandates")
async def list_mandates(
    _context: MayReadAllMandates,
    system: AcrossMandates,
    administration: Administration,
    paging: Paging,
    words: Words = None,
    enabled: Annotated[bool | None, Query(description="Only enabled, or only disabled ones.")] = None,
    sort: MandateSort = "name",
) -> Page[AdministeredMandate]:
    """Every mandate of the installation, the disabled and the deleted included."""
    return await administration.list_page(system, MandateFilter(words, enabled), sort, paging)


@router.post(
    "", status_code=201, response_model=AdministeredMandate, operation_id="create_mandate", summary="Create a mandate"
)
async def create_mandate(
    context: MayCreateMandates,
    system: AcrossMandates,
    mandate: MandateCreate,
    administration: Administration,
    once: Once,
) -> Response:
    """A new mandate; its first administrator is appointed at once, or invited if they have no account yet."""
    return await once.answer(context, mandate, lambda: administration.create(context, system, mandate), session=system)


@router.get("/{mandate_id}", operation_id="get_any_mandate", summary="Read any mandate")
async def get_any_mandate(
    _context: MayReadAllMandates, system: AcrossMandates, mandate_id: MandateId, administration: Administration
) -> AdministeredMandate:
    """One mandate of the installation."""
    return await administration.get(system, mandate_id)


@router.patch("/{mandate_id}", operation_id="update_any_mandate", summary="Change any mandate")
async def update_any_mandate(
    context: MayUpdateAllMandates,
    system: AcrossMandates,
    mandate_id: MandateId,
    patch: AdministeredMandatePatch,
    administration: Administration,
    expected: IfMatch,
) -> AdministeredMandate:
    """Merge patch (RFC 7396). `"login_policy": null` opens a mandate that has locked itself."""
    return await administration.patch(context, system, mandate_id, patch, expected)


@router.post("/{mandate_id}/disable", operation_id="disable_mandate", summary="Disable a mandate")
async def disable_mandate(
    context: MayUpdateAllMandates,
    system: AcrossMandates,
    mandate_id: MandateId,
    administration: Administration,
    expected: IfMatch,
) -> AdministeredMandate:
    """Nobody gets in any more, from the next request on. Not for the root mandate."""
    return await administration.disable(context, system, mandate_id, expected)


@router.post("/{mandate_id}/enable", operation_id="enable_mandate", summary="Enable a mandate")
async def enable_mandate(
    context: MayUpdateAllMandates,
    system: AcrossMandates,
    mandate_id: MandateId,
    administration: Administration,
    expected: IfMatch,
) -> AdministeredMandate:
    """Its people get in again. One that is to be deleted is restored first."""
    return await administration.enable(context, system, mandate_id, expected)


@router.delete("/{mandate_id}", status_code=202, operation_id="delete_mandate", summary="Delete a mandate")
async def delete_mandate(
    context: MayDeleteMandates,
    system: AcrossMandates,
    mandate_id: MandateId,
    administration: Administration,
    expected: IfMatch,
    slug: Annotated[StorableText, Query(max_length=100, description="The mandate's slug, typed to confirm.")],
) -> AdministeredMandate:
    """Erased when the grace is over (`delete_after`); until then it can be restored. It must be disabled."""
    return await administration.delete(context, system, mandate_id, slug, expected)


@router.post("/{mandate_id}/restore", operation_id="restore_mandate", summary="Restore a deleted mandate")
async def restore_mandate(
    context: MayDeleteMandates,
    system: AcrossMandates,
    mandate_id: MandateId,
    administration: Administration,
    expected: IfMatch,
) -> AdministeredMandate:
    """Within the grace. The mandate stays disabled until it is enabled."""
    return await administration.restore(context, system, mandate_id, expected)
