"""Where everything is connected: services are built here from their settings and collaborators, and nowhere else.

The features know each other only downwards; what one needs of another above it is a protocol, and this file says who
fulfils it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
import re
from typing import TYPE_CHECKING

from sqlalchemy import text
from starlette.types import Scope

from gateway import migrations
from gateway.features import TASKS
from gateway.http.errors import CsrfRefused, MalformedDeviceId, OriginNotAllowed
from gateway.http.health import NotReady
from gateway.system.service import SystemService
from modules.audit.service import AuditLog, AuditTrail, RefusalLog
from modules.auth.cookies import CookieNames
from modules.auth.dependencies import Credentials
from modules.auth.keys import KeyAlgorithm
from modules.auth.passwords import Passwords
from modules.auth.sealing import MasterKey
from modules.auth.service.accounts import AccountService
from modules.auth.service.activity import ActivityService
from modules.auth.service.clean_up import CleanUp
from modules.auth.service.email_address import EmailAddressService
from modules.auth.service.entrance import Entrance
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.key_rotation import KeyRotation
from modules.auth.service.keys import KeyStore, has_keys
from modules.auth.service.limits import AuthLimits
from modules.auth.service.mails import AuthMails
from modules.auth.service.one_time_tokens import OneTimeTokens
from modules.auth.service.password import PasswordService
from modules.auth.service.profile import ProfileService
from modules.auth.service.refresh import RefreshService
from modules.auth.service.registration import RegistrationService
from modules.auth.service.registration_policy import RegistrationPolicy
from modules.auth.service.second_factors import ChosenFactors
from modules.auth.service.sessions import SessionService
from modules.auth.service.sign_in import SignInService
from modules.auth.service.sign_in_methods import SignInMethod, SignInMethods
from modules.auth.service.sign_out import SignOutService
from modules.auth.service.sysadmins import SysadminService
from modules.auth.service.tokens_administration import TokensAdministration
from modules.auth.service.users_administration import UsersAdministration
from modules.auth.signed_tokens import SignedTokens
from modules.mandates.service.administration import MandateAdministration
from modules.mandates.service.beginnings import MandateBeginnings, RegistrationHome
from modules.mandates.service.erasure import MandateErasures
from modules.mandates.service.groups import GroupService
from modules.mandates.service.instance_access import InstanceAccessService
from modules.mandates.service.instances import InstanceService
from modules.mandates.service.invitation_acceptance import InvitationAcceptance
from modules.mandates.service.invitation_mails import InvitationMails
from modules.mandates.service.invitations import InvitationService
from modules.mandates.service.mandates import MandateService
from modules.mandates.service.members import MemberService
from modules.rbac.dependencies import ContextAuthorizer
from modules.rbac.repository.authorisation import Authorisation, new_connections
from modules.rbac.service.administrators import MandateAdministrators
from modules.rbac.service.assignments import RoleAssignments
from modules.rbac.service.beginnings import RoleBeginnings
from modules.rbac.service.contexts import ContextService
from modules.rbac.service.decisions import DecisionService
from modules.rbac.service.departure import AdministratorDeparture
from modules.rbac.service.endings import RoleEndings
from modules.rbac.service.entries import EntryService
from modules.rbac.service.global_guard import GlobalRoleGuard
from modules.rbac.service.global_roles import GlobalRoleService
from modules.rbac.service.grant_guard import RbacGrantGuard
from modules.rbac.service.installation_roles import InstallationRoles
from modules.rbac.service.role_holders import RoleHolders
from modules.rbac.service.roles import RoleService
from modules.rbac.service.scheduled_grants import ScheduledGrants
from modules.rbac.service.uses import SysadminUses
from modules.shared.catalogue import ItemCatalogue
from modules.shared.context import Client
from modules.shared.database import Database, DatabaseUrls
from modules.shared.errors import DomainError, TooManyRequests
from modules.shared.grants import Administrators, GrantGuard, MandateProvisioning, RoleGrants
from modules.shared.i18n import Text
from modules.shared.ids import MandateId
from modules.shared.logging import RECENT_LINES
from modules.shared.mail import Mailer, new_mailer
from modules.shared.rate_limits import RateLimits
from modules.shared.services import STATE as SERVICES
from modules.shared.services import Services
from modules.shared.worker import Worker

if TYPE_CHECKING:
    from gateway.app import Gateway


_DEVICE_ID = re.compile("[ -~]{1,64}")


@dataclass(frozen=True, slots=True)
class Installation:
    """A running installation."""

    authorizer: ContextAuthorizer
    services: Services
    database: Database


@asynccontextmanager
async def running(gateway: "Gateway", urls: DatabaseUrls) -> AsyncIterator[Installation]:
    """Everything behind the routes, connected and running; ended in reverse order when the block ends."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(_database(gateway, urls))
        services = await _services(gateway, database, stack)
        authorizer = await _authorizer(gateway, urls, database, services, stack)
        asking = services.get(Authorisation).connections
        services.add(SystemService(gateway.settings, database, asking, RECENT_LINES))
        await _background(gateway, urls, database, services, stack)
        gateway.readiness.add("database", lambda: _answers(database))
        too_early = migrations.earlier_levels()
        gateway.readiness.add("level", lambda: _has_level(database, too_early))
        yield Installation(authorizer, services, database)


