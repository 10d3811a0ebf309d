"""Small policies for tests: held roles with their rules, and Hypothesis strategies that make them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from hypothesis import strategies as st

from modules.rbac.evaluator import CompiledRole, EffectiveTable
from modules.rbac.explanation import BoundRule, Question
from modules.shared.catalogue import AccessLevel, Action, Item, ItemKind, Reach
from modules.shared.i18n import Text
from modules.shared.ids import RoleId
from modules.shared.rules import AccessRule, Priority, RoleBinding

NONE, MY, GROUP, ALL = AccessLevel
NOBODY = RoleId(UUID(int=0))


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role as one caller holds it, with its rules."""

    binding: RoleBinding
    rules: Sequence[AccessRule]


def rule(
    item: str,
    *,
    kind: ItemKind = ItemKind.DATA,
    view: bool | None = None,
    create: AccessLevel | None = None,
    read: AccessLevel | None = None,
    update: AccessLevel | None = None,
    delete: AccessLevel | None = None,
    locked: bool = False,
) -> AccessRule:
    return AccessRule(NOBODY, kind, item, view, create, read, update, delete, locked)


def held(
    priority: Priority, *rules: AccessRule, from_root_mandate: bool = False, answers_data: bool = True
) -> HeldRole:
    role_id = RoleId(uuid4())
    binding = RoleBinding(role_id, uuid4(), priority, from_root_mandate, answers_data)
    return HeldRole(binding, [replace(each, role_id=role_id) for each in rules])


def globally(*rules: AccessRule, from_root_mandate: bool = False, answers_data: bool = True) -> HeldRole:
    return held(Priority.GLOBAL, *rules, from_root_mandate=from_root_mandate, answers_data=answers_data)


def in_mandate(*rules: AccessRule, from_root_mandate: bool = False) -> HeldRole:
    return held(Priority.MANDATE, *rules, from_root_mandate=from_root_mandate)


def in_instance(*rules: AccessRule) -> HeldRole:
    return held(Priority.INSTANCE, *rules)


def table(*roles: HeldRole, caps: Sequence[HeldRole] = ()) -> EffectiveTable:
    compiled = [CompiledRole(role.binding.role_id, role.binding.version, role.rules) for role in (*roles, *caps)]
    by_version = {(role.role_id, role.version): role for role in compiled}
    return EffectiveTable([role.binding for role in roles], by_version, [cap.binding for cap in caps])


def bound(roles: Iterable[HeldRole]) -> list[BoundRule]:
    return [(role.binding, each) for role in roles for each in role.rules]


def item(
    path: str,
    reach: Reach = Reach.MANDATE,
    kind: ItemKind = ItemKind.DATA,
    fields: Iterable[str] = (),
) -> Item:
    actions = frozenset({Action.VIEW}) if kind is ItemKind.UI else frozenset(Action)
    return Item(path, kind, reach, Text(en=path, de=path), actions, frozenset(fields))


def level(effective: EffectiveTable, question: Question) -> AccessLevel:
    return effective.level(question.item, question.action, question.field)


# Few enough paths, above, below and beside each other, that several rules of a policy speak about one of them.
PATHS = ("a", "a.b", "a.b.b", "a.c", "b")
FIELDS = (None, "b", "c")
patterns = st.sampled_from(["*", "a", "a.*", "a.b", "a.b.*", "a.b.b", "a.b.b.*", "a.c", "b.*"])
paths = st.sampled_from(PATHS)
kinds = st.sampled_from([ItemKind.DATA] * 5 + [ItemKind.RESOURCE])
actions = st.sampled_from(Action)
opinions = st.sampled_from([None, NONE, NONE, MY, GROUP, ALL])
columns = opinions.map(lambda level: [level] * 4) | st.lists(opinions, min_size=4, max_size=4)


def items_of(*reaches: Reach) -> st.SearchStrategy[Item]:
    return st.builds(item, paths, st.sampled_from(reaches), kinds, st.just(("b", "c")))


items = items_of(*Reach)
questions = st.builds(Question, items, actions, st.sampled_from(FIELDS))
EVERY_QUESTION = [
    Question(item(path, reach, kind, ("b", "c")), action, field)
    for path in PATHS
    for reach in Reach
    for kind in (ItemKind.DATA, ItemKind.RESOURCE)
    for action in Action
    for field in FIELDS
]


def rules(*, locked: bool) -> st.SearchStrategy[AccessRule]:
    return st.builds(
        _rule_of,
        kinds,
        patterns,
        st.sampled_from([None, False, True]),
        columns,
        st.just(locked),
    )


def _rule_of(
    kind: ItemKind, pattern: str, view: bool | None, levels: Sequence[AccessLevel | None], locked: bool
) -> AccessRule:
    create, read, update, delete = levels
    return AccessRule(NOBODY, kind, pattern, view, create, read, update, delete, locked)


grants, locks = rules(locked=False), rules(locked=True)
held_roles = st.builds(
    lambda priority, own, root, data: held(priority, *own, from_root_mandate=root, answers_data=data),
    st.sampled_from(Priority),
    st.lists(st.one_of(grants, grants, grants, locks), max_size=5),
    st.booleans(),
    st.sampled_from([True] * 5 + [False]),
)
policies = st.lists(held_roles, max_size=5)
caps = st.lists(
    st.builds(
        lambda priority, own, root: held(priority, *own, from_root_mandate=root),
        st.sampled_from([Priority.GLOBAL, Priority.MANDATE]),
        st.lists(st.one_of(locks, locks, locks, grants), max_size=4),
        st.booleans(),
    ),
    max_size=2,
)
