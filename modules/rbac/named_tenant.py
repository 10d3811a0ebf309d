"""What a request says it is about: the mandate and the instance its headers name, or a ticket in its query.

Read and nothing more: whether the caller may go there is asked of the database.
"""

from functools import lru_cache
from urllib.parse import parse_qs
from uuid import UUID

from starlette.types import Scope

_MOST_HEADER_VALUES = 4_096
_LONGEST_TICKET = 200


def tenant_headers(scope: Scope) -> tuple[UUID | None, UUID | None, str | None]:
    """The two tenant headers, and the name of the first malformed one."""
    mandate_id = instance_id = malformed = None
    for name, value in scope["headers"]:
        if name == b"x-mandate-id":
            if (mandate_id := _canonical_uuid(value)) is None:
                malformed = malformed or "X-Mandate-Id"
        elif name == b"x-instance-id" and (instance_id := _canonical_uuid(value)) is None:
            malformed = malformed or "X-Instance-Id"
    return mandate_id, instance_id, malformed


def ticket_in(scope: Scope) -> str | None:
    """The ticket in the query, if there is exactly one."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=50)
    given = query.get("ticket", [])
    return given[0] if len(given) == 1 and 0 < len(given[0]) <= _LONGEST_TICKET else None


@lru_cache(_MOST_HEADER_VALUES)  # the same few mandates and instances are named again and again
def _canonical_uuid(value: bytes) -> UUID | None:
    text = value.decode("latin-1")
    if len(text) != 36:
        return None
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
