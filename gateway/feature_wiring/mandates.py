"""The services of mandates: memberships, groups, instances, invitations."""

from gateway.settings import Settings
from modules.audit.service import AuditLog
from modules.auth.service.limits import AuthLimits
from modules.auth.service.one_time_tokens import OneTimeTokens
from modules.connections.service.endings import ConnectionsOfMandate
from modules.mandates.domain_records import DomainRecords
from modules.mandates.service.administration import MandateAdministration
from modules.mandates.service.beginnings import MandateBeginnings
from modules.mandates.service.domain_checks import DomainChecks
from modules.mandates.service.domains import DomainService
from modules.mandates.service.erasure import MandateErasures
from modules.mandates.service.groups import GroupService
from modules.mandates.service.instance_access import InstanceAccessService
from modules.mandates.service.instances import InstanceService
from modules.mandates.service.invitation_acceptance import InvitationAcceptance
from modules.mandates.service.invitation_mails import InvitationMails
from modules.mandates.service.invitations import InvitationService
from modules.mandates.service.joining import JoiningService
from modules.mandates.service.mandates import MandateService
from modules.mandates.service.members import MemberService
from modules.rbac.service.beginnings import RoleBeginnings
from modules.rbac.service.endings import RoleEndings
from modules.shared.database import Database
from modules.shared.grants import Administrators, GrantGuard, RoleGrants, RoleOffers
from modules.shared.mail import Mailer
from modules.shared.services import Services


def add_mandates(settings: Settings, services: Services) -> None:
    """Offer them."""
    database, audit = services.get(Database), services.get(AuditLog)
    guard: GrantGuard = services.get(GrantGuard)  # type: ignore[type-abstract]  # offered under the protocol
    roles: RoleGrants = services.get(RoleGrants)  # type: ignore[type-abstract]
    administrators: Administrators = services.get(Administrators)  # type: ignore[type-abstract]
    mailer: Mailer = services.get(Mailer)  # type: ignore[type-abstract]
    role_beginnings, limits, tokens = services.get(RoleBeginnings), services.get(AuthLimits), OneTimeTokens()
    services.add(MandateService(guard, administrators, audit))
    services.add(MemberService(guard, roles, audit))
    services.add(GroupService(guard, audit))
    services.add(InstanceService(guard, audit))
    services.add(InstanceAccessService(guard, roles, audit))
    lifetime, grace = settings.mandates.invitation_lifetime, settings.mandates.deletion_grace
    invitations = services.add(InvitationService(database, roles, tokens, limits, audit, lifetime=lifetime))
    services.add(InvitationAcceptance(database, guard, roles, role_beginnings, tokens, audit))
    product, public_url = settings.installation.name, settings.http.public_url
    services.add(InvitationMails(mailer, tokens, product=product, public_url=public_url))
    beginnings = services.add(MandateBeginnings(role_beginnings, audit))
    services.add(MandateAdministration(beginnings, invitations, audit, deletion_grace=grace))
    _add_domains(settings, services)
    services.add(MandateErasures(database, audit, [ConnectionsOfMandate(), RoleEndings()]))


def _add_domains(settings: Settings, services: Services) -> None:
    database, audit = services.get(Database), services.get(AuditLog)
    guard: GrantGuard = services.get(GrantGuard)  # type: ignore[type-abstract]  # offered under the protocol
    roles: RoleGrants = services.get(RoleGrants)  # type: ignore[type-abstract]
    offers: RoleOffers = services.get(RoleOffers)  # type: ignore[type-abstract]
    administrators: Administrators = services.get(Administrators)  # type: ignore[type-abstract]
    records = DomainRecords(settings.mandates.dns_resolver, settings.mandates.dns_timeout)
    services.add(DomainService(database, offers, records, audit, recent_login=settings.auth.recent_login))
    services.add(JoiningService(database, guard, roles, offers, audit))
    services.add(DomainChecks(database, records, administrators, audit))
