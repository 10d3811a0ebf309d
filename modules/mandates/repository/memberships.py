"""Memberships, with the person behind each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.models import GroupMember, Membership
from modules.mandates.repository.people import PEOPLE, named_like
from modules.mandates.repository.reach import within_reach
from modules.shared.context import RequestContext
from modules.shared.ids import GroupId, MandateId, MembershipId, UserId
from modules.shared.pagination import Column, Ordering, PageQuery, read_page

_COLUMNS: Final[Mapping[str, Column]] = {
    "display_name": PEOPLE.c.display_name,
    "email": PEOPLE.c.email,
    "created_at": Membership.created_at,
}


class Member(NamedTuple):
    """A membership and the person it is of."""

    membership: Membership
    email: str
    display_name: str
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """Which members are wanted; None is no opinion."""

    words: str | None = None
    enabled: bool | None = None
    group_id: GroupId | None = None

    def terms(self) -> Iterable[ColumnElement[bool]]:
        """As terms of a statement over members and people."""
        if self.words:
            yield named_like(self.words)
        if self.enabled is not None:
            yield Membership.enabled == self.enabled
        if self.group_id is not None:
            yield exists().where(
                GroupMember.mandate_id == Membership.mandate_id,
                GroupMember.group_id == self.group_id,
                GroupMember.user_id == Membership.user_id,
            )


async def list_page(
    context: RequestContext, wanted: MemberFilter, sort: str, paging: PageQuery
) -> tuple[list[Member], str | None]:
    """The members within the caller's reach."""
    statement = _visible(context).where(*wanted.terms())
    rows, cursor = await read_page(context.db, statement, Ordering.choose(sort, _COLUMNS, Membership.id), paging)
    return [Member(*row[:4]) for row in rows], cursor


async def find(context: RequestContext, membership_id: MembershipId) -> Member | None:
    """One member within the caller's reach."""
    statement = _visible(context).where(Membership.id == membership_id)
    row = (await context.db.execute(statement, execution_options={"populate_existing": True})).one_or_none()
    return Member(*row) if row else None


async def find_of(session: AsyncSession, mandate_id: MandateId, user_id: UserId) -> Membership | None:
    """The membership of a user, whatever its state."""
    return await session.scalar(
        select(Membership).where(Membership.mandate_id == mandate_id, Membership.user_id == user_id)
    )


async def has_address(session: AsyncSession, mandate_id: MandateId, email: str) -> bool:
    """Whether a member has this address."""
    member = (
        select(Membership.id)
        .join(PEOPLE, PEOPLE.c.id == Membership.user_id)
        .where(Membership.mandate_id == mandate_id, PEOPLE.c.email == email)
    )
    return await session.scalar(member) is not None


def _visible(context: RequestContext) -> Select[Any]:
    return (
        select(Membership, PEOPLE.c.email, PEOPLE.c.display_name, PEOPLE.c.avatar_url)
        .join(PEOPLE, PEOPLE.c.id == Membership.user_id)
        .where(Membership.mandate_id == context.mandate.id, within_reach(context, Membership.user_id.expression))
    )
