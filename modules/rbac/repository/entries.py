"""Visits of sysadmins as rows: made once per session and mandate, ended once."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Row, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.models import SysadminEntry
from modules.shared.ids import MandateId, SessionId, UserId
from modules.shared.pagination import Ordering, PageQuery, read_page

_MANDATE = text("""
SELECT m.name, m.enabled,
    EXISTS (SELECT FROM memberships ms WHERE ms.mandate_id = m.id AND ms.user_id = :user) AS joined
FROM mandates m WHERE m.id = :mandate
""")
_PERSON = text("SELECT email, display_name, language FROM users WHERE id = :user")
_SESSION_IS_OVER = text(
    "session_id IN (SELECT s.id FROM sessions s WHERE s.revoked_at IS NOT NULL OR s.expires_at <= now())"
)


async def find_mandate(session: AsyncSession, mandate_id: MandateId, user_id: UserId) -> Row[str, bool, bool] | None:
    """(name, enabled, whether this person is a member)."""
    return (await session.execute(_MANDATE, {"mandate": mandate_id, "user": user_id})).one_or_none()


async def find_person(session: AsyncSession, user_id: UserId) -> Row[str, str, str] | None:
    """(email, display name, language)."""
    return (await session.execute(_PERSON, {"user": user_id})).one_or_none()


async def add(session: AsyncSession, entry: SysadminEntry) -> SysadminEntry | None:
    """Keep `entry` unless the session is in that mandate already; two at once make one.

    One whose time is over is ended first: it would still count as the session's only one.
    """
    await session.execute(
        update(SysadminEntry)
        .where(_of(SessionId(entry.session_id), MandateId(entry.mandate_id)), SysadminEntry.valid_until <= func.now())
        .values(ended_at=SysadminEntry.valid_until)
    )
    columns = {column.name: getattr(entry, column.name) for column in SysadminEntry.__table__.columns}
    made = insert(SysadminEntry).values(columns).on_conflict_do_nothing().returning(SysadminEntry)
    return await session.scalar(made)


async def find_standing(session: AsyncSession, session_id: SessionId, mandate_id: MandateId) -> SysadminEntry | None:
    """The session's visit to this mandate."""
    return await session.scalar(
        select(SysadminEntry).where(_of(session_id, mandate_id), SysadminEntry.valid_until > func.now())
    )


async def end(session: AsyncSession, session_id: SessionId, mandate_id: MandateId) -> SysadminEntry | None:
    """End the session's visit to this mandate, if there is one."""
    return await session.scalar(
        update(SysadminEntry)
        .where(_of(session_id, mandate_id), SysadminEntry.valid_until > func.now())
        .values(ended_at=func.now())
        .returning(SysadminEntry)
    )


async def end_overdue(session: AsyncSession) -> Sequence[SysadminEntry]:
    """End every visit whose time or session is over. Needs a system session."""
    rows = await session.scalars(
        update(SysadminEntry)
        .where(SysadminEntry.ended_at.is_(None), or_(SysadminEntry.valid_until <= func.now(), _SESSION_IS_OVER))
        .values(ended_at=func.least(SysadminEntry.valid_until, func.now()))
        .returning(SysadminEntry)
    )
    return rows.all()


async def list_page(session: AsyncSession, query: PageQuery) -> tuple[Sequence[SysadminEntry], str | None]:
    """Visits to every mandate, the newest first. Needs a system session."""
    newest = Ordering("-created_at", SysadminEntry.created_at, SysadminEntry.id)
    rows, cursor = await read_page(session, select(SysadminEntry), newest, query)
    return [row[0] for row in rows], cursor


def _of(session_id: SessionId, mandate_id: MandateId) -> ColumnElement[bool]:
    return (
        (SysadminEntry.session_id == session_id)
        & (SysadminEntry.mandate_id == mandate_id)
        & SysadminEntry.ended_at.is_(None)
    )
