"""What can be set: the sections a composition knows, their keys, and the known name nearest to an unknown one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
import re
from typing import Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.fields import FieldInfo

_MEMBER = re.compile(r"[a-z0-9][a-z0-9_-]*")


class SettingsError(Exception):
    """The settings cannot be used. `problems` are sentences for the operator; none of them repeats a secret."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(("the settings cannot be used:", *(f"  - {problem}" for problem in self.problems))))


class Section(BaseModel):
    """One section of config.ini. Every key has a description: config.ini's comments are made from it.

    A key with a `default_factory` is derived from others unless given; left empty it counts as not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


@dataclass(frozen=True, slots=True)
class Schema:
    """Sections by name, and families: `[oidc.<name>]` for any number of names."""

    sections: Mapping[str, type[Section]]
    families: Mapping[str, type[Section]]

    @classmethod
    def of(cls, composition: type[BaseModel]) -> Self:
        """Read the fields of `composition`: a `Section` is a section, a `dict[str, Section]` a family of them."""
        sections: dict[str, type[Section]] = {}
        families: dict[str, type[Section]] = {}
        for name, field in composition.model_fields.items():
            if get_origin(field.annotation) is dict:
                families[name] = get_args(field.annotation)[1]
            elif isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                sections[name] = field.annotation
            else:
                raise TypeError(f"{composition.__name__}.{name} is neither a Section nor a dict[str, Section]")
        return cls(sections, families)

    def find_section(self, name: str) -> type[Section] | None:
        """The model of section `name`, which may be a member of a family."""
        family, dot, member = name.partition(".")
        if dot:
            return self.families.get(family) if _MEMBER.fullmatch(member) else None
        return self.sections.get(name)

    def find_field(self, section: str, key: str) -> FieldInfo | None:
        """The declaration of a key."""
        model = self.find_section(section)
        return model.model_fields.get(key) if model else None

    def nearest_section(self, name: str) -> str | None:
        """The section somebody who wrote `name` may have meant."""
        known = [*self.sections, *(f"{family}.<name>" for family in self.families)]
        if name in self.families:
            return f"{name}.<name>"
        return _nearest(name, known)

    def nearest(self, section: str, key: str) -> tuple[str, str] | None:
        """What somebody who wrote this may have meant: this key elsewhere, a like key of the section, a like name."""
        names = {f"{where}.{each}": (where, each) for where, each in self._names(section)}
        elsewhere = [name for name, (_, each) in names.items() if each == key]
        own = [each for where, each in names.values() if where == section]
        if elsewhere:
            return names[_nearest(f"{section}.{key}", elsewhere) or elsewhere[0]]
        if like := _nearest(key, own):
            return section, like
        return names[like] if (like := _nearest(f"{section}.{key}", names)) else None

    def _names(self, section: str) -> Iterator[tuple[str, str]]:
        """Every section and key; of the families only the member that `section` names."""
        member = {section: model} if (model := self.find_section(section)) else {}
        return ((name, key) for name, each in {**self.sections, **member}.items() for key in each.model_fields)


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.5)), None)


def is_secret(field: FieldInfo) -> bool:
    """Whether the value of `field` must not be shown."""
    return field.annotation is SecretStr


def is_list(field: FieldInfo) -> bool:
    """Whether `field` takes several values, and so several lines."""
    return get_origin(field.annotation) is tuple


def is_derived(field: FieldInfo) -> bool:
    """Whether `field`, left empty, follows from other settings."""
    return field.default_factory is not None
