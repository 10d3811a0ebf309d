"""Changing what nobody else changed meanwhile: the `version` of an object and `If-Match` (RFC 9110, section 13.1.1)."""

import re
from typing import Annotated, Final

from fastapi import Depends, Header

from modules.shared.errors import MalformedRequest, PreconditionFailed
from modules.shared.i18n import Text

_TAG: Final = re.compile(r'(?:W/)?"([\x21\x23-\x7e]{0,80})"')
_LONGEST: Final = 1000


class MalformedIfMatch(MalformedRequest):
    """400: `If-Match` is neither `*` nor one or several versions in quotes."""

    code = "malformed_if_match"
    title = Text(en="If-Match is malformed", de="If-Match ist nicht lesbar")
    detail = Text(
        en='Write the version in quotes, as in If-Match: "3".',
        de='Die Version in Anführungszeichen, etwa If-Match: "3".',
    )


ExpectedVersions = frozenset[str] | None
"""The versions the caller read; None when any will do."""


async def _if_match(
    if_match: Annotated[
        str | None, Header(alias="If-Match", description='Change only this `version` of the object, in quotes: `"3"`.')
    ] = None,
) -> ExpectedVersions:
    if if_match is None or if_match.strip() == "*":
        return None
    found = [_TAG.fullmatch(part.strip()) for part in if_match.split(",")] if len(if_match) <= _LONGEST else [None]
    tags = frozenset(match.group(1) for match in found if match)
    if None in found:
        raise MalformedIfMatch(pointer="If-Match")
    return tags


IfMatch = Annotated[ExpectedVersions, Depends(_if_match, scope="function")]
"""What `If-Match` asks for; pass it to the service, which calls `require_version` on the row it changes."""


def require_version(current: object, expected: ExpectedVersions) -> None:
    """Raise PreconditionFailed (412) unless the object's version is among the expected ones."""
    if expected is not None and str(current) not in expected:
        raise PreconditionFailed
