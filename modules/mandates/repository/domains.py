"""Mail domains of mandates. Whoever offers the joining owns the domain here: level `my` reaches one's own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.models import Mandate, MandateDomain, Membership, RemovedMember
from modules.mandates.repository.reach import within_reach
from modules.shared.context import RequestContext
from modules.shared.ids import DomainId, MandateId, UserId
from modules.shared.pagination import Column, Ordering, PageQuery, read_page

_COLUMNS: Final[Mapping[str, Column]] = {"domain": MandateDomain.domain, "created_at": MandateDomain.created_at}


async def list_page(
    context: RequestContext, words: str | None, sort: str, paging: PageQuery
) -> tuple[list[MandateDomain], str | None]:
    """The domains within the caller's reach."""
    statement = _visible(context)
    if words:
        statement = statement.where(MandateDomain.domain.icontains(words, autoescape=True))
    rows, cursor = await read_page(context.db, statement, Ordering.choose(sort, _COLUMNS, MandateDomain.id), paging)
    return [row[0] for row in rows], cursor


async def find(context: RequestContext, session: AsyncSession, domain_id: DomainId) -> MandateDomain | None:
    """One domain within the caller's reach, read by `session`."""
    found: MandateDomain | None = await session.scalar(_visible(context).where(MandateDomain.id == domain_id))
    return found


async def lock(context: RequestContext, domain_id: DomainId) -> MandateDomain | None:
    """One domain within the caller's reach, locked until the transaction ends."""
    statement = _visible(context).where(MandateDomain.id == domain_id).with_for_update()
    found: MandateDomain | None = await context.db.scalar(statement, execution_options={"populate_existing": True})
    return found


async def count(session: AsyncSession, mandate_id: MandateId) -> int:
    """How many the mandate has."""
    counted = select(func.count()).select_from(MandateDomain).where(MandateDomain.mandate_id == mandate_id)
    return await session.scalar(counted) or 0


async def has(session: AsyncSession, mandate_id: MandateId, domain: str) -> bool:
    """Whether the mandate has this one."""
    wanted = select(MandateDomain.id).where(MandateDomain.mandate_id == mandate_id, MandateDomain.domain == domain)
    return await session.scalar(wanted) is not None


async def lock_open(session: AsyncSession, mandate_id: MandateId, domain: str) -> MandateDomain | None:
    """The mandate's domain if people may join by it, kept as it is until the transaction ends."""
    statement = select(MandateDomain).where(
        MandateDomain.mandate_id == mandate_id,
        MandateDomain.domain == domain,
        MandateDomain.verified_at.is_not(None),
        MandateDomain.enabled,
    )
    return await session.scalar(statement.with_for_update(read=True))


# ── across mandates: these need a session that sees all ───────────────────────────────────────────────────────────────


async def find_joinable(session: AsyncSession, domain: str, user_id: UserId) -> Sequence[Mandate]:
    """The mandates that this person, proven at `domain`, may join by themselves; one at most."""
    member = select(Membership.id).where(Membership.mandate_id == Mandate.id, Membership.user_id == user_id)
    removed = select(RemovedMember.user_id).where(
        RemovedMember.mandate_id == Mandate.id, RemovedMember.user_id == user_id
    )
    statement = (
        select(Mandate)
        .join(MandateDomain, MandateDomain.mandate_id == Mandate.id)
        .where(
            MandateDomain.domain == domain,
            MandateDomain.verified_at.is_not(None),
            MandateDomain.enabled,
            Mandate.enabled,
            ~member.exists(),
            ~removed.exists(),
        )
    )
    return (await session.scalars(statement)).all()


async def list_due(session: AsyncSession, now: datetime, most: int) -> Sequence[MandateDomain]:
    """Proven domains whose record is to be looked for again, the longest due first."""
    statement = select(MandateDomain).where(MandateDomain.verified_at.is_not(None), MandateDomain.check_after <= now)
    return (await session.scalars(statement.order_by(MandateDomain.check_after).limit(most))).all()


async def lock_due(session: AsyncSession, domain_id: DomainId, now: datetime) -> MandateDomain | None:
    """The domain if it is still due, locked."""
    statement = select(MandateDomain).where(
        MandateDomain.id == domain_id, MandateDomain.verified_at.is_not(None), MandateDomain.check_after <= now
    )
    return await session.scalar(statement.with_for_update())


async def find_suspended(session: AsyncSession, mandate_id: MandateId, domain_id: DomainId) -> MandateDomain | None:
    """The domain if it lost its proof and has not got it back."""
    return await session.scalar(
        select(MandateDomain).where(
            MandateDomain.mandate_id == mandate_id,
            MandateDomain.id == domain_id,
            MandateDomain.suspended_at.is_not(None),
        )
    )


def _visible(context: RequestContext) -> Select[Any]:
    return select(MandateDomain).where(
        MandateDomain.mandate_id == context.mandate.id, within_reach(context, MandateDomain.offered_by.expression)
    )
