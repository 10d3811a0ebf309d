"""`/mandates`: where the caller may work; `/mandate`: the one the header names."""

from fastapi import APIRouter

from modules.mandates.dependencies import Mandates, MayReadMandate, MayUpdateMandate, Myself
from modules.mandates.schemas.mandates import MandateChoice, MandatePatch, MandateRead
from modules.shared.pagination import Page, Paging
from modules.shared.versions import IfMatch

router = APIRouter(tags=["mandates"])


@router.get("/mandates", operation_id="list_my_mandates", summary="List the mandates you may enter")
async def list_my_mandates(caller: Myself, paging: Paging, mandates: Mandates) -> Page[MandateChoice]:
    """Mandates with an active membership of the caller, by name; needs no `X-Mandate-Id`."""
    return await mandates.list_own(caller, paging)


@router.get("/mandate", operation_id="get_mandate", summary="Read the mandate")
async def get_mandate(context: MayReadMandate, mandates: Mandates) -> MandateRead:
    """The mandate of the header, with its login policy."""
    return await mandates.get(context)


@router.patch("/mandate", operation_id="update_mandate", summary="Change the mandate")
async def update_mandate(
    context: MayUpdateMandate, patch: MandatePatch, mandates: Mandates, expected: IfMatch
) -> MandateRead:
    """Merge patch (RFC 7396). A login policy is saved only if your own sign-in and an administrator's meet it."""
    return await mandates.patch(context, patch, expected)
