"""A sysadmin working in a mandate they are no member of: an entry is a row, made once, limited in time, and audited in
that mandate.
"""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.service.recent import demand_recent
from modules.mandates.errors import MandateNotFound
from modules.rbac import errors
from modules.rbac.models import SysadminEntry
from modules.rbac.repository import entries as repository
from modules.rbac.schemas.entries import EntryRead
from modules.rbac.service.entry_mails import tell_administrator
from modules.shared import clock
from modules.shared.context import Caller, CurrentMandate, RequestContext
from modules.shared.database import Database, Tenant
from modules.shared.grants import Administrators
from modules.shared.ids import MandateId, UserId, new_id
from modules.shared.jobs import JobContext, Retry, TaskRegistry, defer
from modules.shared.pagination import PageQuery

Mode = Literal["open", "break_glass", "off"]
_LONGEST_PATH: Final = 300

entry_tasks = TaskRegistry()


class EntryService:
    """Opens and ends visits. In mode `open` the first request makes the entry; in `break_glass` only a stated reason
    does, and the mandate's administrators get it by mail.
    """

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        administrators: Administrators,
        *,
        mode: Mode,
        lifetime: timedelta,
        recent_login: timedelta,
    ) -> None:
        self._database = database
        self._audit = audit
        self._administrators = administrators
        self._mode = mode
        self._lifetime = lifetime
        self._recent_login = recent_login

    async def open(self, caller: Caller, mandate: CurrentMandate) -> bool:
        """Whether a flag holder without membership and entry may be in `mandate` now.

        Written in a transaction of its own, so that the entry stands whatever becomes of the request.
        """
        if self._mode != "open":
            return False
        async with self._inside(caller, mandate.id) as session:
            await self._enter(session, caller, mandate.id, "open", reason="")
        return True

    async def begin(self, caller: Caller, mandate_id: MandateId, reason: str) -> EntryRead:
        """Enter a mandate; who is inside already stays inside.

        Raises StepUpRequired, EntryForbidden, MandateNotFound, NoEntryNeeded for a member, ReasonRequired.
        """
        await demand_recent(caller, self._recent_login)
        if self._mode == "off":
            raise errors.EntryForbidden
        # The caller's own transaction works in no mandate; this one works in the mandate entered.
        async with self._inside(caller, mandate_id) as session:
            mandate = await repository.find_mandate(session, mandate_id, caller.user.id)
            if mandate is None or not mandate.enabled:
                raise MandateNotFound
            if mandate.joined:
                raise errors.NoEntryNeeded
            if self._mode == "break_glass" and not reason:
                raise errors.ReasonRequired(pointer="/reason")
            return EntryRead.model_validate(await self._enter(session, caller, mandate_id, self._mode, reason=reason))

    async def end(self, caller: Caller, mandate_id: MandateId) -> None:
        """Leave a mandate. Raises EntryNotFound."""
        async with self._inside(caller, mandate_id) as session:
            entry = await repository.end(session, caller.login.session_id, mandate_id)
            if entry is None:
                raise errors.EntryNotFound
            self._record_end(session, entry, "left", caller)

    async def list_page(self, query: PageQuery) -> tuple[list[EntryRead], str | None]:
        """Visits to every mandate, the newest first."""
        async with self._database.system_session() as session:
            found, cursor = await repository.list_page(session, query)
            return [EntryRead.model_validate(entry) for entry in found], cursor

    def note_act(self, context: RequestContext, method: str, path: str) -> None:
        """Audit, in the visited mandate, that a visitor is about to change something; kept if the change is."""
        details = {"method": method, "path": path[:_LONGEST_PATH]}
        self._audit.record(context.db, "entry_act", by=context, details=details)

    async def end_overdue(self) -> int:
        """End the visits whose time is over or whose person has signed out; answers how many. Nobody could use them
        any more: this is for the record.
        """
        async with self._database.system_session() as session:
            ended = await repository.end_overdue(session)
            for entry in ended:
                self._record_end(session, entry, "time" if entry.ended_at == entry.valid_until else "signed_out", None)
        return len(ended)

    async def _enter(
        self,
        session: AsyncSession,
        caller: Caller,
        mandate_id: MandateId,
        mode: Literal["open", "break_glass"],
        *,
        reason: str,
    ) -> SysadminEntry:
        """The visit that stands, or a new one; anew if the one that stood in the way ended before it could be read."""
        entry = None
        while entry is None:
            entry = await self._add(session, caller, mandate_id, mode, reason=reason) or await repository.find_standing(
                session, caller.login.session_id, mandate_id
            )
        return entry

    async def _add(
        self,
        session: AsyncSession,
        caller: Caller,
        mandate_id: MandateId,
        mode: Literal["open", "break_glass"],
        *,
        reason: str,
    ) -> SysadminEntry | None:
        now = clock.now()
        wanted = SysadminEntry(
            id=new_id(),
            mandate_id=mandate_id,
            session_id=caller.login.session_id,
            user_id=caller.user.id,
            mode=mode,
            reason=reason,
            created_at=now,
            valid_until=now + self._lifetime,
            ended_at=None,
        )
        entry = await repository.add(session, wanted)
        if entry is None:
            return None
        self._audit.record(
            session,
            "entry_begun",
            by=caller,
            mandate_id=mandate_id,
            subject=Subject("entry", entry.id),
            details={"mode": mode, "reason": reason},
        )
        if mode == "break_glass":
            await self._tell(session, entry)
        return entry

    async def _tell(self, session: AsyncSession, entry: SysadminEntry) -> None:
        mandate_id = MandateId(entry.mandate_id)
        for administrator in await self._administrators.of_mandate(session, mandate_id):
            await defer(
                session,
                tell_administrator,
                mandate_id=mandate_id,
                actor_id=UserId(entry.user_id),
                entry_id=entry.id,
                administrator_id=administrator,
            )

    def _record_end(self, session: AsyncSession, entry: SysadminEntry, cause: str, caller: Caller | None) -> None:
        self._audit.record(
            session,
            "entry_ended",
            by=caller,
            user_id=UserId(entry.user_id),
            mandate_id=MandateId(entry.mandate_id),
            subject=Subject("entry", entry.id),
            details={"cause": cause},
        )

    def _inside(self, caller: Caller, mandate_id: MandateId) -> AbstractAsyncContextManager[AsyncSession]:
        return self._database.session(Tenant(mandate_id, None, caller.user.id))


@entry_tasks.periodic("rbac.end_overdue_entries", cron="* * * * *", retry=Retry(attempts=3))
async def end_overdue_entries(job: JobContext) -> None:
    """Put the end of visits on record."""
    await job.services.get(EntryService).end_overdue()
