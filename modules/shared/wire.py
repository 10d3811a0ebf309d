"""Shapes of request bodies, and the one rule about text: what PostgreSQL cannot store is refused at the door.

`WireModel` is the base of every request body. It forbids unknown members and refuses NUL and lone surrogates anywhere
inside (also in keys of free-form objects), because both are legal JSON (RFC 8259, section 8.2) and neither fits a
PostgreSQL text or jsonb value. Lengths are each field's own duty. `StorableText` gives the same protection to a path
or query value.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator
from pydantic_core import PydanticCustomError

_MOST_UNKNOWN_MEMBERS: Final = 50
_DEEPEST: Final = 64


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can keep `text`: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class WireModel(BaseModel):
    """A request body: unknown members are refused, numbers are finite, every string can be stored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_a_flood_of_members(cls, value: object) -> object:
        """A place at fault for each of a hundred thousand unknown members would take a second to find and to tell."""
        if isinstance(value, Mapping) and len(value) > len(cls.model_fields) + _MOST_UNKNOWN_MEMBERS:
            raise PydanticCustomError("too_many_members", "The object has too many members")
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_unstorable_text(cls, value: object) -> object:
        """Before any other rule, so that neither a pattern nor an enum sees such text. Names the exact place inside
        the field.
        """
        place = _unstorable_place(value)
        if place is not None:
            raise _unstorable(place)
        return value


def _refuse_unstorable(text: str) -> str:
    if not is_storable(text):
        raise _unstorable("")
    return text


StorableText = Annotated[str, AfterValidator(_refuse_unstorable)]
"""A path, query or header value that PostgreSQL can keep."""


def _unstorable(place: str) -> PydanticCustomError:
    return PydanticCustomError("unstorable_text", "Text must not contain NUL or unpaired surrogates", {"place": place})


def _unstorable_place(value: object, depth: int = 0) -> str | None:
    """JSON pointer (RFC 6901), relative to `value`, of the first string that cannot be stored."""
    if depth > _DEEPEST:  # the parser goes deeper than Python may here
        raise PydanticCustomError("nested_too_deeply", "The value is nested too deeply")
    if isinstance(value, str):
        return None if is_storable(value) else ""
    if isinstance(value, Mapping):
        return _first_place((str(key), _unstorable_member(str(key), member, depth)) for key, member in value.items())
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return _first_place((str(index), _unstorable_place(member, depth + 1)) for index, member in enumerate(value))
    return None


def _first_place(places: Iterable[tuple[str, str | None]]) -> str | None:
    return next((f"/{_escape(name)}{place}" for name, place in places if place is not None), None)


def _unstorable_member(key: str, member: object, depth: int) -> str | None:
    return _unstorable_place(member, depth + 1) if is_storable(key) else ""


def _escape(name: str) -> str:
    """As in RFC 6901; a name that cannot be stored cannot be shown either."""
    shown = name.encode("utf-8", "replace").decode().replace("\0", "?")
    return shown.replace("~", "~0").replace("/", "~1")
