"""What time and departures end, and revoking at the provider what is gone here.

A trigger keeps the sealed tokens of every connection that goes, whatever deleted it; they are revoked by jobs and then
erased. Where the same account is connected by another row too, only the last of them is revoked: at many providers a
revocation ends everything the person ever granted us.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
import structlog

from modules.audit.service import AuditLog, Subject
from modules.auth.identity_providers.data_flow import DataClient, RevocationRefused
from modules.auth.key_errors import SealBroken
from modules.auth.provider_errors import ProviderUnavailable
from modules.connections import repository
from modules.connections.models import ConnectionEnding
from modules.connections.sealing import TokenSeals
from modules.shared import clock
from modules.shared.database import Database
from modules.shared.ids import MandateId
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer

connection_tasks = TaskRegistry()

KEPT_WHILE_SUSPENDED: Final = timedelta(days=30)
_WAITS: Final = tuple(timedelta(minutes=1 << doublings) for doublings in range(10))
"""Between tries to revoke; after the last one, some 17 hours in all, the tokens are erased all the same."""
_REVOKING: Final = "connections.revoke"
_log = structlog.get_logger(__name__)


class ConnectionsOfMandate:
    """The `MandateErasure` of `modules.shared.grants` for connections."""

    async def erase(self, session: AsyncSession, mandate_id: MandateId) -> None:
        """Delete all of a mandate that is erased."""
        await repository.delete_of_mandate(session, mandate_id)


class ConnectionEndings:
    """Lets connections go."""

    def __init__(
        self, database: Database, clients: Mapping[str, DataClient], seals: TokenSeals, audit: AuditLog
    ) -> None:
        self._database = database
        self._clients = clients
        self._seals = seals
        self._audit = audit

    async def sweep(self) -> None:
        """Note whose owners do not stand and which an operator ended, and delete what was suspended for thirty days."""
        now = clock.now()
        async with self._database.system_session() as session:
            await repository.mark_revoked(session)
            await repository.mark_suspended(session, now)
            for gone in await repository.delete_suspended(session, now - KEPT_WHILE_SUSPENDED):
                self._audit.record(
                    session,
                    "connection_erased",
                    by=None,
                    mandate_id=MandateId(gone.mandate_id),
                    subject=Subject("connection", gone.id),
                    details={"provider": gone.provider, "user_id": str(gone.user_id)},
                )

    async def revoke_due(self) -> None:
        """Revoke what is gone at its providers. What fails is tried again later and holds up nothing else."""
        while True:
            async with self._database.system_session() as session:
                ending = await repository.take_ending(session, clock.now(), _WAITS)
                spared = ending is not None and await repository.is_connected_elsewhere(
                    session, ending.provider, ending.issuer, ending.subject
                )
            if ending is None:
                return
            if spared or await self._is_over(ending):
                async with self._database.system_session() as session:
                    await repository.drop_ending(session, ending.id)

    async def _is_over(self, ending: ConnectionEnding) -> bool:
        """Whether the tokens can be erased: they are revoked, or it was tried often enough."""
        reason = await self._revoke(ending)
        if reason is None:
            return True
        _log.warning("connection_not_revoked", provider=ending.provider, reason=reason, tries=ending.tries)
        return ending.tries > len(_WAITS)

    async def _revoke(self, ending: ConnectionEnding) -> str | None:
        """None, or why not."""
        client = self._clients.get(ending.provider)
        if client is None:
            return "not configured"
        try:
            tokens = self._seals.open(ending.associated, ending.sealed_tokens)
            await client.revoke(tokens.access, tokens.refresh)
        except ProviderUnavailable:
            return "unavailable"
        except RevocationRefused as error:
            return f"refused: {error}"
        except SealBroken:
            return "seal broken"
        return None


async def revoke_soon(session: AsyncSession) -> None:
    """Have what this transaction ends revoked once it commits."""
    await defer(session, revoke_ended, queueing_lock=_REVOKING)


@connection_tasks.task("connections.revoke_ended", retry=Retry(attempts=3), system=True)
async def revoke_ended(job: JobContext) -> None:
    """At once."""
    await job.services.get(ConnectionEndings).revoke_due()


@connection_tasks.periodic("connections.revoke_due", cron="* * * * *", retry=Retry(attempts=1))
async def revoke_due(job: JobContext) -> None:
    """Every minute: what the providers did not take before, and what went with users and mandates."""
    await job.services.get(ConnectionEndings).revoke_due()


@connection_tasks.periodic("connections.sweep", cron="11 * * * *", retry=Retry(attempts=2))
async def sweep(job: JobContext) -> None:
    """Hourly."""
    await job.services.get(ConnectionEndings).sweep()
