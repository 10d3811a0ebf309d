"""Why an answer is what it is: a second, plain implementation of the decision that keeps its reasons.

It goes through the rules one by one, as the policy is written, and shares no code with the evaluator; a property test
holds the two equal. Slower by design, for a person who asks and for tests.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from modules.shared.catalogue import AccessLevel, Action, Item, ItemKind, Reach
from modules.shared.ids import RoleId
from modules.shared.rules import EVERYTHING, AccessRule, Priority, Reason, RoleBinding

BoundRule = tuple[RoleBinding, AccessRule]

_NOBODYS_ROLE: Final = RoleId(UUID(int=0))


@dataclass(frozen=True, slots=True)
class Grant:
    """One more opinion some role could hold: `level` for `action` in a rule on exactly `item`, at `priority`."""

    priority: Priority
    kind: ItemKind
    item: str
    action: Action
    level: AccessLevel


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer with its reasons.

    `winning` are the rules that decided, of the item and of its field; `shadowed` had an opinion that did not count.
    `caps` are the locked rules that lowered the result. For a denial `missing` is the smallest single grant that would
    make it a yes: the narrowest scope and item, the lowest level. None when no single grant would.
    """

    level: AccessLevel
    reason: Reason
    winning: tuple[BoundRule, ...]
    shadowed: tuple[BoundRule, ...]
    caps: tuple[BoundRule, ...]
    missing: Grant | None

    @property
    def allowed(self) -> bool:
        """Whether the action reaches anything at all."""
        return self.level > AccessLevel.NONE


@dataclass(frozen=True, slots=True)
class Question:
    """Whether `action` may be done on `item`, or on one field of it, and how far."""

    item: Item
    action: Action
    field: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    level: AccessLevel
    winning: tuple[BoundRule, ...]
    shadowed: tuple[BoundRule, ...]


@dataclass(frozen=True, slots=True)
class _Decision:
    level: AccessLevel
    table: _Answer | None
    field: _Answer | None
    caps: tuple[BoundRule, ...]


def explain(question: Question, rules: Sequence[BoundRule], caps: Sequence[BoundRule] = ()) -> Explanation:
    """Answer `question` from every rule of the caller's roles and the locked ones of the two roles `everyone`."""
    decision = _decide(question, rules, caps)
    answers = [answer for answer in (decision.table, decision.field) if answer]
    return Explanation(
        level=decision.level,
        reason=_reason(decision),
        winning=tuple(rule for answer in answers for rule in answer.winning),
        shadowed=tuple(rule for answer in answers for rule in answer.shadowed),
        caps=decision.caps,
        missing=None if decision.level else _smallest_grant(question, rules, caps),
    )


def _decide(question: Question, rules: Iterable[BoundRule], caps: Iterable[BoundRule]) -> _Decision:
    table, field = _resolve(question, (rule for rule in rules if _may_answer(rule, question.item)))
    level = table.level if table else AccessLevel.NONE
    if field:
        level = min(level, field.level)
    lowering: list[BoundRule] = []
    locked = [rule for rule in caps if _may_cap(rule, question.item)]
    for scope in Priority:
        for cap in _resolve(question, (rule for rule in locked if rule[0].priority is scope)):
            if cap and cap.level < level:
                level = cap.level
                lowering += cap.winning
    return _Decision(level, table, field, tuple(lowering))


def _resolve(question: Question, rules: Iterable[BoundRule]) -> tuple[_Answer | None, _Answer | None]:
    """The answer of the item and that of the field; field rules are those below the item's own path."""
    item, action = question.item, question.action
    opinions = [rule for rule in rules if rule[1].kind is item.kind and rule[1].level(action) is not None]
    table = _strongest([rule for rule in opinions if _matches(rule[1].item, item.path)], action)
    if question.field is None:
        return table, None
    path = f"{item.path}.{question.field}"
    below = [rule for rule in opinions if rule[1].item.startswith(f"{item.path}.") and _matches(rule[1].item, path)]
    return table, _strongest(below, action)


def _matches(pattern: str, path: str) -> bool:
    """Whether a rule on `pattern` speaks about `path`."""
    if pattern.endswith(".*"):
        return path.startswith(pattern[:-1])
    return pattern in (EVERYTHING, path) or path.startswith(f"{pattern}.")


def _strongest(opinions: Sequence[BoundRule], action: Action) -> _Answer | None:
    """The highest scope, in it the longest item, in that the maximum."""
    if not opinions:
        return None
    place = max(_place(rule) for rule in opinions)
    level = max(_opinion(rule, action) for rule in opinions if _place(rule) == place)
    winning = [rule for rule in opinions if _place(rule) == place and _opinion(rule, action) == level]
    return _Answer(level, tuple(winning), tuple(rule for rule in opinions if rule not in winning))


def _place(bound: BoundRule) -> tuple[Priority, int, bool]:
    binding, rule = bound
    segments = 0 if rule.item == EVERYTHING else len(rule.item.removesuffix(".*").split("."))
    return binding.priority, segments, rule.item.endswith(".*")


def _opinion(bound: BoundRule, action: Action) -> AccessLevel:
    return bound[1].level(action) or AccessLevel.NONE


def _may_answer(bound: BoundRule, item: Item) -> bool:
    binding, rule = bound
    if rule.locked or (item.kind is ItemKind.DATA and not binding.answers_data):
        return False
    if item.reach is not Reach.INSTANCE and binding.priority is Priority.INSTANCE:
        return False
    return item.reach is not Reach.INSTALLATION or binding.from_root_mandate


def _may_cap(bound: BoundRule, item: Item) -> bool:
    """A cap binds visitors too; but a mandate's own has no say on the installation, except the root mandate's."""
    binding, rule = bound
    own = binding.priority is Priority.GLOBAL or binding.from_root_mandate
    return rule.locked and (own if item.reach is Reach.INSTALLATION else not binding.caps_installation)


def _reason(decision: _Decision) -> Reason:
    if decision.level:
        return Reason.GRANTED
    if decision.table is None:
        return Reason.NO_RULE
    if not decision.table.level:
        return Reason.DENIED_BY_RULE
    if decision.field and not decision.field.level:
        return Reason.DENIED_BY_FIELD_RULE
    return Reason.LOCKED


def _smallest_grant(question: Question, rules: Sequence[BoundRule], caps: Sequence[BoundRule]) -> Grant | None:
    """Try each possible grant, the smallest first, by deciding again with it.

    Nothing is narrower than the exact item at the narrowest scope that answers it, and nothing outweighs it there: when
    that does not help, neither does anything wider.
    """
    item, action = question.item, question.action
    scope = Priority.INSTANCE if item.reach is Reach.INSTANCE else Priority.MANDATE
    level = AccessLevel.ALL if action is Action.VIEW else AccessLevel.MY
    paths = [item.path] if question.field is None else [f"{item.path}.{question.field}", item.path]
    for path in paths:
        grant = Grant(scope, item.kind, path, action, level)
        if _decide(question, [*rules, _as_rule(grant)], caps).level:
            return grant
    return None


def _as_rule(grant: Grant) -> BoundRule:
    binding = RoleBinding(_NOBODYS_ROLE, _NOBODYS_ROLE, grant.priority, from_root_mandate=True)
    level = grant.level
    # Only the column of the question will be read, so it does no harm to fill them all.
    return binding, AccessRule(_NOBODYS_ROLE, grant.kind, grant.item, True, level, level, level, level)
