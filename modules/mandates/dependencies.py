"""Who may call the routes of this feature, and the services they ask, as the annotations of their signatures."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from modules.mandates.service.administration import MandateAdministration
from modules.mandates.service.domains import DomainService
from modules.mandates.service.groups import GroupService
from modules.mandates.service.instance_access import InstanceAccessService
from modules.mandates.service.instances import InstanceService
from modules.mandates.service.invitation_acceptance import InvitationAcceptance
from modules.mandates.service.invitations import InvitationService
from modules.mandates.service.joining import JoiningService
from modules.mandates.service.mandates import MandateService
from modules.mandates.service.members import MemberService
from modules.shared import services
from modules.shared.catalogue import Action
from modules.shared.context import Caller, RequestContext
from modules.shared.database import Database
from modules.shared.guards import require, require_sign_in, require_sysadmin_role
from modules.shared.services import service
from modules.shared.wire import StorableText

SignedIn = Annotated[Caller, require_sign_in()]
Myself = Annotated[Caller, require_sign_in(accepts_keys=True)]

MayReadMandate = Annotated[RequestContext, require("mandate", Action.READ)]
MayUpdateMandate = Annotated[RequestContext, require("mandate", Action.UPDATE)]

MayReadMembers = Annotated[RequestContext, require("members", Action.READ)]
MayCreateMembers = Annotated[RequestContext, require("members", Action.CREATE)]
MayUpdateMembers = Annotated[RequestContext, require("members", Action.UPDATE)]
MayDeleteMembers = Annotated[RequestContext, require("members", Action.DELETE)]

MayReadInvitations = Annotated[RequestContext, require("invitations", Action.READ)]
MayCreateInvitations = Annotated[RequestContext, require("invitations", Action.CREATE)]
MayUpdateInvitations = Annotated[RequestContext, require("invitations", Action.UPDATE)]
MayDeleteInvitations = Annotated[RequestContext, require("invitations", Action.DELETE)]

MayReadDomains = Annotated[RequestContext, require("domains", Action.READ)]
MayCreateDomains = Annotated[RequestContext, require("domains", Action.CREATE)]
MayUpdateDomains = Annotated[RequestContext, require("domains", Action.UPDATE)]
MayDeleteDomains = Annotated[RequestContext, require("domains", Action.DELETE)]

MayReadGroups = Annotated[RequestContext, require("groups", Action.READ)]
MayCreateGroups = Annotated[RequestContext, require("groups", Action.CREATE)]
MayUpdateGroups = Annotated[RequestContext, require("groups", Action.UPDATE)]
MayDeleteGroups = Annotated[RequestContext, require("groups", Action.DELETE)]

MayReadInstances = Annotated[RequestContext, require("instances", Action.READ)]
MayCreateInstances = Annotated[RequestContext, require("instances", Action.CREATE)]
MayUpdateInstances = Annotated[RequestContext, require("instances", Action.UPDATE)]
MayDeleteInstances = Annotated[RequestContext, require("instances", Action.DELETE)]

MayReadAllMandates = Annotated[RequestContext, require_sysadmin_role("admin.mandates", Action.READ)]
MayCreateMandates = Annotated[RequestContext, require_sysadmin_role("admin.mandates", Action.CREATE)]
MayUpdateAllMandates = Annotated[RequestContext, require_sysadmin_role("admin.mandates", Action.UPDATE)]
MayDeleteMandates = Annotated[RequestContext, require_sysadmin_role("admin.mandates", Action.DELETE)]

Mandates = Annotated[MandateService, service(MandateService)]
Members = Annotated[MemberService, service(MemberService)]
Invitations = Annotated[InvitationService, service(InvitationService)]
Acceptance = Annotated[InvitationAcceptance, service(InvitationAcceptance)]
Domains = Annotated[DomainService, service(DomainService)]
Joining = Annotated[JoiningService, service(JoiningService)]
Groups = Annotated[GroupService, service(GroupService)]
Instances = Annotated[InstanceService, service(InstanceService)]
Accesses = Annotated[InstanceAccessService, service(InstanceAccessService)]
Administration = Annotated[MandateAdministration, service(MandateAdministration)]

Words = Annotated[StorableText | None, Query(alias="q", max_length=200, description="Part of a name or address.")]
"""What a list is searched for."""


async def _across_mandates(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """A transaction of the system login, committed before the answer leaves; takes no connection until used."""
    database: Database = getattr(connection.app.state, services.STATE).get(Database)
    async with database.system_session() as session:
        yield session


AcrossMandates = Annotated[AsyncSession, Depends(_across_mandates, scope="function")]
"""For routes of the installation's administration only: it sees every mandate. Stands after the guard."""
