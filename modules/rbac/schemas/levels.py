"""Levels on the wire: `none`, `my`, `group` or `all`."""

from typing import Literal

from modules.shared.catalogue import AccessLevel

LevelName = Literal["none", "my", "group", "all"]


def level_name(level: AccessLevel) -> LevelName:
    """A level as written on the wire."""
    match level:
        case AccessLevel.NONE:
            return "none"
        case AccessLevel.MY:
            return "my"
        case AccessLevel.GROUP:
            return "group"
        case AccessLevel.ALL:
            return "all"


def level_of(name: str | None) -> int | None:
    """A level as stored."""
    return None if name is None else AccessLevel[name.upper()].value


def opinion_name(level: AccessLevel | None) -> LevelName | None:
    """A column of a rule as written on the wire."""
    return None if level is None else level_name(level)
