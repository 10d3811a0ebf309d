"""What time ends is removed by jobs, in batches, so that no lock is held for long."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.repository import devices, installation, one_time_tokens, registrations, sessions, users
from modules.auth.service.key_rotation import KeyRotation
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.database import Database
from modules.shared.jobs import JobContext, Retry, TaskRegistry

clean_up_tasks = TaskRegistry()

_BATCH: Final = 1_000
_KEPT: Final = timedelta(days=30)
"""Ended sessions and used tokens stay for questions about them."""
_DEVICES_KEPT: Final = timedelta(days=365)

Deletion = Callable[[AsyncSession, datetime, int], Awaitable[int]]


class CleanUp:
    """Removes what has ended."""

    def __init__(self, database: Database, audit: AuditLog, settings: AuthSettings) -> None:
        self._database = database
        self._audit = audit
        self._settings = settings

    async def expired(self) -> None:
        """Sessions and tokens a month after their end, registrations nobody finished, browsers unused for a year."""
        now = clock.now()
        await self._in_batches(sessions.delete_ended, now - _KEPT)
        await self._in_batches(one_time_tokens.delete_expired, now - _KEPT)
        await self._in_batches(registrations.delete_expired, now)
        async with self._database.system_session() as session:
            await devices.delete_old(session, now - _DEVICES_KEPT)

    async def partitions(self) -> None:
        """Partitions of access tokens: the coming ones made, those of expired tokens dropped."""
        async with self._database.system_session() as session:
            await installation.maintain_partitions(session, self._settings.access_token_lifetime + timedelta(days=1))

    async def departed(self) -> None:
        """Accounts whose grace is over, with everything that names the person."""
        while True:
            async with self._database.system_session() as session:
                due = await users.list_due_for_erasure(session, clock.now(), 100)
                await sessions.delete_access_tokens_of(session, due)
                for user_id in due:
                    await self._audit.forget(session, user_id)
                    self._audit.record(session, "account_erased", by=None, subject=Subject("user", user_id))
                await users.erase_users(session, due)
            if not due:
                return

    async def _in_batches(self, delete: Deletion, before: datetime) -> None:
        while True:
            async with self._database.system_session() as session:
                removed = await delete(session, before, _BATCH)
            if removed < _BATCH:
                return


@clean_up_tasks.periodic("auth.expired", cron="23 * * * *", retry=Retry(attempts=2))
async def remove_expired(job: JobContext) -> None:
    """Hourly."""
    await job.services.get(CleanUp).expired()


@clean_up_tasks.periodic("auth.partitions", cron="7 */6 * * *", retry=Retry(attempts=5))
async def maintain_partitions(job: JobContext) -> None:
    """Four times a day: five weeks are made ahead, so a failure has time to be noticed."""
    await job.services.get(CleanUp).partitions()


@clean_up_tasks.periodic("auth.departed", cron="37 * * * *", retry=Retry(attempts=2))
async def erase_departed(job: JobContext) -> None:
    """Hourly."""
    await job.services.get(CleanUp).departed()


@clean_up_tasks.periodic("auth.keys", cron="* * * * *", retry=Retry(attempts=1))
async def advance_keys(job: JobContext) -> None:
    """Every minute."""
    await job.services.get(KeyRotation).advance()
