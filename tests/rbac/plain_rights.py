"""Everybody's rights in a mandate worked out a second time: read by plain statements, decided by the plain
implementation of `explanation`, which shares no code with the evaluator, the guard or the authorised request.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from modules.rbac.explanation import BoundRule, Question, explain
from modules.shared.catalogue import AccessLevel, Action, Item, ItemKind, Reach
from modules.shared.ids import MandateId, RoleId
from modules.shared.rules import AccessRule, Priority, RoleBinding
from tests.support.gateway import RunningGateway

_NOW = "(valid_from IS NULL OR valid_from <= now()) AND (valid_until IS NULL OR valid_until > now())"
_SCOPES = {"global": Priority.GLOBAL, "mandate": Priority.MANDATE, "instance": Priority.INSTANCE}
Cell = tuple[str, Action, str | None]
Place = UUID | None


@dataclass(frozen=True)
class Rights:
    """The level of every cell, for each member in each instance (None: in none)."""

    levels: Mapping[tuple[UUID, Place], Mapping[Cell, AccessLevel]]

    def together(self) -> dict[Cell, AccessLevel]:
        """The most that anybody has, cell by cell."""
        most: defaultdict[Cell, AccessLevel] = defaultdict(lambda: AccessLevel.NONE)
        for cells in self.levels.values():
            for cell, level in cells.items():
                most[cell] = max(most[cell], level)
        return most

    def beyond(self, ceiling: Mapping[Cell, AccessLevel]) -> list[str]:
        """Who has more than the ceiling, in words."""
        return [
            f"{user} in {place}: {cell} is {level.name}, the ceiling {ceiling[cell].name}"
            for (user, place), cells in self.levels.items()
            for cell, level in cells.items()
            if level > ceiling[cell]
        ]


async def rights_in(gateway: RunningGateway, mandate: MandateId, items: Iterable[Item]) -> Rights:
    """What everybody may do in the mandate at this moment."""
    rules = await _rules(gateway)
    rows = await gateway.sql("SELECT id FROM feature_instances WHERE mandate_id = :m", m=mandate)
    instances = [row["id"] for row in rows]
    held = await _held(gateway, mandate, rules)
    caps = await _caps(gateway, mandate, rules)
    levels = {}
    for user in {user for user, _ in held}:
        for place in (None, *instances):
            own = [*held[user, None], *(held[user, place] if place else [])]
            levels[user, place] = {
                (item.path, question.action, question.field): explain(question, own, caps).level
                for item in items
                for question in _questions(item)
                if place is not None or item.reach is not Reach.INSTANCE
            }
    return Rights(levels)


async def administrators_of(gateway: RunningGateway, mandate: MandateId, items: Iterable[Item]) -> set[UUID]:
    """Who administers without end: updates all roles and all members."""
    lasting = await gateway.sql(
        "SELECT ms.user_id FROM memberships ms JOIN users u ON u.id = ms.user_id"
        f" WHERE ms.mandate_id = :m AND ms.enabled AND u.state <> 'disabled' AND ms.valid_until IS NULL AND {_NOW}",
        m=mandate,
    )
    rules = await _rules(gateway)
    held = await _held(gateway, mandate, rules, also="valid_until IS NULL")
    caps = await _caps(gateway, mandate, rules)
    needed = [item for item in items if item.path in {"rbac.roles", "members"}]
    return {
        row["user_id"]
        for row in lasting
        if all(
            explain(Question(item, Action.UPDATE), held[row["user_id"], None], caps).level is AccessLevel.ALL
            for item in needed
        )
    }


def _questions(item: Item) -> Iterable[Question]:
    for action in sorted(item.actions):
        for field in (None, *sorted(item.fields)):
            yield Question(item, action, field)


async def _rules(gateway: RunningGateway) -> dict[UUID, list[AccessRule]]:
    rules: defaultdict[UUID, list[AccessRule]] = defaultdict(list)
    for row in await gateway.sql("SELECT a.*, r.key FROM access_rules a JOIN roles r ON r.id = a.role_id"):
        rules[row["role_id"]].append(
            AccessRule(
                row["role_id"],
                ItemKind(row["kind"]),
                row["item"],
                row["may_view"],
                _level(row["may_create"]),
                _level(row["may_read"]),
                _level(row["may_update"]),
                _level(row["may_delete"]),
                locked=row["key"] == "everyone",
            )
        )
    return rules


async def _held(
    gateway: RunningGateway, mandate: MandateId, rules: Mapping[UUID, list[AccessRule]], also: str = "true"
) -> defaultdict[tuple[UUID, Place], list[BoundRule]]:
    members = await gateway.sql(
        f"SELECT id, user_id FROM memberships WHERE mandate_id = :m AND enabled AND {_NOW}", m=mandate
    )
    accesses = await gateway.sql(
        f"SELECT id, user_id, instance_id FROM instance_access WHERE mandate_id = :m AND enabled AND {_NOW}", m=mandate
    )
    given = await gateway.sql(f"SELECT * FROM role_assignments WHERE mandate_id = :m AND {_NOW} AND {also}", m=mandate)
    active = {row["user_id"] for row in members}
    held: defaultdict[tuple[UUID, Place], list[BoundRule]] = defaultdict(list)
    for row in given:
        for member in members:
            if member["id"] == row["membership_id"]:
                held[member["user_id"], None] += _bound(row, rules)
        for access in accesses:
            if access["id"] == row["instance_access_id"] and access["user_id"] in active:
                held[access["user_id"], access["instance_id"]] += _bound(row, rules)
    for user in active:
        held[user, None] += []
    return held


async def _caps(gateway: RunningGateway, mandate: MandateId, rules: Mapping[UUID, list[AccessRule]]) -> list[BoundRule]:
    everyone = await gateway.sql(
        "SELECT id, scope FROM roles WHERE key = 'everyone' AND (scope = 'global' OR mandate_id = :m)", m=mandate
    )
    return [
        (RoleBinding(RoleId(row["id"]), row["id"], _SCOPES[row["scope"]]), rule)
        for row in everyone
        for rule in rules[row["id"]]
    ]


def _bound(assignment: Mapping[str, Any], rules: Mapping[UUID, list[AccessRule]]) -> list[BoundRule]:
    role_id = assignment["role_id"]
    binding = RoleBinding(RoleId(role_id), role_id, _SCOPES[assignment["role_scope"]])
    return [(binding, rule) for rule in rules.get(role_id, [])]


def _level(stored: int | None) -> AccessLevel | None:
    return None if stored is None else AccessLevel(stored)
