"""How far a caller's rights reach among the rows of a protected table, as SQL terms and as columns to leave out.

none → no row, my → those the caller owns, group → theirs and those owned by members of their groups, all → every row;
always inside the mandate (and instance). No term is ever negated: NULL would turn a refusal into neither.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Column, ColumnElement, Select, Table, and_, case, column, false, inspect, or_, select, table
from sqlalchemy.orm import InstrumentedAttribute, Mapper, with_loader_criteria
from sqlalchemy.orm.util import LoaderCriteriaOption
from sqlalchemy.sql import visitors

from modules.shared.catalogue import AccessLevel, Action, Item, ItemCatalogue
from modules.shared.errors import PermissionDenied
from modules.shared.ids import GroupId, InstanceId, MandateId, UserId
from modules.shared.ownership import InstanceOwned, MandateOwned, item_of

RowTerm = Callable[[Any], ColumnElement[bool]]
READABLE_PART = "mandate_readable_part"
"""Annotates an expression that itself withholds what the caller may not read."""

_group_members = table("group_members", column("mandate_id"), column("group_id"), column("user_id"))


class Levels(Protocol):
    """The caller's compiled rules."""

    def level(self, item: Item, action: Action, field: str | None = None) -> AccessLevel:
        """How far `action` on `item` reaches."""
        ...


@dataclass(frozen=True, slots=True)
class RowRights:
    """One caller in one mandate (and instance), with what they may do there and the pair their route required."""

    mandate_id: MandateId
    instance_id: InstanceId | None
    user_id: UserId
    groups: frozenset[GroupId]
    levels: Levels
    catalogue: ItemCatalogue
    bound: tuple[Item, Action] | None = None

    def level(self, model: type[MandateOwned], action: Action, field: str | None = None) -> AccessLevel:
        """How far `action` reaches among the rows of `model`, or on one field of them."""
        item = item_of(model, self.catalogue)
        if action not in item.actions:
            return AccessLevel.NONE
        return self.levels.level(item, action, field if field in item.fields else None)

    def bound_action(self, model: type[MandateOwned]) -> Action:
        """The action the route required if it is about this table, else read; seeing a page is no right to rows."""
        if self.bound is None or self.bound[0] != item_of(model, self.catalogue):
            return Action.READ
        return Action.READ if self.bound[1] is Action.VIEW else self.bound[1]

    def fields(self, model: type[MandateOwned]) -> frozenset[str]:
        """The columns with rules of their own."""
        return item_of(model, self.catalogue).fields

    def hidden(self, model: type[MandateOwned], rows: AccessLevel) -> frozenset[str]:
        """The mapped columns that are not readable in all rows of level `rows`, with those computed from them."""
        fields = {name for name in self.fields(model) if self.level(model, Action.READ, name) < rows}
        return _computed_from(model, fields) if fields else frozenset()

    def readable_fields(self, model: type[MandateOwned]) -> frozenset[str]:
        """The mapped columns readable in every row the caller may read; none if there is no such row."""
        rows = self.level(model, Action.READ)
        if rows is AccessLevel.NONE:
            return frozenset()
        return frozenset(_mapper(model).column_attrs.keys()) - self.hidden(model, rows)

    def readable_part(self, attribute: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
        """The column where its field rule lets the caller read it, NULL elsewhere; to project, sort and filter by.
        Raises PermissionDenied when that is nowhere.
        """
        owner, model = attribute.parent.entity, attribute.parent.mapper.class_
        level = self.level(model, Action.READ, attribute.key)
        if level is AccessLevel.NONE:
            raise self.refusal(model, Action.READ, attribute.key)
        part = case((self.term(model, level)(owner), attribute))
        return part._annotate({READABLE_PART: True})

    def refusal(self, model: type[MandateOwned], action: Action, field: str | None = None) -> PermissionDenied:
        """The error that names the item (or its field) and the action."""
        item = item_of(model, self.catalogue)
        return PermissionDenied(
            context=item.kind, item=f"{item.path}.{field}" if field else item.path, action=action, pointer=None
        )

    def criteria(self, model: type[MandateOwned], level: AccessLevel, *, for_later_loads: bool) -> LoaderCriteriaOption:
        """Narrows every occurrence of `model` in a statement; `for_later_loads`: and in loads that follow from it."""
        return with_loader_criteria(
            model, self.term(model, level), include_aliases=True, propagate_to_loaders=for_later_loads
        )

    def term(self, model: type[MandateOwned], level: AccessLevel) -> RowTerm:
        """The rows of `level`, as a function of the class or alias. SQLAlchemy caches statements by these lambdas: what
        varies must stay a variable they close over.
        """
        if issubclass(model, InstanceOwned):
            return self._instance_term(level)
        mandate_id, user_id = self.mandate_id, self.user_id
        if level is AccessLevel.ALL:
            return lambda rows: rows.mandate_id == mandate_id
        if level is AccessLevel.NONE:
            return lambda _rows: false()
        if level is AccessLevel.MY or not self.groups:
            return lambda rows: and_(rows.mandate_id == mandate_id, rows.owner_id == user_id)
        members = self.members_of_groups()
        return lambda rows: and_(
            rows.mandate_id == mandate_id, or_(rows.owner_id == user_id, rows.owner_id.in_(members))
        )

    def _instance_term(self, level: AccessLevel) -> RowTerm:
        mandate_id, instance_id, user_id = self.mandate_id, self.instance_id, self.user_id
        if level is AccessLevel.NONE or instance_id is None:
            return lambda _rows: false()
        if level is AccessLevel.ALL:
            return lambda rows: and_(rows.mandate_id == mandate_id, rows.instance_id == instance_id)
        if level is AccessLevel.MY or not self.groups:
            return lambda rows: and_(
                rows.mandate_id == mandate_id, rows.instance_id == instance_id, rows.owner_id == user_id
            )
        members = self.members_of_groups()
        return lambda rows: and_(
            rows.mandate_id == mandate_id,
            rows.instance_id == instance_id,
            or_(rows.owner_id == user_id, rows.owner_id.in_(members)),
        )

    def members_of_groups(self) -> Select[Any]:
        """The users who are in one of the caller's groups."""
        return select(_group_members.c.user_id).where(
            _group_members.c.mandate_id == self.mandate_id, _group_members.c.group_id.in_(sorted(self.groups))
        )


def column_names(model: type[MandateOwned], attribute: str) -> frozenset[str]:
    """The names under which a mapped column appears in statements: the attribute's and the column's."""
    columns = _mapper(model).column_attrs[attribute].columns
    return frozenset(
        {attribute, *(name for each in columns if isinstance(each, Column) for name in (each.key, each.name))}
    )


def _computed_from(model: type[MandateOwned], fields: set[str]) -> frozenset[str]:
    columns = {
        each
        for prop in _mapper(model).column_attrs
        if prop.key in fields
        for each in prop.columns
        if isinstance(getattr(each, "table", None), Table)
    }
    return frozenset(
        prop.key
        for prop in _mapper(model).column_attrs
        if prop.key in fields or not columns.isdisjoint(visitors.iterate(prop.columns[0]))
    )


def _mapper(model: type[MandateOwned]) -> Mapper[Any]:
    mapper: Mapper[Any] = inspect(model)
    return mapper
