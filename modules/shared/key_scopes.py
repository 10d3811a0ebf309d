"""The scopes of an API key: which of its owner's rights it may use.

A scope is `item:action` or `item:action:level`, where `item` is a dotted path (it and everything below), `path.*`
(only what is below) or `*`, `action` is one of the five or `*`, and `level` (`my`, `group`, `all`) says how far at
most. `*` alone is short for `*:*`. A `*` never reaches items of the installation: those are named. Scopes only ever
lower: together they work as one more locked role, so nothing here can give a right its owner lacks.

`introspect` is no item: it lets a service ask about tokens that were shown to it.
"""

from collections.abc import Iterable, Iterator, Sequence
import re
from typing import Final, NamedTuple

from modules.shared.catalogue import AccessLevel, Action, Item, ItemCatalogue, ItemKind, Reach
from modules.shared.errors import Unprocessable
from modules.shared.i18n import Text
from modules.shared.ids import RoleId
from modules.shared.rules import EVERYTHING, AccessRule

INTROSPECT: Final = "introspect"
LONGEST_SCOPE: Final = 140

_SHORTHAND: Final = "*:*"
_SCOPE: Final = re.compile(
    r"(?P<item>\*|[a-z][a-z0-9_-]*(?:\.[a-z][a-z0-9_-]*)*(?:\.\*)?)"
    r":(?P<action>\*|view|create|read|update|delete)"
    r"(?::(?P<level>my|group|all))?",
    re.ASCII,
)


class UnknownScope(Unprocessable):
    """422: the scope is malformed, or names an item or an action that nobody declared."""

    code = "unknown_scope"
    title = Text(en="No such scope", de="Diesen Geltungsbereich gibt es nicht")
    detail = Text(
        en="“{scope}” is no scope: write item:action (members:read), item:action:level, *:read or *.{hint}",
        de="„{scope}“ ist kein Geltungsbereich: möglich sind Objekt:Aktion (members:read), Objekt:Aktion:Stufe, *:read "
        "oder *.{hint}",
    )


class _Scope(NamedTuple):
    item: str
    action: Action | None  # None: every action
    level: AccessLevel

    def speaks_of(self, action: Action) -> bool:
        return self.action in {None, action}


def checked_scopes(scopes: Iterable[str], catalogue: ItemCatalogue) -> tuple[str, ...]:
    """The scopes in order, each once. Raises UnknownScope for one that names nothing there is."""
    for place, scope in enumerate(chosen := list(scopes)):
        if scope != INTROSPECT and not _is_declared(_read(scope), catalogue):
            raise UnknownScope(pointer=f"/scopes/{place}", scope=scope[:LONGEST_SCOPE], hint=_hint(scope, catalogue))
    return tuple(sorted(set(chosen)))


def scope_rules(scopes: Sequence[str], role_id: RoleId, *, installation: bool) -> Iterator[AccessRule]:
    """The scopes as locked rules: what they do not speak of is lowered to nothing.

    Those for items of the `installation` take no account of `*`.
    """
    read = _read_all(scopes, installation=installation)
    for place in sorted({EVERYTHING, *(scope.item for scope in read)}):
        yield from _locked(role_id, place, [scope for scope in read if _covers(scope.item, place)])


def includes(scopes: Sequence[str], item: Item, action: Action) -> bool:
    """Whether the scopes speak of `action` on `item` at all."""
    read = _read_all(scopes, installation=item.reach is Reach.INSTALLATION)
    return any(scope.speaks_of(action) and _covers(scope.item, item.path) for scope in read)


def _read_all(scopes: Iterable[str], *, installation: bool) -> list[_Scope]:
    read = [scope for each in scopes if (scope := _read(each)) is not None]
    return [scope for scope in read if scope.item != EVERYTHING] if installation else read


def _read(text: str) -> _Scope | None:
    """A scope that may have been stored when other items were declared; None for what is none."""
    written = _SCOPE.fullmatch(_SHORTHAND if text == EVERYTHING else text) if len(text) <= LONGEST_SCOPE else None
    if written is None:
        return None
    action = None if written["action"] == "*" else Action(written["action"])
    if action is Action.VIEW and written["level"] is not None:
        return None  # seeing has no levels
    return _Scope(written["item"], action, AccessLevel[(written["level"] or "all").upper()])


def _is_declared(scope: _Scope | None, catalogue: ItemCatalogue) -> bool:
    return scope is not None and any(
        _covers(scope.item, item.path) and (scope.action is None or scope.action in item.actions) for item in catalogue
    )


def _covers(pattern: str, place: str) -> bool:
    """Whether everything that `place` (a path or itself a pattern) stands for is within `pattern`."""
    if pattern in {EVERYTHING, place}:
        return True
    base = place.removesuffix(".*")
    if pattern.endswith(".*"):
        return base.startswith(pattern[:-1])
    return base == pattern or base.startswith(f"{pattern}.")


def _locked(role_id: RoleId, place: str, speaking: Sequence[_Scope]) -> Iterator[AccessRule]:
    levels = {
        action: max((scope.level for scope in speaking if scope.speaks_of(action)), default=AccessLevel.NONE)
        for action in Action
    }
    for kind in ItemKind:
        yield AccessRule(
            role_id,
            kind,
            place,
            levels[Action.VIEW] > AccessLevel.NONE,
            levels[Action.CREATE],
            levels[Action.READ],
            levels[Action.UPDATE],
            levels[Action.DELETE],
            locked=True,
        )


def _hint(scope: str, catalogue: ItemCatalogue) -> str:
    near = catalogue.nearest(scope[:LONGEST_SCOPE].partition(":")[0].removesuffix(".*"))
    return f" → {', '.join(near)}" if near else ""
