"""The words of an access policy: a rule, where its role was assigned, and the pattern by which it names items.

A rule has five columns. NULL (`None`) in a column is no opinion, so the decision keeps looking; `AccessLevel.NONE` is
an answer.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
import re
from typing import NamedTuple
from uuid import UUID

from modules.shared.catalogue import AccessLevel, Action, ItemKind
from modules.shared.errors import Unprocessable
from modules.shared.i18n import Text
from modules.shared.ids import RoleId

EVERYTHING = "*"
ANY_FUTURE_ITEM = "any-future-item"
"""Stands for an item not declared yet when rights are compared; a rule naming it could hide something, so none may."""

_SEGMENTS = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*")
_LONGEST_PATH = 120


class Priority(IntEnum):
    """The scope a role is held at. The highest scope with an answer decides alone."""

    GLOBAL = 1
    MANDATE = 2
    INSTANCE = 3


class Reason(StrEnum):
    """Why the answer is yes, or the first thing that makes it no."""

    GRANTED = "granted"
    NO_RULE = "no_rule"
    DENIED_BY_RULE = "denied_by_rule"
    DENIED_BY_FIELD_RULE = "denied_by_field_rule"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One row of a role's policy. `item` is a path (it and everything below), `path.*` (only what is below) or `*`.

    A `locked` rule never grants: in the two built-in roles `everyone` it lowers the result for all, elsewhere it does
    nothing.
    """

    role_id: RoleId
    kind: ItemKind
    item: str
    view: bool | None = None
    create: AccessLevel | None = None
    read: AccessLevel | None = None
    update: AccessLevel | None = None
    delete: AccessLevel | None = None
    locked: bool = False

    def level(self, action: Action) -> AccessLevel | None:
        """The opinion on `action`; `view` is told as NONE or ALL."""
        match action:
            case Action.VIEW:
                return None if self.view is None else AccessLevel.ALL if self.view else AccessLevel.NONE
            case Action.CREATE:
                return self.create
            case Action.READ:
                return self.read
            case Action.UPDATE:
                return self.update
            case Action.DELETE:
                return self.delete


class RoleBinding(NamedTuple):
    """A role in the state `version` as one caller holds it; a tuple, because every request hashes some.

    `from_root_mandate` marks the root mandate's own roles, held in the root mandate: only they answer items of
    installation reach, and no role of an instance does. A global role assigned in another mandate is not marked.
    `answers_data` is False for a role that came along with an entry (a visiting sysadmin). `caps_installation` marks
    locked rules that lower items of the installation and no others.
    """

    role_id: RoleId
    version: UUID
    priority: Priority
    from_root_mandate: bool = False
    answers_data: bool = True
    caps_installation: bool = False


class Pattern(NamedTuple):
    """A parsed rule item: the path it starts from (empty for `*`), and whether that path itself is left out."""

    base: str
    only_below: bool


class InvalidPattern(Unprocessable):
    """422: the item of a rule is neither a dotted path, nor one ending in `.*`, nor `*`."""

    code = "invalid_rule_item"
    title = Text(en="The item of the rule is not acceptable", de="Das Objekt der Regel ist nicht zulässig")
    detail = Text(
        en="“{item}” is not an item: write a dotted path (a.b), everything below a path (a.b.*) or everything (*).",
        de="„{item}“ ist kein Objekt: ein Pfad mit Punkten (a.b), alles unter einem Pfad (a.b.*) oder alles (*).",
    )


def parse_pattern(text: str) -> Pattern:
    """Read the item of a rule. Raises InvalidPattern; does not check that the item is declared."""
    if text == EVERYTHING:
        return Pattern("", only_below=True)
    base = text.removesuffix(".*")
    if len(base) > _LONGEST_PATH or not _SEGMENTS.fullmatch(base) or ANY_FUTURE_ITEM in base.split("."):
        raise InvalidPattern(item=text[: _LONGEST_PATH + 2])
    return Pattern(base, only_below=base != text)
