"""Who may call the routes of this feature, and the services they ask, as the annotations of their signatures."""

from typing import Annotated

from modules.rbac.service.contexts import ContextService
from modules.rbac.service.decisions import DecisionService
from modules.rbac.service.entries import EntryService
from modules.rbac.service.global_roles import GlobalRoleService
from modules.rbac.service.role_holders import RoleHolders
from modules.rbac.service.roles import RoleService
from modules.shared.catalogue import Action
from modules.shared.context import Caller, RequestContext
from modules.shared.guards import require, require_membership, require_sysadmin, require_sysadmin_role
from modules.shared.services import service

AnyMember = Annotated[RequestContext, require_membership(accepts_keys=True)]
MayReadRoles = Annotated[RequestContext, require("rbac.roles", Action.READ)]
MayCreateRoles = Annotated[RequestContext, require("rbac.roles", Action.CREATE)]
MayUpdateRoles = Annotated[RequestContext, require("rbac.roles", Action.UPDATE)]
MayDeleteRoles = Annotated[RequestContext, require("rbac.roles", Action.DELETE)]
MayReadMembers = Annotated[RequestContext, require("members", Action.READ)]
MayUpdateMembers = Annotated[RequestContext, require("members", Action.UPDATE)]
Sysadmin = Annotated[Caller, require_sysadmin()]
MayReadEntries = Annotated[RequestContext, require_sysadmin_role("admin.entries", Action.READ)]
MayReadGlobalRoles = Annotated[RequestContext, require_sysadmin_role("admin.roles", Action.READ)]
MayCreateGlobalRoles = Annotated[RequestContext, require_sysadmin_role("admin.roles", Action.CREATE)]
MayUpdateGlobalRoles = Annotated[RequestContext, require_sysadmin_role("admin.roles", Action.UPDATE)]
MayDeleteGlobalRoles = Annotated[RequestContext, require_sysadmin_role("admin.roles", Action.DELETE)]

Contexts = Annotated[ContextService, service(ContextService)]
Decisions = Annotated[DecisionService, service(DecisionService)]
Entries = Annotated[EntryService, service(EntryService)]
GlobalRoles = Annotated[GlobalRoleService, service(GlobalRoleService)]
Holders = Annotated[RoleHolders, service(RoleHolders)]
Roles = Annotated[RoleService, service(RoleService)]