def _database(gateway: "Gateway", urls: DatabaseUrls) -> Database:
    section = gateway.settings.database
    return Database(
        urls.app,
        urls.system,
        pool_size=section.pool_size,
        max_overflow=section.max_overflow,
        system_pool_size=section.system_pool_size,
        statement_timeout=section.statement_timeout,
    )


async def _services(gateway: "Gateway", database: Database, stack: AsyncExitStack) -> Services:
    settings = gateway.settings
    services = Services()
    services.add(database)
    services.add(gateway.catalogue)
    services.add(settings.installation)
    services.add(SignInMethods())
    root = await _root_mandate(database)

    audit = services.add(AuditLog(root))
    services.add(RefusalLog(database, root))
    services.add(AuditTrail(database))
    services.add(new_mailer(settings.mail), as_=Mailer)
    # Asked before the file is looked for: another process starting now makes the file first and the keys after it.
    sealed_already = await has_keys(database)
    master = MasterKey.load_or_create(settings.installation.master_key_file, sealed_already=sealed_already)
    keys = services.add(KeyStore(database, master, algorithm=KeyAlgorithm(settings.auth.algorithm)))
    ring = await keys.load()
    services.add(keys.serve(SignedTokens(ring, settings.auth.issuer, settings.auth.audience)))
    services.add(CookieNames.for_url(settings.http.public_url))
    services.add(ActivityService(database))
    passwords = services.add(Passwords(settings.auth))
    stack.callback(passwords.close)
    limits = RateLimits(settings.rate_limits.storage.get_secret_value(), secret=master.derive(b"rate limits"))
    services.add(limits)
    stack.push_async_callback(limits.aclose)

    services.add(AuthLimits(limits, settings.rate_limits))
    _add_rights(gateway, database, audit, services)
    _add_mandates(gateway, database, audit, services)
    _add_identity(gateway, database, audit, services)
    return services


def _add_identity(gateway: "Gateway", database: Database, audit: AuditLog, services: Services) -> None:
    settings = gateway.settings
    auth, tokens, passwords = services.add(settings.auth), services.get(SignedTokens), services.get(Passwords)
    limits = services.get(AuthLimits)
    issuer = services.add(TokenIssuer(services.get(KeyStore), tokens, auth))
    sessions = services.add(SessionService(issuer, audit, auth))
    entrance = services.add(Entrance(sessions, ChosenFactors(), audit))
    beginnings = services.get(MandateBeginnings)
    accounts = services.add(
        AccountService(
            database,
            passwords,
            audit,
            beginnings,
            RegistrationHome(beginnings, auth.registration_home),
            needs_set_up_code=settings.needs_set_up_code,
        )
    )
    policy = services.add(RegistrationPolicy(services.get(InvitationService), auth))
    refusals = services.get(RefusalLog)
    services.add(RefreshService(database, issuer, limits, audit, auth))
    services.add(SignOutService(issuer, tokens, audit))
    services.add(SignInService(database, passwords, entrance, sessions, limits, audit, refusals))
    methods = services.get(SignInMethods)
    methods.offer(SignInMethod("password", "password", Text(en="Password", de="Passwort"), "/api/v1/auth/login"))
    services.add(RegistrationService(database, passwords, accounts, entrance, limits, policy, auth))
    changes = services.add(PasswordService(database, passwords, sessions, limits, audit, auth))
    services.add(EmailAddressService(database, sessions, changes, limits, audit, auth))
    departure = AdministratorDeparture(MandateAdministrators(services.get(ItemCatalogue)))
    services.add(ProfileService(database, audit, auth, departures=(departure,)))
    services.add(UsersAdministration(sessions, changes, limits, audit, auth))
    services.add(SysadminService(database, audit, auth))
    services.add(TokensAdministration(audit, auth))
    services.add(KeyRotation(database, services.get(KeyStore), audit, auth))
    services.add(CleanUp(database, audit, auth))
    mailer: Mailer = services.get(Mailer)  # type: ignore[type-abstract]  # offered under the protocol
    services.add(AuthMails(mailer, product=settings.installation.name, public_url=settings.http.public_url))


