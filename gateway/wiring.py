"""Where everything is connected: services are built here and in `gateway.feature_wiring` from their settings and
collaborators, and nowhere else.

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
from gateway.feature_wiring.connections import add_connections
from gateway.feature_wiring.identity import add_identity
from gateway.feature_wiring.mandates import add_mandates
from gateway.feature_wiring.programs import add_programs
from gateway.feature_wiring.providers import add_providers
from gateway.feature_wiring.rights import add_rights
from gateway.feature_wiring.single_user import add_local_user, local_credential
from gateway.features import TASKS
from gateway.http.errors import CsrfRefused, MalformedDeviceId, OriginNotAllowed
from gateway.http.health import NotReady
from gateway.http.metrics import of_several_processes
from gateway.system.metrics import CountedAuditLog, CountedMailer, CountedRefusalLog, Readings
from gateway.system.service import SystemService
from modules.audit.service import AuditLog, AuditTrail, RefusalLog
from modules.auth.cookies import CookieNames
from modules.auth.dependencies import Credentials
from modules.auth.keys import KeyAlgorithm
from modules.auth.passwords import Passwords
from modules.auth.sealing import MasterKey
from modules.auth.service.activity import ActivityService
from modules.auth.service.keys import KeyStore, has_keys
from modules.auth.service.limits import AuthLimits
from modules.auth.service.sign_in_methods import SignInMethods
from modules.auth.service.tickets import TicketService
from modules.auth.signed_tokens import SignedTokens
from modules.rbac.dependencies import ContextAuthorizer
from modules.rbac.repository.authorisation import Authorisation, new_connections
from modules.rbac.service.entries import EntryService
from modules.rbac.service.uses import SysadminUses
from modules.shared.context import Client
from modules.shared.database import Database, DatabaseUrls
from modules.shared.errors import DomainError, TooManyRequests
from modules.shared.geography import Places
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
        system = services.add(SystemService(gateway.settings, database, asking, RECENT_LINES))
        await _measure(gateway, database, system, services, stack)
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

    services.add(CountedAuditLog(gateway.installation_metrics, root), as_=AuditLog)
    services.add(CountedRefusalLog(gateway.installation_metrics, database, root), as_=RefusalLog)
    services.add(AuditTrail(database))
    services.add(CountedMailer(new_mailer(settings.mail), gateway.installation_metrics), as_=Mailer)
    # Asked before the file is looked for: another process starting now makes the file first and the keys after it.
    sealed_already = await has_keys(database)
    master = MasterKey.load_or_create(settings.installation.master_key_file, sealed_already=sealed_already)
    services.add(master)
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
    stack.callback(services.add(Places.open(settings.geoip.file)).close)
    add_rights(settings, services)
    add_mandates(settings, services)
    add_identity(settings, services)
    add_programs(settings, services)
    add_local_user(settings, services)
    add_providers(settings, services, stack)
    add_connections(settings, services, stack)
    return services


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
        local_credential=local_credential(gateway.settings, services),
        tokens=tokens,
        reload_keys=services.get(KeyStore).reload,
        authorisation=services.add(Authorisation(connections)),
        database=database,
        catalogue=gateway.catalogue,
        client_of=client_of,
        tickets=services.get(TicketService),
        activity=services.get(ActivityService),
        entries=services.get(EntryService),
        refusals=services.get(RefusalLog),
        uses=services.get(SysadminUses),
        root_mandate_id=services.get(AuditLog).root_mandate_id,
        compiled_rules_memory=gateway.settings.rbac.compiled_rules_memory,
    )


async def _measure(
    gateway: "Gateway", database: Database, system: SystemService, services: Services, stack: AsyncExitStack
) -> None:
    readings = Readings(gateway.installation_metrics, database, system.pools, services.get(RefusalLog))
    stack.enter_context(gateway.metrics.read_by(readings.read))
    if of_several_processes():
        stack.push_async_callback(_ended, asyncio.create_task(readings.run(), name="readings"))


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
