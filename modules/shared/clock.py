"""The time of day, in the one form the product knows: aware and UTC."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


Moment = Annotated[
    AwareDatetime,
    Field(ge=_EARLIEST, le=_LATEST),  # nearer to the ends of the calendar, another time zone's clock overflows
    AfterValidator(lambda moment: moment.astimezone(UTC)),
]
"""A moment in a request (RFC 3339); any time zone comes in, UTC goes on."""
