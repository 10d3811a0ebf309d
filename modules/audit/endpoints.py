"""`/audit` and `/admin/audit`: what happened in a mandate, and in the installation."""

from fastapi import APIRouter

from modules.audit.dependencies import MayReadAudit, MayReadInstallationAudit, Trail, Wanted
from modules.audit.schemas import AuditEventRead
from modules.shared.pagination import Page, Paging

router = APIRouter(tags=["audit"])


@router.get("/audit", operation_id="list_audit_events", summary="Read the mandate's audit trail")
async def list_audit_events(
    context: MayReadAudit, wanted: Wanted, paging: Paging, trail: Trail
) -> Page[AuditEventRead]:
    """What happened in the mandate, the newest first, as far as the caller's level reaches."""
    items, cursor = await trail.list_page(context, wanted, paging)
    return Page(items=items, next_cursor=cursor)


@router.get("/admin/audit", operation_id="list_installation_audit_events", summary="Read the whole audit trail")
async def list_installation_audit_events(
    _context: MayReadInstallationAudit, wanted: Wanted, paging: Paging, trail: Trail
) -> Page[AuditEventRead]:
    """What happened in the installation and all its mandates, the newest first."""
    items, cursor = await trail.list_installation(wanted, paging)
    return Page(items=items, next_cursor=cursor)
