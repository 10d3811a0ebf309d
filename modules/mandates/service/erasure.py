"""Erasing deleted mandates when their grace is over: every feature lets its rows go, then the mandate goes."""

from collections.abc import Sequence
from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.mandates.repository import mandates as repository
from modules.shared import clock
from modules.shared.database import Database
from modules.shared.grants import MandateErasure, rights_may_change
from modules.shared.ids import MandateId
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer

erasure_tasks = TaskRegistry()


class MandateErasures:
    """Erases what is due. `features` are those above, the uppermost first: their rows point at ours."""

    def __init__(self, database: Database, audit: AuditLog, features: Sequence[MandateErasure]) -> None:
        self._database = database
        self._audit = audit
        self._features = features

    async def order_due(self) -> None:
        """Have every mandate that is due erased by a job of its own, so that one which fails holds back no other."""
        async with self._database.system_session() as session:
            for mandate_id in await repository.list_due(session, clock.now()):
                lock = f"mandates.erase {mandate_id}"
                await defer(session, erase_mandate, queueing_lock=lock, erased_id=mandate_id)

    async def erase(self, mandate_id: MandateId) -> None:
        """Erase one mandate, unless it was restored meanwhile."""
        async with self._database.system_session() as session:
            mandate = await repository.lock_due(session, mandate_id, clock.now())
            if mandate is None:
                return
            with rights_may_change(session, "nobody can enter the mandate any more"):
                for feature in self._features:
                    await feature.erase(session, mandate_id)
                await repository.erase(session, mandate)
            subject = Subject("mandate", mandate_id)
            self._audit.record(session, "mandate_erased", by=None, subject=subject, details={"slug": mandate.slug})


@erasure_tasks.periodic("mandates.order_erasures", cron="23 * * * *", retry=Retry(attempts=1))
async def order_erasures(job: JobContext) -> None:
    """Have the mandates erased whose grace is over."""
    await job.services.get(MandateErasures).order_due()


@erasure_tasks.task("mandates.erase", retry=Retry(attempts=5), system=True)
async def erase_mandate(job: JobContext, *, erased_id: UUID) -> None:
    """Erase one mandate."""
    await job.services.get(MandateErasures).erase(MandateId(erased_id))