def _add_mandates(gateway: "Gateway", database: Database, audit: AuditLog, services: Services) -> None:
    settings = gateway.settings
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
    services.add(MandateErasures(database, audit, [RoleEndings()]))


def _add_rights(gateway: "Gateway", database: Database, audit: AuditLog, services: Services) -> None:
    settings, catalogue = gateway.settings, gateway.catalogue
    services.add(SysadminUses(audit, services.get(RefusalLog)))
    guard = RbacGrantGuard(database, catalogue)
    services.add(guard, as_=GrantGuard)
    installation = InstallationRoles(catalogue, audit.root_mandate_id, settings.auth.recent_login)
    assignments = RoleAssignments(installation)
    services.add(assignments, as_=RoleGrants)
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


async def _authorizer(
    gateway: "Gateway", urls: DatabaseUrls, database: Database, services: Services, stack: AsyncExitStack
) -> ContextAuthorizer:
    section = gateway.settings.database
    connections = await new_connections(
        urls.auth,
        connections=section.authorisation_connections,
        deadline=section.authorisation_deadline,
        waiters=section.authorisation_waiters,
    ).start()
    stack.push_async_callback(connections.stop)
    tokens = services.get(SignedTokens)
    return ContextAuthorizer(
        credentials=Credentials(tokens, services.get(CookieNames)),
        tokens=tokens,
        reload_keys=services.get(KeyStore).reload,
        authorisation=services.add(Authorisation(connections)),
        database=database,
        catalogue=gateway.catalogue,
        client_of=client_of,
        activity=services.get(ActivityService),
        entries=services.get(EntryService),
        refusals=services.get(RefusalLog),
        uses=services.get(SysadminUses),
        root_mandate_id=services.get(AuditLog).root_mandate_id,
        compiled_rules_memory=gateway.settings.rbac.compiled_rules_memory,
    )


async def _background(
    gateway: "Gateway", urls: DatabaseUrls, database: Database, services: Services, stack: AsyncExitStack
) -> None:
    for keeper in (services.get(ActivityService), services.get(RefusalLog)):
        stack.push_async_callback(keeper.flush)
        task = asyncio.create_task(keeper.run(), name=type(keeper).__name__)
        stack.push_async_callback(_ended, task)
    if gateway.settings.jobs.in_process:
        await stack.enter_async_context(worker(gateway, urls, database, services).running())


def worker(gateway: "Gateway", urls: DatabaseUrls, database: Database, services: Services) -> Worker:
    """The worker of every task of the features; in the lifespan, or as `mandate worker`."""
    return Worker(
        urls.system,
        TASKS,
        database,
        services,
        concurrency=gateway.settings.jobs.concurrency,
        graceful_timeout=gateway.settings.jobs.shutdown_timeout,
    )


def client_of(scope: Scope) -> Client:
    """Where a request comes from, as the edge found it. Raises MalformedDeviceId."""
    client = _client_of(scope)
    if client.device_id and not _DEVICE_ID.fullmatch(client.device_id):
        raise MalformedDeviceId(pointer="X-Device-Id")
    return client


def _client_of(scope: Scope) -> Client:
    state = scope["state"]
    user_agent = device_id = ""
    for name, value in scope["headers"]:
        if name == b"user-agent":
            user_agent = value[:300].decode("latin-1")
        elif name == b"x-device-id":
            device_id = value.decode("latin-1")
    return Client(state["client_address"], user_agent, state["request_id"], device_id or None)


def note_refusal(refusal: DomainError, scope: Scope) -> None:
    """Audit what the edge refuses a stranger: a forged request, a limit used up. The rest are slips of clients."""
    if isinstance(refusal, CsrfRefused | OriginNotAllowed | TooManyRequests):
        found: Services = getattr(scope["app"].state, SERVICES)
        found.get(RefusalLog).refused(refusal, user_id=None, mandate_id=None, client=_client_of(scope))


async def _root_mandate(database: Database) -> MandateId:
    async with database.system_session() as session:
        return MandateId((await session.execute(text("SELECT root_mandate_id FROM installation"))).scalar_one())


async def _answers(database: Database) -> None:
    async with database.session() as session:
        await session.execute(text("SELECT true"))


async def _has_level(database: Database, too_early: frozenset[str]) -> None:
    """A process that runs goes on while a later version's migration adds to the database: expand, deploy, contract."""
    async with database.session() as session:
        level = await session.scalar(text("SELECT version_num FROM alembic_version"))
    if level is None:
        raise NotReady("the database records no migration level")
    if level in too_early:
        raise NotReady(f"the database is at level {level}, which is earlier than this version needs")


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
