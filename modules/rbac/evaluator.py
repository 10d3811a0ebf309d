"""The decision: what level a set of roles gives on an item and action. Pure; knows no database and no web.

A role's rules are compiled once per (role, version) into a lookup by pattern. Asking walks the patterns that could
answer, the most specific first, scope by scope from instance to global, so the order of rules cannot matter. An
`EffectiveTable` remembers its answers; versions are part of its key, so a remembered answer belongs to exactly these
rules and can never be stale.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
import sys
from typing import Final
from uuid import UUID

from modules.rbac.explanation import BoundRule, Explanation, Question, explain
from modules.rbac.lru import LruByBytes
from modules.shared.catalogue import AccessLevel, Action, Item, ItemKind, Reach
from modules.shared.ids import RoleId
from modules.shared.rules import EVERYTHING, AccessRule, Priority, RoleBinding

RoleVersion = tuple[RoleId, UUID]
Columns = Mapping[Action, AccessLevel]
RuleIndex = Mapping[str, Columns]
Ranks = Sequence[Sequence[RuleIndex]]

_NO_COLUMNS: Final[Columns] = {}
_ROLE_BYTES: Final = 600
_TABLE_BYTES: Final = 2_000
_MEMO_ENTRY_BYTES: Final = 200


class CompiledRole:
    """One state of one role: its rules by kind and pattern, what grants apart from what is locked."""

    __slots__ = ("grants", "locks", "role_id", "size", "version")

    def __init__(self, role_id: RoleId, version: UUID, rules: Iterable[AccessRule]) -> None:
        """Compile `rules`, which must have been read together with `version`."""
        self.role_id = role_id
        self.version = version
        own = list(rules)
        self.grants = _index(rule for rule in own if not rule.locked)
        self.locks = _index(rule for rule in own if rule.locked)
        self.size = _ROLE_BYTES + _index_bytes(self.grants) + _index_bytes(self.locks)

    def rules(self) -> Iterator[AccessRule]:
        """The rules again, rows on the same item as one."""
        for locked, by_kind in ((False, self.grants), (True, self.locks)):
            for kind, index in by_kind.items():
                for item, columns in index.items():
                    yield _rule(self.role_id, kind, item, columns, locked=locked)


BoundRole = tuple[RoleBinding, CompiledRole]


class CompiledRoles:
    """Compiled roles of this process by (role, version), the least recently used dropped beyond `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._kept: LruByBytes[RoleVersion, CompiledRole] = LruByBytes(limit)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Estimated bytes kept."""
        return self._kept.size

    def find(self, bindings: Iterable[RoleBinding]) -> dict[RoleVersion, CompiledRole]:
        """Those of the bound roles that are compiled already. The rest is to be read, compiled and given to `keep`."""
        wanted = {(binding.role_id, binding.version) for binding in bindings}
        return {key: role for key in wanted if (role := self._kept.find(key)) is not None}

    def keep(self, role: CompiledRole) -> None:
        """File `role` under its own version."""
        self._kept.keep((role.role_id, role.version), role)


class EffectiveTable:
    """What the holder of `bindings` may do, lowered by `caps` (the locked rules of the bound `everyone` roles)."""

    __slots__ = ("_fixed_size", "_held", "_locking", "_memo", "_ranks")

    def __init__(
        self,
        bindings: Iterable[RoleBinding],
        compiled: Mapping[RoleVersion, CompiledRole],
        caps: Iterable[RoleBinding] = (),
    ) -> None:
        """`compiled` holds every bound role. Raises KeyError when one is missing: a cap could be forgotten."""
        self._held = [(binding, compiled[binding.role_id, binding.version]) for binding in set(bindings)]
        self._locking = [(binding, compiled[binding.role_id, binding.version]) for binding in set(caps)]
        self._ranks: dict[tuple[ItemKind, Reach], tuple[Ranks, Ranks]] = {}
        self._memo: dict[tuple[str, ItemKind, Action, str | None], AccessLevel] = {}
        # Roles are counted in every table that keeps them alive: an estimate may be too high, never too low.
        self._fixed_size = _TABLE_BYTES + sum(role.size for _, role in (*self._held, *self._locking))

    @property
    def size(self) -> int:
        """Estimated bytes, remembered answers included."""
        return self._fixed_size + len(self._memo) * _MEMO_ENTRY_BYTES

    def level(self, item: Item, action: Action, field: str | None = None) -> AccessLevel:
        """How far `action` reaches on a declared item, or on one field of it."""
        key = (item.path, item.kind, action, field)
        try:
            return self._memo[key]
        except KeyError:
            answer = self.level_at(item.kind, item.path, action, item.reach, field)
            # Undeclared fields are without end, so only declared ones are remembered.
            if field is None or field in item.fields:
                self._memo[key] = answer
            return answer

    def can(self, item: Item, action: Action, field: str | None = None) -> bool:
        """Whether `action` reaches anything at all."""
        return self.level(item, action, field) > 0

    def level_at(
        self,
        kind: ItemKind,
        path: str,
        action: Action,
        reach: Reach = Reach.INSTANCE,
        field: str | None = None,
    ) -> AccessLevel:
        """The level on a path that need not be declared. Not remembered: such paths are without end."""
        ranks, caps = self._ranks_for(kind, reach)
        table = _patterns_for(path)
        below = () if field is None else (f"{path}.{field}", f"{path}.*")
        granted = _answer(ranks, table, action) or AccessLevel.NONE
        bounds = [_answer(ranks, below, action)]
        bounds += [_answer((cap,), patterns, action) for cap in caps for patterns in (table, below)]
        return min([granted, *(bound for bound in bounds if bound is not None)])

    def rules(self) -> list[tuple[Priority, AccessRule]]:
        """Every rule of the held roles with the scope it is held at, highest scope first; caps are not among them."""
        held = ((binding.priority, rule) for binding, rule in _bound_rules(self._held) if not rule.locked)
        return sorted(held, key=lambda entry: (-entry[0], entry[1].kind, entry[1].item))

    def roles(self) -> list[tuple[Priority, RoleId]]:
        """The held roles with the scope each is held at."""
        return [(binding.priority, binding.role_id) for binding, _ in self._held]

    def bound_roles(self) -> tuple[Sequence[BoundRole], Sequence[BoundRole]]:
        """The held roles and the capping ones, as compiled."""
        return self._held, self._locking

    def explain(self, item: Item, action: Action, field: str | None = None) -> Explanation:
        """Why `level` answers what it answers, found a second time from the rules."""
        return explain(Question(item, action, field), _bound_rules(self._held), _bound_rules(self._locking))

    def patterns(self) -> set[tuple[ItemKind, str]]:
        """The items that held and capping rules name."""
        indexes = (index for _, role in (*self._held, *self._locking) for index in (role.grants, role.locks))
        return {(kind, pattern) for index in indexes for kind, patterns in index.items() for pattern in patterns}

    def _ranks_for(self, kind: ItemKind, reach: Reach) -> tuple[Ranks, Ranks]:
        ranks = self._ranks.get((kind, reach))
        if ranks is None:
            ranks = self._ranks[kind, reach] = (
                _ranked((each, role.grants.get(kind)) for each, role in self._held if _answers(each, kind, reach)),
                _ranked((each, role.locks.get(kind)) for each, role in self._locking if _caps(each, reach)),
            )
        return ranks


EMPTY_TABLE: Final = EffectiveTable((), {})
"""The table of someone who holds no role."""


def _bound_rules(roles: Iterable[tuple[RoleBinding, CompiledRole]]) -> list[BoundRule]:
    return [(binding, rule) for binding, role in roles for rule in role.rules()]


def _answers(binding: RoleBinding, kind: ItemKind, reach: Reach) -> bool:
    if kind is ItemKind.DATA and not binding.answers_data:
        return False
    match reach:
        case Reach.INSTALLATION:
            return binding.from_root_mandate and binding.priority < Priority.INSTANCE
        case Reach.MANDATE:
            return binding.priority < Priority.INSTANCE
        case Reach.INSTANCE:
            return True


def _caps(binding: RoleBinding, reach: Reach) -> bool:
    """Caps bind visitors too, so `answers_data` does not matter; but no other mandate has a say on the installation."""
    if reach is Reach.INSTALLATION:
        return binding.from_root_mandate or binding.priority is Priority.GLOBAL
    return not binding.caps_installation


def _ranked(indexes: Iterable[tuple[RoleBinding, RuleIndex | None]]) -> Ranks:
    """Indexes of the same scope together, the highest scope first."""
    ranks: defaultdict[Priority, list[RuleIndex]] = defaultdict(list)
    for binding, index in indexes:
        if index:
            ranks[binding.priority].append(index)
    return [ranks[priority] for priority in sorted(ranks, reverse=True)]


def _patterns_for(path: str) -> Sequence[str]:
    """Every pattern that answers `path`, the most specific first: `a.b` is asked by `a.b`, `a.*`, `a`, `*`."""
    patterns = [path]
    while (dot := path.rfind(".")) >= 0:
        path = path[:dot]
        patterns += (f"{path}.*", path)
    patterns.append(EVERYTHING)
    return patterns


def _answer(ranks: Ranks, patterns: Sequence[str], action: Action) -> AccessLevel | None:
    """The highest scope with an opinion decides, in it the most specific pattern, in that the most generous role."""
    for indexes in ranks:
        for pattern in patterns:
            opinions = (index.get(pattern, _NO_COLUMNS).get(action) for index in indexes)
            heard = [level for level in opinions if level is not None]
            if heard:
                return max(heard)
    return None


def _index(rules: Iterable[AccessRule]) -> dict[ItemKind, dict[str, Columns]]:
    index: defaultdict[ItemKind, dict[str, Columns]] = defaultdict(dict)
    for rule in rules:
        # Copies of a template repeat the same few patterns and columns in every mandate: keep each of them once.
        pattern = sys.intern(rule.item)
        levels = {action: level for action in Action if (level := rule.level(action)) is not None}
        for action, level in index[rule.kind].get(pattern, _NO_COLUMNS).items():
            levels[action] = max(level, levels.get(action, level))
        index[rule.kind][pattern] = _shared_columns(frozenset(levels.items()))
    return dict(index)


@cache
def _shared_columns(levels: frozenset[tuple[Action, AccessLevel]]) -> Columns:
    return dict(levels)


def _index_bytes(by_kind: Mapping[ItemKind, RuleIndex]) -> int:
    return sum(sys.getsizeof(index) + sum(map(sys.getsizeof, index)) for index in by_kind.values())


def _rule(role_id: RoleId, kind: ItemKind, item: str, columns: Columns, *, locked: bool) -> AccessRule:
    view = columns.get(Action.VIEW)
    return AccessRule(
        role_id=role_id,
        kind=kind,
        item=item,
        view=None if view is None else view > AccessLevel.NONE,
        create=columns.get(Action.CREATE),
        read=columns.get(Action.READ),
        update=columns.get(Action.UPDATE),
        delete=columns.get(Action.DELETE),
        locked=locked,
    )
