"""`/audit` and `/admin/audit`: what happened in a mandate, and in the installation."""

from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from modules.audit.dependencies import MayExportAudit, MayReadAudit, MayReadInstallationAudit, Trail, Wanted
from modules.audit.schemas import AuditEventRead
from modules.audit.spreadsheet import csv_of
from modules.shared.pagination import Page, Paging

router = APIRouter(tags=["audit"])


@router.get("/audit", operation_id="list_audit_events", summary="Read the mandate's audit trail")
async def list_audit_events(
    context: MayReadAudit, wanted: Wanted, paging: Paging, trail: Trail
) -> Page[AuditEventRead]:
    """What happened in the mandate, the newest first, as far as the caller's level reaches."""
    items, cursor = await trail.list_page(context, wanted, paging)
    return Page(items=items, next_cursor=cursor)


@router.get(
    "/audit.csv",
    operation_id="export_audit_events",
    summary="Download the mandate's audit trail",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The events, one a line.", "content": {"text/csv": {"schema": {"type": "string"}}}}
    },
)
async def export_audit_events(context: MayExportAudit, wanted: Wanted, trail: Trail) -> StreamingResponse:
    """As `GET /audit`, all at once as CSV. Takes a ticket, so that a browser can save it as a file."""
    pages = trail.pages(context, wanted)
    first = await anext(pages)  # a database that is away is told before the answer begins

    async def lines() -> AsyncIterator[str]:
        yield csv_of(first, header=True)
        async for page in pages:
            yield csv_of(page, header=False)

    disposition = f'attachment; filename="audit-{context.mandate.slug}.csv"'
    return StreamingResponse(lines(), media_type="text/csv", headers={"Content-Disposition": disposition})


@router.get("/admin/audit", operation_id="list_installation_audit_events", summary="Read the whole audit trail")
async def list_installation_audit_events(
    _context: MayReadInstallationAudit, wanted: Wanted, paging: Paging, trail: Trail
) -> Page[AuditEventRead]:
    """What happened in the installation and all its mandates, the newest first."""
    items, cursor = await trail.list_installation(wanted, paging)
    return Page(items=items, next_cursor=cursor)
