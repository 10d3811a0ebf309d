"""Refusals as RFC 9457 problem documents, in the reader's language.

`Problems.of` turns a domain error into a finished answer without the web framework, so that the middleware (before
any routing) and the exception handlers (after it) answer alike. The reader's own language is taken from
`scope["state"]["language"]` when whoever found out who calls has put it there, else from Accept-Language.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from json import dumps
from uuid import UUID

from starlette.types import Scope, Send

from modules.shared.errors import DomainError
from modules.shared.i18n import Language, negotiate_language

PROBLEM_JSON = b"application/problem+json"
DEFAULT_RETRY_AFTER = 2
"""Seconds a client waits after a 429 or 503 that does not say how long."""

MOST_PLACES = 50
"""Of a request with more places at fault the rest is only counted, so that no answer is larger than what caused it."""

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Problem:
    """A finished problem answer."""

    status: int
    body: bytes
    headers: RawHeaders = field(default_factory=list)

    async def send(self, send: Send) -> None:
        """Send it as the whole HTTP response."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})

    async def send_to_websocket(self, send: Send) -> None:
        """Send it instead of accepting a WebSocket (ASGI extension `websocket.http.response`)."""
        await send({"type": "websocket.http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "websocket.http.response.body", "body": self.body})


class Problems:
    """Makes problem documents; `type` is the catalogue's page below `public_url`, and `count` hears each code."""

    def __init__(self, public_url: str, count: Callable[[str], None] = lambda _code: None) -> None:
        self._count = count
        self._pages = f"{public_url.rstrip('/')}/errors/"

    def of(
        self,
        error: DomainError,
        scope: Scope,
        *,
        errors: Sequence[Mapping[str, object]] = (),
        headers: RawHeaders | None = None,
    ) -> Problem:
        """The answer to `error`. `errors` are the places at fault; an error with a pointer of its own is its own
        single place.
        """
        language = language_of(scope)
        detail = error.describe(language)
        places = list(errors)
        if error.pointer is not None and not places:
            places.append({"pointer": error.pointer, "code": error.code, "detail": detail})
        return self.write(
            scope,
            language=language,
            status=error.status,
            code=error.code,
            title=error.title.in_(language),
            detail=detail,
            fields=error.fields,
            errors=places,
            headers=[*_status_headers(error.status, error.retry_after), *(headers or [])],
        )

    def write(
        self,
        scope: Scope,
        *,
        language: Language,
        status: int,
        code: str,
        title: str,
        detail: str,
        fields: Mapping[str, object] | None = None,
        errors: Sequence[Mapping[str, object]] = (),
        headers: RawHeaders | None = None,
    ) -> Problem:
        """The answer from its parts. A field never replaces a standard member."""
        self._count(code)
        document: dict[str, object] = dict(fields or {})
        document.update(
            type=self._pages + code,
            title=title,
            status=status,
            detail=detail,
            code=code,
            request_id=request_id_of(scope),
        )
        if errors:
            document["errors"] = list(errors[:MOST_PLACES])
        if len(errors) > MOST_PLACES:
            document["errors_left_out"] = len(errors) - MOST_PLACES
        body = dumps(document, default=_wire_value, separators=(",", ":"), allow_nan=False).encode()
        return Problem(
            status,
            body,
            [
                (b"content-type", PROBLEM_JSON),
                (b"content-length", str(len(body)).encode()),
                (b"content-language", language.encode()),
                *(headers or []),
            ],
        )


def language_of(scope: Scope) -> Language:
    """The reader's language: their own setting if the caller is known, else Accept-Language, else English."""
    preferred = scope.get("state", {}).get("language")
    return negotiate_language(_header(scope, b"accept-language"), preferred)


def request_id_of(scope: Scope) -> str | None:
    """The id the middleware gave this request."""
    request_id: str | None = scope.get("state", {}).get("request_id")
    return request_id


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope.get("headers", ()):
        if key == name:
            return str(value, "latin-1")
    return None


def _status_headers(status: int, retry_after: int | None) -> RawHeaders:
    """Headers that a status obliges to: RFC 9110, sections 11.6.1 (401) and 10.2.3 (429, 503)."""
    if status == 401:
        return [(b"www-authenticate", b"Bearer")]
    if status in (429, 503):
        return [(b"retry-after", str(max(1, retry_after or DEFAULT_RETRY_AFTER)).encode())]
    if status == 413:
        return [(b"connection", b"close")]
    return []


def _wire_value(value: object) -> object:
    """What JSON has no word for, as the rest of the API writes it."""
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)
