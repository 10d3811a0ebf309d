"""Writing the audit trail: changes in the transaction that makes them, refusals through a bounded queue beside it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import true
from sqlalchemy.ext.asyncio import AsyncSession
import structlog

from modules.audit import repository
from modules.audit.models import AuditEvent, AuditSubject
from modules.audit.repository import TrailFilter
from modules.audit.schemas import AuditEventRead, AuditPerson
from modules.shared.catalogue import Action
from modules.shared.client_address import counted_as
from modules.shared.context import Caller, Client, RequestContext, Visitor
from modules.shared.database import Database, Tenant
from modules.shared.errors import DomainError
from modules.shared.ids import MandateId, UserId, new_id
from modules.shared.pagination import PageQuery

_log = structlog.get_logger(__name__)
_JOINED_SECONDS = 60
_MOST_WAITING = 1_000
_EXPORTED_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Subject:
    """What the act was done to: a type in the field's words (`membership`, `role`, `session`) and an id."""

    type: str
    id: UUID | str


class AuditLog:
    """Records events. `root_mandate_id` is where installation-wide events belong."""

    def __init__(self, root_mandate_id: MandateId) -> None:
        self.root_mandate_id = root_mandate_id

    def record(
        self,
        session: AsyncSession,
        code: str,
        *,
        by: Visitor | None,
        subject: Subject | None = None,
        user_id: UserId | None = None,
        email: str | None = None,
        mandate_id: MandateId | None = None,
        outcome: str = "done",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Add one event to the caller's transaction.

        `by` is who acts (a Visitor, Caller or RequestContext; None for the installation itself). The mandate is the
        context's own unless `mandate_id` says otherwise. `user_id` and `email` name the person concerned when they are
        not the caller. Never pass a secret.
        """
        caller = by if isinstance(by, Caller) else None
        person = user_id or (caller.user.id if caller else None)
        event_id = new_id()
        where = mandate_id or (by.mandate.id if isinstance(by, RequestContext) else self.root_mandate_id)
        session.add(
            AuditEvent(
                id=event_id,
                mandate_id=where,
                occurred_at=datetime.now(UTC),
                code=code,
                outcome=outcome,
                actor_id=caller.user.id if caller else user_id,
                subject_type=subject.type if subject else None,
                subject_id=str(subject.id) if subject else None,
                session_id=caller.login.session_id if caller else None,
                request_id=by.client.request_id if by else None,
                count=1,
                details=dict(details or {}),
            )
        )
        session.add(
            AuditSubject(
                mandate_id=where,
                event_id=event_id,
                user_id=person,
                email=email,
                ip=by.client.address if by else None,
                device=by.client.user_agent[:300] if by else None,
            )
        )

    async def forget(self, session: AsyncSession, user_id: UserId) -> None:
        """Erase what the trail knows of a person: mail, address, device. What happened stays, by id."""
        await repository.erase_subjects(session, user_id)


class AuditTrail:
    """Reads the trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_page(
        self, context: RequestContext, wanted: TrailFilter, query: PageQuery
    ) -> tuple[list[AuditEventRead], str | None]:
        """The mandate's events, as far as the caller's level on `audit` reaches, the newest first."""
        within = repository.within_level(context, context.level("audit", Action.READ))
        found, cursor = await repository.list_page(context.db, within, wanted, query)
        return [_shown(event, person) for event, person in found], cursor

    async def pages(self, context: RequestContext, wanted: TrailFilter) -> AsyncIterator[list[AuditEventRead]]:
        """All the mandate's events the caller's level reaches, the newest first, page by page.

        Each page is a transaction of its own: whoever reads slowly holds no connection.
        """
        within = repository.within_level(context, context.level("audit", Action.READ))
        tenant = Tenant(context.mandate.id, None, context.user.id)
        query: PageQuery | None = PageQuery(_EXPORTED_TOGETHER)
        while query is not None:
            async with self._database.session(tenant) as session:
                found, cursor = await repository.list_page(session, within, wanted, query)
                page = [_shown(event, person) for event, person in found]
            yield page
            query = PageQuery(_EXPORTED_TOGETHER, cursor) if cursor else None

    async def list_installation(self, wanted: TrailFilter, query: PageQuery) -> tuple[list[AuditEventRead], str | None]:
        """The events of the whole installation, every mandate's among them."""
        async with self._database.system_session() as session:
            found, cursor = await repository.list_page(session, true(), wanted, query)
            return [_shown(event, person) for event, person in found], cursor


def _shown(event: AuditEvent, person: AuditSubject | None) -> AuditEventRead:
    columns = AuditEventRead.model_fields.keys() - {"person"}
    known = AuditPerson.model_validate(person, from_attributes=True) if person else None
    return AuditEventRead.model_validate({name: getattr(event, name) for name in columns} | {"person": known})


@dataclass(slots=True)
class _Joined:
    mandate_id: MandateId
    actor_id: UserId | None
    client: Client
    code: str
    details: dict[str, Any]
    subject_id: UserId | None = None
    outcome: str = "refused"
    count: int = 1
    first: datetime = field(default_factory=lambda: datetime.now(UTC))


class RefusalLog:
    """Refusals and readings, joined per (who, code, mandate) and minute with a count, so that an attacker cannot fill
    the trail or slow a request. Who: the signed-in person; of a stranger the address, and the account they tried.
    """

    def __init__(self, database: Database, root_mandate_id: MandateId) -> None:
        self._database = database
        self._root = root_mandate_id
        self._waiting: dict[tuple[object, ...], _Joined] = {}
        self.dropped = 0

    def refused(
        self,
        error: DomainError,
        *,
        user_id: UserId | None,
        mandate_id: MandateId | None,
        client: Client,
        subject_id: UserId | None = None,
    ) -> None:
        """Note one refusal; never waits, never fails. Beyond the bound it is counted as dropped.

        `user_id` is who was refused, None a stranger; `subject_id` the person whose account it was about.
        """
        details = {name: str(value) for name, value in error.fields.items()}
        joined = _Joined(mandate_id or self._root, user_id, client, error.code, details, subject_id)
        self._note((user_id or counted_as(client.address), error.code, mandate_id, subject_id), joined)

    def used(self, code: str, *, user_id: UserId, client: Client, details: Mapping[str, str]) -> None:
        """Note one use of a right over the installation that changes nothing; joined as refusals are, per `details`."""
        joined = _Joined(self._root, user_id, client, code, dict(details), outcome="done")
        self._note((user_id, code, *details.values()), joined)

    def _note(self, key: tuple[object, ...], new: _Joined) -> None:
        joined = self._waiting.get(key)
        if joined is not None:
            joined.count += 1
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting[key] = new
        else:
            self.dropped += 1

    async def run(self) -> None:
        """Write what waited a minute, forever; what is left is written by `flush` at the end."""
        while True:
            await asyncio.sleep(_JOINED_SECONDS / 12)
            await self.flush(older_than=_JOINED_SECONDS)

    async def flush(self, older_than: float = 0) -> None:
        """Write the refusals noted at least `older_than` seconds ago. A database that is away keeps them waiting."""
        now = datetime.now(UTC)
        due = {
            key: joined for key, joined in self._waiting.items() if (now - joined.first).total_seconds() >= older_than
        }
        if not due:
            return
        for key in due:
            del self._waiting[key]
        try:
            async with self._database.system_session() as session:
                session.add_all(row for joined in due.values() for row in _rows(joined))
        except Exception as error:  # noqa: BLE001  # the trail must never take the gateway down: it waits for the next turn
            _log.warning("refusals_not_written", error=type(error).__name__, count=len(due))
            for key, joined in due.items():
                self._waiting.setdefault(key, joined)


def _rows(joined: _Joined) -> tuple[AuditEvent, AuditSubject]:
    event_id = new_id()
    event = AuditEvent(
        id=event_id,
        mandate_id=joined.mandate_id,
        occurred_at=joined.first,
        code=joined.code,
        outcome=joined.outcome,
        actor_id=joined.actor_id,
        subject_type="user" if joined.subject_id else None,
        subject_id=str(joined.subject_id) if joined.subject_id else None,
        session_id=None,
        request_id=joined.client.request_id,
        count=joined.count,
        details=joined.details,
    )
    device = joined.client.user_agent[:300]
    return event, AuditSubject(
        mandate_id=joined.mandate_id,
        event_id=event_id,
        user_id=joined.actor_id or joined.subject_id,
        email=None,
        ip=joined.client.address,
        device=device,
    )
