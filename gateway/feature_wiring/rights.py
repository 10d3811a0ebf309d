"""The services of rights: roles, their holders, decisions and the visits of sysadmins."""

from gateway.settings import Settings
from modules.audit.service import AuditLog, RefusalLog
from modules.mandates.service.promises import PromisesToNewcomers
from modules.rbac.service.administrators import MandateAdministrators
from modules.rbac.service.assignments import RoleAssignments
from modules.rbac.service.beginnings import RoleBeginnings
from modules.rbac.service.contexts import ContextService
from modules.rbac.service.decisions import DecisionService
from modules.rbac.service.entries import EntryService
from modules.rbac.service.global_guard import GlobalRoleGuard
from modules.rbac.service.global_roles import GlobalRoleService
from modules.rbac.service.grant_guard import RbacGrantGuard
from modules.rbac.service.installation_roles import InstallationRoles
from modules.rbac.service.role_holders import RoleHolders
from modules.rbac.service.role_offers import OfferedRoles
from modules.rbac.service.roles import RoleService
from modules.rbac.service.scheduled_grants import ScheduledGrants
from modules.rbac.service.uses import SysadminUses
from modules.shared.catalogue import ItemCatalogue
from modules.shared.database import Database
from modules.shared.grants import Administrators, GrantGuard, MandateProvisioning, RoleGrants, RoleOffers
from modules.shared.services import Services


def add_rights(settings: Settings, services: Services) -> None:
    """Offer them."""
    database, audit = services.get(Database), services.get(AuditLog)
    catalogue = services.get(ItemCatalogue)
    services.add(SysadminUses(audit, services.get(RefusalLog)))
    guard = RbacGrantGuard(database, catalogue, PromisesToNewcomers())
    services.add(guard, as_=GrantGuard)
    installation = InstallationRoles(catalogue, audit.root_mandate_id, settings.auth.recent_login)
    assignments = RoleAssignments(installation)
    services.add(assignments, as_=RoleGrants)
    services.add(OfferedRoles(guard, assignments, audit.root_mandate_id, catalogue), as_=RoleOffers)
    administrators = MandateAdministrators(catalogue)
    services.add(administrators, as_=Administrators)
    beginnings = services.add(RoleBeginnings(catalogue, audit.root_mandate_id))
    services.add(beginnings, as_=MandateProvisioning)
    services.add(RoleService(guard, audit, catalogue, installation))
    services.add(GlobalRoleService(GlobalRoleGuard(catalogue), audit, catalogue, installation))
    services.add(RoleHolders(guard, assignments, installation, audit))
    services.add(ScheduledGrants(database, guard, assignments, audit, catalogue))
    services.add(DecisionService(services.add(ContextService(database))))
    entries = EntryService(
        database,
        audit,
        administrators,
        mode=settings.rbac.sysadmin_entry,
        lifetime=settings.rbac.entry_lifetime,
        recent_login=settings.auth.recent_login,
    )
    services.add(entries)
