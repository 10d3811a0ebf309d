"""The item catalogue: everything that can be permitted, declared by the feature it belongs to.

An item is named by a dotted path inside its kind; `(kind, path)` is its identity. A rule of another kind never answers
for it. Declaring happens at start-up; requiring or ruling on something undeclared is refused with the nearest names.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import IntEnum, StrEnum
import re

from modules.shared.i18n import Text

_PATH = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*")


class ItemKind(StrEnum):
    """The `context` column of a rule."""

    DATA = "DATA"
    UI = "UI"
    RESOURCE = "RESOURCE"


class Action(StrEnum):
    """The five columns of a rule."""

    VIEW = "view"
    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"


class AccessLevel(IntEnum):
    """How far an action reaches: nobody's rows, my own, my groups', all of the mandate (or instance). For `view`: NONE
    is no, ALL is yes.
    """

    NONE = 0
    MY = 1
    GROUP = 2
    ALL = 3


class Reach(StrEnum):
    """Where an item is decided: for the whole installation (root mandate's roles only), a mandate, or one feature
    instance.
    """

    INSTALLATION = "installation"
    MANDATE = "mandate"
    INSTANCE = "instance"


CRUD = frozenset({Action.VIEW, Action.CREATE, Action.READ, Action.UPDATE, Action.DELETE})


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be permitted. `fields` are columns with rules of their own, as `path.field`."""

    path: str
    kind: ItemKind
    reach: Reach
    label: Text
    actions: frozenset[Action] = CRUD
    fields: frozenset[str] = field(default=frozenset())

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path) or len(self.path) > 120:
            raise InvalidDeclaration(
                f"item path {self.path!r} must be dotted lower-case names of at most 120 characters"
            )
        if self.kind is ItemKind.UI and self.actions != {Action.VIEW}:
            raise InvalidDeclaration(f"UI item {self.path!r} can only be viewed")
        if any(not _PATH.fullmatch(name) or "." in name for name in self.fields):
            raise InvalidDeclaration(f"item {self.path!r} has a field that is not a lower-case name")


class InvalidDeclaration(Exception):
    """The host or a feature declared or required something that cannot be; stops the start, is never an answer to a
    request.
    """


class ItemCatalogue:
    """All declared items of this process. Filled at start-up, then only read."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._items: dict[tuple[ItemKind, str], Item] = {}
        for item in items:
            self.declare(item)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def declare(self, item: Item) -> Item:
        """Add `item`. Raises InvalidDeclaration when another item of this kind and path exists."""
        known = self._items.setdefault((item.kind, item.path), item)
        if known != item:
            raise InvalidDeclaration(f"{item.kind} item {item.path!r} is declared twice, differently")
        return known

    def find(self, kind: ItemKind, path: str) -> Item | None:
        """The item of this identity, if declared."""
        return self._items.get((kind, path))

    def resolve(self, path: str, kind: ItemKind | None = None) -> Item:
        """The one item `path` names. Raises InvalidDeclaration when there is none, or several kinds share the path and
        `kind` is not given.
        """
        kinds = (kind,) if kind else tuple(ItemKind)
        found = [item for each in kinds if (item := self._items.get((each, path)))]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidDeclaration(f"item {path!r} exists as {', '.join(item.kind for item in found)}: say which")
        raise InvalidDeclaration(f"unknown item {path!r}{self._hint(path)}")

    def nearest(self, path: str) -> list[str]:
        """Up to three declared paths that look like `path`."""
        return get_close_matches(path, sorted({item.path for item in self}), n=3, cutoff=0.5)

    def _hint(self, path: str) -> str:
        near = self.nearest(path)
        return f"; did you mean {' or '.join(near)}?" if near else ""
