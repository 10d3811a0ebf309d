"""Feature instances and accesses to them. Below level `all` one reaches the instances one has access to."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, exists, select

from modules.mandates.models import FeatureInstance, InstanceAccess
from modules.mandates.repository.mandates import is_active
from modules.mandates.repository.people import PEOPLE, named_like
from modules.mandates.repository.reach import level_of
from modules.shared.catalogue import AccessLevel
from modules.shared.context import RequestContext
from modules.shared.ids import InstanceId, UserId
from modules.shared.pagination import Column, Ordering, PageQuery, read_page

_COLUMNS: Final[Mapping[str, Column]] = {"name": FeatureInstance.name, "created_at": FeatureInstance.created_at}
_ACCESS_COLUMNS: Final[Mapping[str, Column]] = {
    "display_name": PEOPLE.c.display_name,
    "email": PEOPLE.c.email,
    "created_at": InstanceAccess.created_at,
}


class PersonWithAccess(NamedTuple):
    """An access to an instance and the person it is of."""

    access: InstanceAccess
    email: str
    display_name: str


async def list_page(
    context: RequestContext, words: str | None, feature: str | None, sort: str, paging: PageQuery
) -> tuple[list[FeatureInstance], str | None]:
    """The instances within the caller's reach."""
    statement = _visible(context)
    if words:
        statement = statement.where(FeatureInstance.name.icontains(words, autoescape=True))
    if feature:
        statement = statement.where(FeatureInstance.feature == feature)
    rows, cursor = await read_page(context.db, statement, Ordering.choose(sort, _COLUMNS, FeatureInstance.id), paging)
    return [row[0] for row in rows], cursor


async def find(context: RequestContext, instance_id: InstanceId) -> FeatureInstance | None:
    """One instance within the caller's reach."""
    statement = _visible(context).where(FeatureInstance.id == instance_id)
    found: FeatureInstance | None = await context.db.scalar(statement, execution_options={"populate_existing": True})
    return found


async def is_name_taken(context: RequestContext, feature: str, name: str) -> bool:
    """Whether an instance of this feature has this name."""
    named = select(FeatureInstance.id).where(
        FeatureInstance.mandate_id == context.mandate.id,
        FeatureInstance.feature == feature,
        FeatureInstance.name == name,
    )
    return await context.db.scalar(named) is not None


async def list_access(
    context: RequestContext, instance_id: InstanceId, words: str | None, sort: str, paging: PageQuery
) -> tuple[list[PersonWithAccess], str | None]:
    """Everybody with access to an instance."""
    statement = _access(context, instance_id)
    if words:
        statement = statement.where(named_like(words))
    ordering = Ordering.choose(sort, _ACCESS_COLUMNS, InstanceAccess.id)
    rows, cursor = await read_page(context.db, statement, ordering, paging)
    return [PersonWithAccess(*row[:3]) for row in rows], cursor


async def find_access(context: RequestContext, instance_id: InstanceId, user_id: UserId) -> PersonWithAccess | None:
    """The access of one person."""
    statement = _access(context, instance_id).where(InstanceAccess.user_id == user_id)
    row = (await context.db.execute(statement, execution_options={"populate_existing": True})).one_or_none()
    return PersonWithAccess(*row) if row else None


def _access(context: RequestContext, instance_id: InstanceId) -> Select[Any]:
    return (
        select(InstanceAccess, PEOPLE.c.email, PEOPLE.c.display_name)
        .join(PEOPLE, PEOPLE.c.id == InstanceAccess.user_id)
        .where(InstanceAccess.mandate_id == context.mandate.id, InstanceAccess.instance_id == instance_id)
    )


def _visible(context: RequestContext) -> Select[Any]:
    statement: Select[Any] = select(FeatureInstance).where(FeatureInstance.mandate_id == context.mandate.id)
    if level_of(context) is AccessLevel.ALL:
        return statement
    return statement.where(
        exists().where(
            InstanceAccess.mandate_id == FeatureInstance.mandate_id,
            InstanceAccess.instance_id == FeatureInstance.id,
            InstanceAccess.user_id == context.user.id,
            is_active(InstanceAccess),
        )
    )
