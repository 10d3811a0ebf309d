"""Keeping promises of roles: when its time has come, a role is given if whoever promised it still may give it."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
import structlog

from modules.audit.service import AuditLog, Subject
from modules.rbac.models import ScheduledGrant
from modules.rbac.repository import assignments as repository
from modules.rbac.service.assignments import Given, RoleAssignments
from modules.shared import clock
from modules.shared.catalogue import Action, ItemCatalogue, ItemKind
from modules.shared.database import Database, Tenant
from modules.shared.errors import DatabaseUnavailable, DomainError
from modules.shared.grants import GrantGuard, Need
from modules.shared.ids import MandateId, MembershipId, RoleId, UserId
from modules.shared.jobs import JobContext, Retry, TaskRegistry

_log = structlog.get_logger(__name__)
_AT_ONCE: Final = 500

Outcome = Literal["granted", "refused", "expired"]
_EVENTS: Final[Mapping[Outcome, str]] = {
    "granted": "scheduled_grant_kept",
    "refused": "scheduled_grant_refused",
    "expired": "scheduled_grant_expired",
}

rbac_tasks = TaskRegistry()


class Settled(NamedTuple):
    """How many promises were settled, one way or the other, and how many still wait because settling them failed."""

    settled: int
    failed: int


class ScheduledGrants:
    """Settles promises, each in its own transaction."""

    def __init__(
        self,
        database: Database,
        guard: GrantGuard,
        assignments: RoleAssignments,
        audit: AuditLog,
        catalogue: ItemCatalogue,
    ) -> None:
        self._database = database
        self._guard = guard
        self._assignments = assignments
        self._audit = audit
        self._catalogue = catalogue

    async def settle_due(self) -> Settled:
        """Settle what is due. One that fails waits for the next turn and holds up no other."""
        settled = failed = 0
        after = None
        while True:
            async with self._database.system_session() as session:
                due = await repository.list_due(session, _AT_ONCE, after)
            for grant in due:
                try:
                    await self._settle(grant.id, MandateId(grant.mandate_id), UserId(grant.granted_by))
                    settled += 1
                except Exception as error:
                    if _is_database_away(error):
                        raise
                    failed += 1
                    _log.exception("scheduled_grant_not_settled", grant_id=str(grant.id))
            if len(due) < _AT_ONCE:
                return Settled(settled, failed)
            after = due[-1].valid_from, due[-1].id

    async def _settle(self, grant_id: UUID, mandate_id: MandateId, granted_by: UserId) -> None:
        try:
            await self._give(grant_id, mandate_id, granted_by)
        except DatabaseUnavailable:
            raise
        except DomainError as refusal:
            await self._refuse(grant_id, mandate_id, granted_by, refusal)

    async def _give(self, grant_id: UUID, mandate_id: MandateId, granted_by: UserId) -> None:
        members = self._catalogue.resolve("members", ItemKind.RESOURCE)
        async with self._database.session(Tenant(mandate_id, None, granted_by)) as session:
            reaching = await repository.level_to_reach(session, mandate_id, grant_id, granted_by)
            needs = Need(members, Action.UPDATE, reaching)
            await self._keep(session, grant_id, mandate_id, granted_by, needs)

    async def _keep(
        self, session: AsyncSession, grant_id: UUID, mandate_id: MandateId, granted_by: UserId, needs: Need
    ) -> None:
        async with self._guard.change(session, mandate_id, granted_by, needs=needs):
            grant = await repository.find_scheduled(session, mandate_id, grant_id)
            if grant is None:
                return
            if _is_over(grant):
                self._close(session, grant, "expired", _told(grant))
                return
            member, role = MembershipId(grant.membership_id), RoleId(grant.role_id)
            await self._assignments.give(session, mandate_id, member, role, Given(granted_by, grant.valid_until))
            self._close(session, grant, "granted", _told(grant))

    async def _refuse(self, grant_id: UUID, mandate_id: MandateId, granted_by: UserId, refusal: DomainError) -> None:
        """In a transaction of its own: the one that tried is rolled back."""
        async with self._database.session(Tenant(mandate_id, None, granted_by)) as session:
            grant = await repository.find_scheduled(session, mandate_id, grant_id)
            if grant is None:
                return
            if _is_over(grant):
                self._close(session, grant, "expired", _told(grant))
                return
            reason = {"reason": refusal.code, **{name: str(value) for name, value in refusal.fields.items()}}
            self._close(session, grant, "refused", reason)

    def _close(
        self, session: AsyncSession, grant: ScheduledGrant, outcome: Outcome, details: Mapping[str, str]
    ) -> None:
        grant.settled_at, grant.outcome = clock.now(), outcome
        self._audit.record(
            session,
            _EVENTS[outcome],
            by=None,
            user_id=UserId(grant.granted_by),
            mandate_id=MandateId(grant.mandate_id),
            subject=Subject("scheduled_grant", grant.id),
            outcome="done" if outcome == "granted" else "refused",
            details=details,
        )


def _is_over(grant: ScheduledGrant) -> bool:
    """Whether its time ended before it was settled, as when no worker ran: then nothing is given any more."""
    return grant.valid_until is not None and grant.valid_until <= clock.now()


def _told(grant: ScheduledGrant) -> dict[str, str]:
    return {"role_id": str(grant.role_id), "membership_id": str(grant.membership_id)}


def _is_database_away(error: Exception) -> bool:
    """Whether every other grant would fail the same way."""
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, DatabaseUnavailable | PoolTimeoutError | OSError)


@rbac_tasks.periodic("rbac.settle_scheduled_grants", cron="* * * * *", retry=Retry(attempts=3))
async def settle_scheduled_grants(job: JobContext) -> None:
    """Give the roles whose time has come."""
    await job.services.get(ScheduledGrants).settle_due()
