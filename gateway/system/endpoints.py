"""`/admin/system`: settings, database, log and jobs, for holders of the sysadmin flag. Each use is audited."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from gateway.system.schemas import DatabaseRead, JobsRead, LogLines, SettingList
from gateway.system.service import SystemService
from modules.shared.guards import require_sysadmin
from modules.shared.pagination import MOST_ITEMS
from modules.shared.services import service
from modules.shared.wire import StorableText

router = APIRouter(prefix="/admin/system", tags=["admin"], dependencies=[require_sysadmin()])

System = Annotated[SystemService, service(SystemService)]
Exactly = Annotated[StorableText | None, Query(max_length=200, description="Exactly this one.")]


@router.get("/settings", operation_id="list_settings", summary="List the settings in force")
async def list_settings(system: System) -> SettingList:
    """Values with their sources; secrets are masked."""
    return SettingList(items=system.list_settings())


@router.get("/database", operation_id="read_database", summary="Look at the database")
async def read_database(system: System) -> DatabaseRead:
    """Its version, level, size, largest tables, connections and slow statements, and this process's pools."""
    return await system.read_database()


@router.get("/logs", operation_id="list_log_lines", summary="Read the log of one process")
async def list_log_lines(
    system: System,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS, description="Most lines.")] = MOST_ITEMS,
    level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"], Query(description="The least important one wanted.")
    ] = "debug",
    event: Exactly = None,
    request_id: Exactly = None,
) -> LogLines:
    """The last lines of the process that happens to answer, out of the 1000 it keeps, of which 200 are for warnings."""
    return system.list_lines(least_level=level, event=event, request_id=request_id, most=limit)


@router.get("/jobs", operation_id="read_jobs", summary="Look at the queue of jobs")
async def read_jobs(system: System) -> JobsRead:
    """How long it is, what waits longest, what failed within a day. Never what a job was given."""
    return await system.read_jobs()
