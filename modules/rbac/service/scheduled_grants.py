"""Keeping promises of roles: when its time has come, a role is given if whoever promised it still may give it."""

from typing import Final
from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.rbac.models import ScheduledGrant
from modules.rbac.repository import assignments as repository
from modules.rbac.service.assignments import Given, RoleAssignments
from modules.shared import clock
from modules.shared.catalogue import Action, ItemCatalogue, ItemKind
from modules.shared.database import Database, Tenant
from modules.shared.errors import DatabaseUnavailable, DomainError
from modules.shared.grants import GrantGuard
from modules.shared.ids import MandateId, MembershipId, RoleId, UserId
from modules.shared.jobs import JobContext, Retry, TaskRegistry

_AT_ONCE: Final = 500

rbac_tasks = TaskRegistry()


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

    async def settle_due(self) -> int:
        """Settle what is due; answers how many."""
        async with self._database.system_session() as session:
            due = await repository.list_due(session, _AT_ONCE)
        for grant_id, mandate_id, granted_by in due:
            await self._settle(grant_id, MandateId(mandate_id), UserId(granted_by))
        return len(due)

    async def _settle(self, grant_id: UUID, mandate_id: MandateId, granted_by: UserId) -> None:
        try:
            await self._give(grant_id, mandate_id, granted_by)
        except DatabaseUnavailable:
            raise
        except DomainError as refusal:
            await self._refuse(grant_id, mandate_id, granted_by, refusal)

    async def _give(self, grant_id: UUID, mandate_id: MandateId, granted_by: UserId) -> None:
        needs = (self._catalogue.resolve("members", ItemKind.RESOURCE), Action.UPDATE)
        async with self._database.session(Tenant(mandate_id, None, granted_by)) as session:
            async with self._guard.change(session, mandate_id, granted_by, needs=needs):
                grant = await repository.find_scheduled(session, mandate_id, grant_id)
                if grant is None:
                    return
                member, role = MembershipId(grant.membership_id), RoleId(grant.role_id)
                given = Given(granted_by, grant.valid_until)
                await self._assignments.give(session, mandate_id, member, role, given)
                self._note(grant, "granted")
            self._audit.record(
                session,
                "scheduled_grant_kept",
                by=None,
                user_id=granted_by,
                mandate_id=mandate_id,
                subject=Subject("scheduled_grant", grant_id),
                details={"role_id": str(role), "membership_id": str(member)},
            )

    async def _refuse(self, grant_id: UUID, mandate_id: MandateId, granted_by: UserId, refusal: DomainError) -> None:
        """In a transaction of its own: the one that tried is rolled back."""
        async with self._database.session(Tenant(mandate_id, None, granted_by)) as session:
            grant = await repository.find_scheduled(session, mandate_id, grant_id)
            if grant is None:
                return
            self._note(grant, "refused")
            self._audit.record(
                session,
                "scheduled_grant_refused",
                by=None,
                user_id=granted_by,
                mandate_id=mandate_id,
                subject=Subject("scheduled_grant", grant_id),
                outcome="refused",
                details={"reason": refusal.code, **{name: str(value) for name, value in refusal.fields.items()}},
            )

    @staticmethod
    def _note(grant: ScheduledGrant, outcome: str) -> None:
        grant.settled_at, grant.outcome = clock.now(), outcome


@rbac_tasks.periodic("rbac.settle_scheduled_grants", cron="* * * * *", retry=Retry(attempts=3))
async def settle_scheduled_grants(job: JobContext) -> None:
    """Give the roles whose time has come."""
    await job.services.get(ScheduledGrants).settle_due()
