"""Groups and who is in them. Below level `all` one reaches the groups one is in: a group has no other owner."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.models import Group, GroupMember
from modules.mandates.repository.people import PEOPLE, named_like
from modules.mandates.repository.reach import level_of
from modules.shared.catalogue import AccessLevel
from modules.shared.context import RequestContext
from modules.shared.ids import GroupId, MandateId, UserId
from modules.shared.pagination import Column, Ordering, PageQuery, read_page

_MEMBERS = (
    select(func.count())
    .select_from(GroupMember)
    .where(GroupMember.mandate_id == Group.mandate_id, GroupMember.group_id == Group.id)
    .scalar_subquery()
)
_COLUMNS: Final[Mapping[str, Column]] = {"name": Group.name, "created_at": Group.created_at}
_PEOPLE_COLUMNS: Final[Mapping[str, Column]] = {"display_name": PEOPLE.c.display_name, "email": PEOPLE.c.email}


class CountedGroup(NamedTuple):
    """A group and how many are in it."""

    group: Group
    members: int


class PersonInGroup(NamedTuple):
    """Somebody in a group."""

    user_id: UserId
    email: str
    display_name: str


async def list_page(
    context: RequestContext, words: str | None, sort: str, paging: PageQuery
) -> tuple[list[CountedGroup], str | None]:
    """The groups within the caller's reach."""
    statement = _visible(context)
    if words:
        statement = statement.where(Group.name.icontains(words, autoescape=True))
    rows, cursor = await read_page(context.db, statement, Ordering.choose(sort, _COLUMNS, Group.id), paging)
    return [CountedGroup(*row[:2]) for row in rows], cursor


async def find(context: RequestContext, group_id: GroupId) -> CountedGroup | None:
    """One group within the caller's reach."""
    statement = _visible(context).where(Group.id == group_id)
    row = (await context.db.execute(statement, execution_options={"populate_existing": True})).one_or_none()
    return CountedGroup(*row) if row else None


async def is_name_taken(context: RequestContext, name: str) -> bool:
    """Whether a group of the mandate has this name."""
    named = select(Group.id).where(Group.mandate_id == context.mandate.id, Group.name == name)
    return await context.db.scalar(named) is not None


async def existing(session: AsyncSession, mandate_id: MandateId, group_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the ids that are groups of the mandate."""
    wanted = select(Group.id).where(Group.mandate_id == mandate_id, Group.id.in_(list(group_ids)))
    return set(await session.scalars(wanted))


async def list_members(
    context: RequestContext, group_id: GroupId, words: str | None, sort: str, paging: PageQuery
) -> tuple[list[PersonInGroup], str | None]:
    """The people in a group."""
    statement: Select[Any] = (
        select(GroupMember.user_id, PEOPLE.c.email, PEOPLE.c.display_name)
        .join(PEOPLE, PEOPLE.c.id == GroupMember.user_id)
        .where(GroupMember.mandate_id == context.mandate.id, GroupMember.group_id == group_id)
    )
    if words:
        statement = statement.where(named_like(words))
    ordering = Ordering.choose(sort, _PEOPLE_COLUMNS, GroupMember.user_id)
    rows, cursor = await read_page(context.db, statement, ordering, paging)
    return [PersonInGroup(*row[:3]) for row in rows], cursor


async def put_members(session: AsyncSession, mandate_id: MandateId, group_ids: Iterable[UUID], user_id: UserId) -> int:
    """Put a member into groups; how many of them are new to the member."""
    rows = [{"mandate_id": mandate_id, "group_id": group_id, "user_id": user_id} for group_id in group_ids]
    if not rows:
        return 0
    added = insert(GroupMember).values(rows).on_conflict_do_nothing().returning(GroupMember.group_id)
    return len((await session.scalars(added)).all())


async def remove_member(session: AsyncSession, mandate_id: MandateId, group_id: GroupId, user_id: UserId) -> bool:
    """Take a member out of a group; whether they were in it."""
    removed = delete(GroupMember).where(
        GroupMember.mandate_id == mandate_id, GroupMember.group_id == group_id, GroupMember.user_id == user_id
    )
    return await session.scalar(removed.returning(GroupMember.user_id)) is not None


def _visible(context: RequestContext) -> Select[Any]:
    statement: Select[Any] = select(Group, _MEMBERS).where(Group.mandate_id == context.mandate.id)
    if level_of(context) is AccessLevel.ALL:
        return statement
    return statement.where(Group.id.in_(context.groups))
