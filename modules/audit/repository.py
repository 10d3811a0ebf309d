"""The statements of the audit trail."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, column, delete, false, or_, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.models import AuditEvent, AuditSubject
from modules.shared.catalogue import AccessLevel
from modules.shared.context import RequestContext
from modules.shared.ids import UserId
from modules.shared.pagination import Ordering, PageQuery, read_page

_MEMBERS = table("group_members", column("group_id", Uuid), column("user_id", Uuid))


async def erase_subjects(session: AsyncSession, user_id: UserId) -> None:
    """Remove what events know of a person; the events stay. Only the system login may."""
    statement = delete(AuditSubject).where(AuditSubject.user_id == user_id)
    await session.execute(statement.execution_options(synchronize_session=False))


@dataclass(frozen=True, slots=True)
class TrailFilter:
    """Which events are wanted; None is any. `since` is included, `before` is not."""

    code: str | None = None
    actor_id: UUID | None = None
    outcome: str | None = None
    since: datetime | None = None
    before: datetime | None = None


async def list_page(
    session: AsyncSession, within: ColumnElement[bool], wanted: TrailFilter, query: PageQuery
) -> tuple[list[tuple[AuditEvent, AuditSubject | None]], str | None]:
    """Events within the caller's reach, the newest first, each with what it knows of a person."""
    known = (AuditSubject.mandate_id == AuditEvent.mandate_id) & (AuditSubject.event_id == AuditEvent.id)
    events = select(AuditEvent, AuditSubject).outerjoin(AuditSubject, known)
    events = events.where(within, *_terms(wanted))
    newest = Ordering("-occurred_at", AuditEvent.occurred_at, AuditEvent.id)
    rows, cursor = await read_page(session, events, newest, query)
    return [(row[0], row[1]) for row in rows], cursor


def within_level(context: RequestContext, level: AccessLevel) -> ColumnElement[bool]:
    """The mandate's events that a level reaches: all, those of the caller's groups' members, or the caller's own."""
    here = AuditEvent.mandate_id == context.mandate.id
    match level:
        case AccessLevel.ALL:
            return here
        case AccessLevel.GROUP:
            fellows = select(_MEMBERS.c.user_id).where(_MEMBERS.c.group_id.in_(context.groups))
            return here & or_(AuditEvent.actor_id == context.user.id, AuditEvent.actor_id.in_(fellows))
        case AccessLevel.MY:
            return here & (AuditEvent.actor_id == context.user.id)
        case AccessLevel.NONE:
            return false()


def _terms(wanted: TrailFilter) -> Iterator[ColumnElement[bool]]:
    for named, value in ((AuditEvent.code, wanted.code), (AuditEvent.outcome, wanted.outcome)):
        if value is not None:
            yield named == value
    if wanted.actor_id is not None:
        yield AuditEvent.actor_id == wanted.actor_id
    if wanted.since is not None:
        yield AuditEvent.occurred_at >= wanted.since
    if wanted.before is not None:
        yield AuditEvent.occurred_at < wanted.before
