"""`/admin/mandates/{id}/entry`: sysadmins enter a mandate they are no member of, and leave it."""

from fastapi import APIRouter

from modules.rbac.endpoints.signatures import Entries, MayReadEntries, Sysadmin
from modules.rbac.schemas.entries import EntryCreate, EntryRead
from modules.shared.ids import MandateId
from modules.shared.pagination import Page, Paging

router = APIRouter(prefix="/admin", tags=["administration"])


@router.post("/mandates/{mandate_id}/entry", status_code=201, operation_id="begin_entry", summary="Enter a mandate")
async def begin_entry(caller: Sysadmin, mandate_id: MandateId, entry: EntryCreate, entries: Entries) -> EntryRead:
    """Work in a mandate without being its member, for at most an hour, on record there. Needs a recent sign-in."""
    return await entries.begin(caller, mandate_id, entry.reason)


@router.delete(
    "/mandates/{mandate_id}/entry", status_code=204, operation_id="end_entry", summary="Leave a mandate entered before"
)
async def end_entry(caller: Sysadmin, mandate_id: MandateId, entries: Entries) -> None:
    """End this session's visit."""
    await entries.end(caller, mandate_id)


@router.get("/entries", operation_id="list_entries", summary="List visits of sysadmins")
async def list_entries(_context: MayReadEntries, paging: Paging, entries: Entries) -> Page[EntryRead]:
    """Who entered which mandate when and why, the newest first."""
    found, cursor = await entries.list_page(paging)
    return Page(items=found, next_cursor=cursor)
