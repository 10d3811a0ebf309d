"""Nobody grants what they do not have: which cells a change would raise beyond what the actor may give.

A cell is one action on one item, or on one field of it, as one holder sees it. Compared are all declared items, and for
every rule in play the places it reaches that nobody has declared yet. Those stand for every future item, so a wildcard
can be given only by someone who holds it through an equal or wider one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from modules.rbac.evaluator import EMPTY_TABLE, EffectiveTable
from modules.shared.catalogue import AccessLevel, Action, ItemCatalogue, ItemKind, Reach
from modules.shared.ids import GroupId, InstanceId
from modules.shared.rules import ANY_FUTURE_ITEM, parse_pattern


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes the change, by what they held before it: a table without an instance (None) and one in each."""

    tables: Mapping[InstanceId | None, EffectiveTable]
    groups: frozenset[GroupId] = frozenset()

    def table_in(self, instance: InstanceId | None) -> EffectiveTable:
        """The table for `instance`. Where the actor has no access, what their roles outside any instance would give.

        Otherwise nobody could give the first access to a new instance.
        """
        return self.tables.get(instance, self.tables.get(None, EMPTY_TABLE))


@dataclass(frozen=True, slots=True)
class Holder:
    """Someone the change affects, in one instance or (None) without one; stands for all with the same roles and groups.

    `groups` are those after the change. `is_actor`: the actor is among them, and nobody raises themselves.
    """

    before: EffectiveTable
    after: EffectiveTable
    groups: frozenset[GroupId] = frozenset()
    instance: InstanceId | None = None
    is_actor: bool = False


@dataclass(frozen=True, slots=True)
class Escalation:
    """A cell that would rise from `before` to `after` though the actor has only `actor` there.

    `item` is a field as `path.field`, or a path ending in `any-future-item` for what a wildcard would reach later. When
    `before` equals `after`, the level stays and reaches more people (`group_exposure`).
    """

    kind: ItemKind
    item: str
    action: Action
    before: AccessLevel
    after: AccessLevel
    actor: AccessLevel
    instance: InstanceId | None = None


def find_escalations(holders: Iterable[Holder], actor: Actor, catalogue: ItemCatalogue) -> list[Escalation]:
    """Every cell of every holder that the change raises though the actor may not; empty when the change is covered."""
    changed = [holder for holder in holders if holder.before is not holder.after]
    tables = [table for holder in changed for table in (holder.before, holder.after)]
    cells = list(_cells(catalogue, _patterns([*tables, *actor.tables.values()])))
    found = (_escalation(cell, holder, actor) for holder in changed for cell in cells if _counts(cell, holder))
    return list(dict.fromkeys(escalation for escalation in found if escalation))


def group_exposure(
    members: Iterable[tuple[InstanceId | None, EffectiveTable]], actor: Actor, catalogue: ItemCatalogue
) -> list[Escalation]:
    """What forbids putting someone into a group: cells where a member reaches the group's rows and the actor not all.

    `members` are the tables after the change, the newcomer's among them: the newcomer's rows become visible to the
    others, and theirs to the newcomer.
    """
    held = list(members)
    cells = list(_cells(catalogue, _patterns([*(table for _, table in held), *actor.tables.values()])))
    found = (_exposure(cell, instance, table, actor) for instance, table in held for cell in cells)
    return list(dict.fromkeys(escalation for escalation in found if escalation))


class _Cell(NamedTuple):
    kind: ItemKind
    path: str
    field: str | None
    reach: Reach
    action: Action

    def level_in(self, table: EffectiveTable) -> AccessLevel:
        return table.level_at(self.kind, self.path, self.action, self.reach, self.field)

    def level_of(self, actor: Actor, instance: InstanceId | None) -> AccessLevel:
        """What the actor has here: in the same instance, when the item is decided there."""
        return self.level_in(actor.table_in(instance if self.reach is Reach.INSTANCE else None))

    def escalates(
        self, before: AccessLevel, after: AccessLevel, actor: AccessLevel, instance: InstanceId | None
    ) -> Escalation:
        item = self.path if self.field is None else f"{self.path}.{self.field}"
        return Escalation(self.kind, item, self.action, before, after, actor, instance)


def _counts(cell: _Cell, holder: Holder) -> bool:
    """What is not decided in an instance is compared once, without one: no access gives or takes it."""
    return holder.instance is None or cell.reach is Reach.INSTANCE


def _escalation(cell: _Cell, holder: Holder, actor: Actor) -> Escalation | None:
    before, after = cell.level_in(holder.before), cell.level_in(holder.after)
    if after <= before:
        return None
    own = cell.level_of(actor, holder.instance)
    if not holder.is_actor and _may_give(after, own, same_groups=holder.groups <= actor.groups):
        return None
    return cell.escalates(before, after, own, holder.instance)


def _may_give(level: AccessLevel, own: AccessLevel, *, same_groups: bool) -> bool:
    """A group level is about other rows for a target in other groups, so it takes ALL to give it there."""
    if level is AccessLevel.GROUP and not same_groups:
        return own is AccessLevel.ALL
    return own >= level


def _exposure(cell: _Cell, instance: InstanceId | None, table: EffectiveTable, actor: Actor) -> Escalation | None:
    held = cell.level_in(table)
    if held is not AccessLevel.GROUP:
        return None
    own = cell.level_of(actor, instance)
    return None if own is AccessLevel.ALL else cell.escalates(held, held, own, instance)


def _patterns(tables: Iterable[EffectiveTable]) -> set[tuple[ItemKind, str]]:
    return {pattern for table in tables for pattern in table.patterns()}


def _cells(catalogue: ItemCatalogue, patterns: Iterable[tuple[ItemKind, str]]) -> Iterator[_Cell]:
    """Each action of each place; of an undeclared one at every reach, since nobody knows which it will have."""
    places = dict.fromkeys((*_declared_places(catalogue), *_places_reached(patterns)))
    for kind, path, field in places:
        item = catalogue.find(kind, path)
        actions = item.actions if item else (Action.VIEW,) if kind is ItemKind.UI else tuple(Action)
        for reach in (item.reach,) if item else Reach:
            for action in sorted(actions):
                yield _Cell(kind, path, field, reach, action)


_Place = tuple[ItemKind, str, str | None]


def _declared_places(catalogue: ItemCatalogue) -> Iterator[_Place]:
    for item in catalogue:
        for field in (None, *sorted(item.fields)):
            yield item.kind, item.path, field


def _places_reached(patterns: Iterable[tuple[ItemKind, str]]) -> Iterator[_Place]:
    """Places standing for all that rules on these patterns can tell apart, as items and as fields.

    A path deeper than every pattern is answered like the future item below its longest matching one.
    """
    for kind, pattern in sorted(patterns):
        base = parse_pattern(pattern).base
        if not base:
            yield kind, ANY_FUTURE_ITEM, None
            continue
        yield kind, base, None
        yield kind, f"{base}.{ANY_FUTURE_ITEM}", None
        yield kind, base, ANY_FUTURE_ITEM
        parent, _, name = base.rpartition(".")
        if parent:
            yield kind, parent, name
