"""Who may read the trail, and what may be asked of it, as the annotations of signatures."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from modules.audit.repository import TrailFilter
from modules.audit.schemas import Outcome
from modules.audit.service import AuditTrail
from modules.shared.catalogue import Action
from modules.shared.clock import Moment
from modules.shared.context import RequestContext
from modules.shared.guards import require, require_sysadmin_role
from modules.shared.services import service
from modules.shared.wire import StorableText

MayReadAudit = Annotated[RequestContext, require("audit", Action.READ)]
MayExportAudit = Annotated[RequestContext, require("audit", Action.READ, tickets=True)]
MayReadInstallationAudit = Annotated[RequestContext, require_sysadmin_role("admin.audit", Action.READ)]
Trail = Annotated[AuditTrail, service(AuditTrail)]


async def _trail_filter(
    code: Annotated[
        StorableText | None, Query(max_length=80, description="What happened, e.g. `role_changed`.")
    ] = None,
    actor: Annotated[UUID | None, Query(description="Who acted.")] = None,
    outcome: Annotated[Outcome | None, Query(description="Only what was done, or refused.")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="This moment and later.")] = None,
    before: Annotated[Moment | None, Query(alias="to", description="Before this moment.")] = None,
) -> TrailFilter:
    return TrailFilter(code, actor, outcome, since, before)


Wanted = Annotated[TrailFilter, Depends(_trail_filter, scope="function")]
"""The filters of the trail."""
