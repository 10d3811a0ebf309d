"""Mandates: the caller's own, the one of the context, and (for the installation) all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.models import (
    FeatureInstance,
    Group,
    GroupMember,
    InstanceAccess,
    Invitation,
    Mandate,
    MandateDomain,
    Membership,
    RemovedMember,
)
from modules.shared.context import Caller, RequestContext
from modules.shared.ids import MandateId
from modules.shared.pagination import Ordering, PageQuery, read_page

_MEMBERS = select(func.count()).select_from(Membership).where(Membership.mandate_id == Mandate.id).scalar_subquery()


class CountedMandate(NamedTuple):
    """A mandate and how many memberships it has."""

    mandate: Mandate
    members: int


@dataclass(frozen=True, slots=True)
class MandateFilter:
    """Which mandates are wanted; None is no opinion."""

    words: str | None = None
    enabled: bool | None = None


def is_active(row: type[Membership] | type[InstanceAccess]) -> ColumnElement[bool]:
    """Whether a membership or an access is switched on and inside its dates, by the database's clock."""
    begun = or_(row.valid_from.is_(None), row.valid_from <= func.now())
    return row.enabled & begun & or_(row.valid_until.is_(None), row.valid_until > func.now())


async def list_enterable(caller: Caller, paging: PageQuery) -> tuple[list[Mandate], str | None]:
    """Mandates whose gate the caller's membership opens, by name; by an API key that is for one mandate, that one."""
    statement = _enterable(caller)
    if caller.login.key is not None and caller.login.key.mandate_id is not None:
        statement = statement.where(Mandate.id == caller.login.key.mandate_id)
    rows, cursor = await read_page(caller.db, statement, Ordering("name", Mandate.name, Mandate.id), paging)
    return [row[0] for row in rows], cursor


async def is_enterable(caller: Caller, mandate_id: MandateId) -> bool:
    """Whether the caller's membership opens the gate of this one. Asked outside any mandate."""
    return await caller.db.scalar(_enterable(caller).where(Mandate.id == mandate_id)) is not None


def _enterable(caller: Caller) -> Select[Mandate]:
    return (
        select(Mandate)
        .join(Membership, Membership.mandate_id == Mandate.id)
        .where(Membership.user_id == caller.user.id, is_active(Membership), Mandate.enabled)
    )


async def get_own(context: RequestContext) -> Mandate:
    """The mandate of the context, as it is now."""
    statement = select(Mandate).where(Mandate.id == context.mandate.id)
    return (await context.db.scalars(statement, execution_options={"populate_existing": True})).one()


async def find(session: AsyncSession, mandate_id: MandateId) -> Mandate | None:
    """A mandate by id, among those the session sees."""
    return await session.scalar(select(Mandate).where(Mandate.id == mandate_id))


async def hold(session: AsyncSession, mandate_id: MandateId) -> Mandate | None:
    """A mandate by id; until the transaction ends its rights and domains change by nobody else."""
    return await session.scalar(select(Mandate).where(Mandate.id == mandate_id).with_for_update(key_share=True))


# ── of the installation: these need a session that works across mandates ──────────────────────────────────────────────


async def list_all(
    session: AsyncSession, wanted: MandateFilter, sort: str, paging: PageQuery
) -> tuple[list[CountedMandate], str | None]:
    """Every mandate that fits."""
    statement: Select[Any] = select(Mandate, _MEMBERS)
    if words := wanted.words:
        statement = statement.where(
            or_(Mandate.name.icontains(words, autoescape=True), Mandate.slug.icontains(words, autoescape=True))
        )
    if wanted.enabled is not None:
        statement = statement.where(Mandate.enabled == wanted.enabled)
    columns = {"name": Mandate.name, "created_at": Mandate.created_at}
    rows, cursor = await read_page(session, statement, Ordering.choose(sort, columns, Mandate.id), paging)
    return [CountedMandate(*row[:2]) for row in rows], cursor


async def lock(session: AsyncSession, mandate_id: MandateId) -> Mandate | None:
    """A mandate by id, locked until the transaction ends."""
    return await session.scalar(select(Mandate).where(Mandate.id == mandate_id).with_for_update())


async def find_by_slug(session: AsyncSession, slug: str) -> Mandate | None:
    """The mandate of this short name."""
    return await session.scalar(select(Mandate).where(Mandate.slug == slug))


async def count_members(session: AsyncSession, mandate_id: MandateId) -> int:
    """How many memberships there are, disabled ones included."""
    counted = select(func.count()).select_from(Membership).where(Membership.mandate_id == mandate_id)
    return await session.scalar(counted) or 0


async def list_due(session: AsyncSession, now: datetime) -> Sequence[MandateId]:
    """Deleted mandates whose grace is over."""
    found = await session.scalars(select(Mandate.id).where(Mandate.delete_after <= now, Mandate.is_root.is_(False)))
    return [MandateId(mandate_id) for mandate_id in found]


async def lock_due(session: AsyncSession, mandate_id: MandateId, now: datetime) -> Mandate | None:
    """The mandate if it is still due and nobody else is erasing it, locked."""
    statement = select(Mandate).where(Mandate.id == mandate_id, Mandate.delete_after <= now)
    return await session.scalar(statement.with_for_update(skip_locked=True))


async def erase(session: AsyncSession, mandate: Mandate) -> None:
    """Delete a mandate and everything this feature keeps of it; other features have deleted theirs."""
    for rows in (
        InstanceAccess,
        GroupMember,
        Group,
        FeatureInstance,
        Invitation,
        MandateDomain,
        RemovedMember,
        Membership,
    ):
        await session.execute(delete(rows).where(rows.mandate_id == mandate.id))
    await session.delete(mandate)
    await session.flush()
