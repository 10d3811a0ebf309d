"""Looking whether proven domains are still proven: weekly, after a failure daily, and at the third the joining ends."""

import asyncio
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.mandates.domain_records import DomainRecords, Finding
from modules.mandates.models import MandateDomain
from modules.mandates.repository import domains as repository
from modules.mandates.service.domain_mails import tell_administrator
from modules.mandates.service.domains import CHECKED_EVERY
from modules.shared import clock
from modules.shared.database import Database
from modules.shared.grants import Administrators
from modules.shared.ids import DomainId, MandateId
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer

domain_tasks = TaskRegistry()

_TRIED_AGAIN_AFTER: Final = timedelta(hours=20)  # the next daily run, whatever minute that one begins in
_MOST_FAILURES: Final = 3
_AT_ONCE: Final = 20


class DomainChecks:
    """Checks what is due."""

    def __init__(
        self, database: Database, records: DomainRecords, administrators: Administrators, audit: AuditLog
    ) -> None:
        self._database = database
        self._records = records
        self._administrators = administrators
        self._audit = audit

    async def check_due(self) -> None:
        """Look for each record that is due, some at a time; no connection is held meanwhile."""
        began = clock.now()
        while True:
            async with self._database.system_session() as session:
                due = await repository.list_due(session, began, _AT_ONCE)
            if not due:
                return
            findings = await asyncio.gather(*(self._records.look_for(each.domain, each.challenge) for each in due))
            for each, finding in zip(due, findings, strict=True):
                async with self._database.system_session() as session:
                    await self._settle(session, DomainId(each.id), finding)

    async def _settle(self, session: AsyncSession, domain_id: DomainId, finding: Finding) -> None:
        now = clock.now()
        domain = await repository.lock_due(session, domain_id, now)
        if domain is None:  # taken away or proven anew meanwhile
            return
        domain.checked_at = now
        if finding is Finding.PUBLISHED:
            domain.failures, domain.check_after = 0, now + CHECKED_EVERY
            return
        domain.failures += 1
        domain.check_after = now + _TRIED_AGAIN_AFTER
        if domain.failures < _MOST_FAILURES:
            self._record(session, "domain_check_failed", domain, finding)
            return
        domain.verified_at, domain.suspended_at = None, now
        domain.version += 1
        self._record(session, "domain_suspended", domain, finding)
        mandate_id = MandateId(domain.mandate_id)
        for administrator_id in await self._administrators.of_mandate(session, mandate_id):
            await defer(
                session,
                tell_administrator,
                mandate_id=mandate_id,
                domain_id=domain_id,
                administrator_id=administrator_id,
            )

    def _record(self, session: AsyncSession, code: str, domain: MandateDomain, finding: Finding) -> None:
        self._audit.record(
            session,
            code,
            by=None,
            mandate_id=MandateId(domain.mandate_id),
            subject=Subject("domain", domain.id),
            details={"domain": domain.domain, "finding": finding, "failures": domain.failures},
        )


@domain_tasks.periodic(
    "mandates.check_domains", cron="47 4 * * *", retry=Retry(attempts=3), time_limit=timedelta(hours=2)
)
async def check_domains(job: JobContext) -> None:
    """Look for the records that are due."""
    await job.services.get(DomainChecks).check_due()
