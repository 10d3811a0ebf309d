"""What an API key may do: its owner's rights, lowered by its scopes.

The scopes join the locked roles that bind every context, so whatever decides, explains or compares rights sees them
without knowing of keys.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from modules.rbac.evaluator import Columns, CompiledRole, EffectiveTable
from modules.shared.catalogue import AccessLevel, Action, ItemCatalogue, ItemKind, Reach
from modules.shared.ids import RoleId
from modules.shared.key_scopes import scope_rules
from modules.shared.rules import EVERYTHING, AccessRule, Priority, RoleBinding

KEY_ROLE: Final = RoleId(UUID(int=0))
"""Stands for the scopes of a key where a role is told; no role has this id."""
_SCOPES: Final = RoleBinding(KEY_ROLE, UUID(int=0), Priority.INSTANCE)
_OF_INSTALLATION: Final = RoleBinding(
    KEY_ROLE, UUID(int=1), Priority.INSTANCE, from_root_mandate=True, caps_installation=True
)


class ScopedTable(EffectiveTable):
    """`whole`, as far as `scopes` go. Never more than `whole` in any cell."""

    __slots__ = ("_ceilings", "catalogue", "scopes")

    def __init__(self, whole: EffectiveTable, scopes: Sequence[str], catalogue: ItemCatalogue) -> None:
        held, locking = whole.bound_roles()
        self.scopes = tuple(scopes)
        self.catalogue = catalogue
        self._ceilings = {
            binding: CompiledRole(
                KEY_ROLE,
                binding.version,
                scope_rules(self.scopes, KEY_ROLE, installation=binding.caps_installation),
            )
            for binding in (_SCOPES, _OF_INSTALLATION)
        }
        compiled = {(role.role_id, role.version): role for _, role in (*held, *locking)}
        compiled |= {(KEY_ROLE, binding.version): role for binding, role in self._ceilings.items()}
        super().__init__(
            [binding for binding, _ in held],
            compiled,
            [*(binding for binding, _ in locking), *self._ceilings],
        )

    def cut(self, whole: EffectiveTable) -> EffectiveTable:
        """Another table of the same owner, as far as the same scopes go."""
        return ScopedTable(whole, self.scopes, self.catalogue)

    def rules(self) -> list[tuple[Priority, AccessRule]]:
        """The rules of the held roles, those held at one priority taken together and lowered by the scopes: on items
        they decide as `level` does without the caps.
        """
        held, _ = self.bound_roles()
        return [
            (priority, rule)
            for priority in sorted(Priority, reverse=True)
            for kind in ItemKind
            for rule in _lowered(
                kind,
                [role.grants[kind] for binding, role in held if binding.priority is priority and kind in role.grants],
                self._ceiling(kind),
            )
        ]

    def _ceiling(self, kind: ItemKind) -> Mapping[str, Columns]:
        """What the scopes leave at most, by place; a rule does not tell how far its item reaches, so those of the
        installation stand by name.
        """
        widest, strict = self._ceilings[_SCOPES].locks[kind], [self._ceilings[_OF_INSTALLATION].locks[kind]]
        named = {item.path for item in self.catalogue if item.kind is kind and item.reach is Reach.INSTALLATION}
        return {
            **widest,
            **{
                place: {action: _opinion(strict, place, action) or AccessLevel.NONE for action in Action}
                for place in named
            },
        }


def _lowered(
    kind: ItemKind, granting: Sequence[Mapping[str, Columns]], scopes: Mapping[str, Columns]
) -> Iterator[AccessRule]:
    """One rule for each place where grants or scopes change."""
    if not granting:
        return
    for place in sorted({*scopes, *(place for index in granting for place in index)}):
        levels = {}
        for action in Action:
            granted, bound = _opinion(granting, place, action), _opinion([scopes], place, action)
            if granted is not None:
                levels[action] = min(granted, bound or AccessLevel.NONE)
        if levels:
            view = levels.get(Action.VIEW)
            yield AccessRule(
                KEY_ROLE,
                kind,
                place,
                None if view is None else view > AccessLevel.NONE,
                levels.get(Action.CREATE),
                levels.get(Action.READ),
                levels.get(Action.UPDATE),
                levels.get(Action.DELETE),
            )


def _opinion(indexes: Sequence[Mapping[str, Columns]], place: str, action: Action) -> AccessLevel | None:
    for wider in _from(place):
        heard = [level for index in indexes if (level := index.get(wider, {}).get(action)) is not None]
        if heard:
            return max(heard)
    return None


def _from(place: str) -> Iterator[str]:
    """The place and everything wider, the narrowest first: `a.b.*` is within `a.b`, `a.*`, `a` and `*`."""
    yield place
    base = place.removesuffix(".*")
    if base != place:
        yield base
    while "." in base:
        base = base.rpartition(".")[0]
        yield f"{base}.*"
        yield base
    if place != EVERYTHING:
        yield EVERYTHING
