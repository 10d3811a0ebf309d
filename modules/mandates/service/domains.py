"""Mail domains whose people may join a mandate by themselves: listed, proven by DNS, given a role, taken away.

A domain counts for nothing before it is proven, and for one mandate of the installation only.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from modules.audit.service import AuditLog, Subject
from modules.auth.keys import new_secret
from modules.auth.service.recent import demand_recent_login
from modules.mandates.domain_records import DomainRecords, Finding, record_name
from modules.mandates.joining_errors import (
    DomainListedAlready,
    DomainNotFound,
    DomainNotProven,
    DomainTaken,
    PublicMailDomain,
    TooManyDomains,
)
from modules.mandates.models import MandateDomain
from modules.mandates.permissions import DOMAINS
from modules.mandates.public_mail_domains import is_public_mail_domain
from modules.mandates.repository import domains as repository
from modules.mandates.repository import mandates
from modules.mandates.schemas.domains import DnsRecord, DomainCreate, DomainPatch, DomainRead, DomainState
from modules.shared import clock
from modules.shared.catalogue import Action
from modules.shared.context import RequestContext
from modules.shared.database import Database, Tenant
from modules.shared.grants import Need, RoleOffers, need_of
from modules.shared.ids import DomainId, RoleId, new_id
from modules.shared.pagination import Page, PageQuery
from modules.shared.versions import ExpectedVersions, require_version

MOST_DOMAINS: Final = 50
CHECKED_EVERY: Final = timedelta(days=7)
_ONE_OWNER: Final = "mandate_domains_one_owner"


class DomainService:
    """The domains of the mandate one works in. `recent_login` is how old a sign-in may be to open this door."""

    def __init__(
        self,
        database: Database,
        offers: RoleOffers,
        records: DomainRecords,
        audit: AuditLog,
        *,
        recent_login: timedelta,
    ) -> None:
        self._database = database
        self._offers = offers
        self._records = records
        self._audit = audit
        self._recent_login = recent_login

    async def list_page(
        self, context: RequestContext, words: str | None, sort: str, paging: PageQuery
    ) -> Page[DomainRead]:
        """One page of the domains that contain `words`."""
        found, cursor = await repository.list_page(context, words, sort, paging)
        return Page(items=[_read(domain) for domain in found], next_cursor=cursor)

    async def add(self, context: RequestContext, wanted: DomainCreate) -> DomainRead:
        """List a domain, and say what proves it.

        Raises StepUpRequired, PublicMailDomain, DomainListedAlready, TooManyDomains, and what `RoleOffers` refuses.
        """
        db, mandate_id = context.db, context.mandate.id
        await demand_recent_login(db, context.login, self._recent_login)
        if is_public_mail_domain(wanted.domain):
            raise PublicMailDomain(pointer="/domain")
        await mandates.hold(db, mandate_id)
        await self._offer(context, wanted.role_id)
        if await repository.has(db, mandate_id, wanted.domain):
            raise DomainListedAlready(pointer="/domain")
        if await repository.count(db, mandate_id) >= MOST_DOMAINS:
            raise TooManyDomains(maximum=MOST_DOMAINS)
        domain = MandateDomain(
            id=new_id(),
            mandate_id=mandate_id,
            domain=wanted.domain,
            challenge=new_secret(),
            role_id=wanted.role_id,
            enabled=True,
            offered_by=context.user.id,
            failures=0,
            version=1,
            created_at=clock.now(),
        )
        db.add(domain)
        await db.flush()
        self._record(context, "domain_added", domain, wanted.model_dump(mode="json"))
        return _read(domain)

    async def verify(self, context: RequestContext, domain_id: DomainId) -> DomainRead:
        """Look for the record; the domain is proven if it is there. Of several mandates at once one gets it.

        Raises StepUpRequired, DomainNotFound, DomainNotProven, DomainTaken.
        """
        # No connection is held while the domain name system is asked.
        async with self._database.session(Tenant(context.mandate.id, None, context.user.id)) as session:
            await demand_recent_login(session, context.login, self._recent_login)
            asked = await repository.find(context, session, domain_id)
        if asked is None:
            raise DomainNotFound
        finding = await self._records.look_for(asked.domain, asked.challenge)
        if finding is not Finding.PUBLISHED:
            raise DomainNotProven(record=record_name(asked.domain), finding=finding)
        domain = await self._lock(context, domain_id)
        now = clock.now()
        domain.verified_at = domain.verified_at or now
        domain.checked_at, domain.check_after = now, now + CHECKED_EVERY
        domain.failures, domain.suspended_at = 0, None
        domain.version += 1
        try:
            await context.db.flush()
        except IntegrityError as error:
            if _ONE_OWNER not in str(error.orig):
                raise
            raise DomainTaken from error
        self._record(context, "domain_verified", domain, {"domain": domain.domain})
        return _read(domain)

    async def patch(
        self, context: RequestContext, domain_id: DomainId, patch: DomainPatch, expected: ExpectedVersions = None
    ) -> DomainRead:
        """Change whether people may join, and as what. Whoever does answers for the role from then on.

        Raises StepUpRequired, DomainNotFound, PreconditionFailed, and what `RoleOffers` refuses.
        """
        await demand_recent_login(context.db, context.login, self._recent_login)
        await mandates.hold(context.db, context.mandate.id)  # before the domain, as whoever joins does
        domain = await self._lock(context, domain_id)
        require_version(domain.version, expected)
        changes = patch.changes()
        await self._offer(context, changes.get("role_id", domain.role_id))
        for name, value in changes.items():
            setattr(domain, name, value)
        domain.offered_by = context.user.id
        domain.version += 1
        await context.db.flush()
        self._record(context, "domain_changed", domain, patch.model_dump(mode="json", exclude_unset=True))
        return _read(domain)

    async def delete(self, context: RequestContext, domain_id: DomainId, expected: ExpectedVersions = None) -> None:
        """Nobody joins by the domain any more; who did stays. Raises DomainNotFound, PreconditionFailed."""
        domain = await self._lock(context, domain_id)
        require_version(domain.version, expected)
        await context.db.delete(domain)
        await context.db.flush()
        self._record(context, "domain_deleted", domain, {"domain": domain.domain})

    async def _offer(self, context: RequestContext, role_id: UUID | None) -> None:
        if role_id is not None:
            needs = need_of(context) or Need(DOMAINS, Action.UPDATE)
            await self._offers.require_offerable(
                context.db, context.mandate.id, RoleId(role_id), offered_by=context.user.id, needs=needs
            )

    async def _lock(self, context: RequestContext, domain_id: DomainId) -> MandateDomain:
        found = await repository.lock(context, domain_id)
        if found is None:
            raise DomainNotFound
        return found

    def _record(self, context: RequestContext, code: str, domain: MandateDomain, details: dict[str, object]) -> None:
        subject = Subject("domain", domain.id)
        self._audit.record(context.db, code, by=context, subject=subject, details=details)


def _read(domain: MandateDomain) -> DomainRead:
    return DomainRead(
        id=domain.id,
        domain=domain.domain,
        state=_state(domain),
        enabled=domain.enabled,
        role_id=domain.role_id,
        record=DnsRecord(name=record_name(domain.domain), value=domain.challenge),
        offered_by=domain.offered_by,
        verified_at=domain.verified_at,
        checked_at=domain.checked_at,
        failures=domain.failures,
        suspended_at=domain.suspended_at,
        version=domain.version,
        created_at=domain.created_at,
    )


def _state(domain: MandateDomain) -> DomainState:
    if domain.verified_at is not None:
        return "verified"
    return "suspended" if domain.suspended_at is not None else "waiting"
