"""The refusals of the product, as small classes; the HTTP edge alone turns them into answers.

A feature derives its own errors from the kind that fits (`NotFound`, `Forbidden`, ...), gives it a stable `code` and a
text in every language. The status belongs to the kind, so a new error never decides HTTP.
"""

from typing import ClassVar

from modules.shared.i18n import Language, Text


class DomainError(Exception):
    """Base of every refusal. `fields` fill the placeholders of the text and appear in the problem document (RFC 9457).

    `retry_after` is in seconds. `pointer` is the JSON pointer (RFC 6901) or header name of the input at fault.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[Text] = Text(en="Something went wrong", de="Etwas ist schiefgegangen")
    detail: ClassVar[Text | None] = None

    def __init__(self, *, pointer: str | None = None, retry_after: int | None = None, **fields: object) -> None:
        super().__init__(self.code)
        self.pointer = pointer
        self.retry_after = retry_after
        self.fields = fields

    def describe(self, language: Language) -> str:
        """What happened and what the reader can do about it, in `language`."""
        return (self.detail or self.title).in_(language, **self.fields)


class MalformedRequest(DomainError):
    """400: the request cannot be understood."""

    status = 400
    code = "malformed_request"
    title = Text(en="The request cannot be understood", de="Die Anfrage ist nicht lesbar")


class Unauthenticated(DomainError):
    """401: no or no valid credential. Never says which check failed."""

    status = 401
    code = "unauthenticated"
    title = Text(en="Please sign in", de="Bitte anmelden")


class Forbidden(DomainError):
    """403: the caller is known and refused."""

    status = 403
    code = "forbidden"
    title = Text(en="You may not do this", de="Das dürfen Sie nicht")


class PermissionDenied(Forbidden):
    """403: the rules of this context do not allow it."""

    code = "permission_denied"
    title = Text(en="Your roles do not allow this", de="Ihre Rollen erlauben das nicht")
    detail = Text(
        en="Your roles in this mandate do not allow “{action}” on “{item}”.",
        de="Ihre Rollen in diesem Mandanten erlauben „{action}“ auf „{item}“ nicht.",
    )


class NotFound(DomainError):
    """404: not there, or not the caller's to know of."""

    status = 404
    code = "not_found"
    title = Text(en="Not found", de="Nicht gefunden")


class Conflict(DomainError):
    """409: the request contradicts the present state."""

    status = 409
    code = "conflict"
    title = Text(en="This contradicts the present state", de="Das widerspricht dem jetzigen Stand")


class PreconditionFailed(DomainError):
    """412: the object changed since the caller read it (`If-Match`, RFC 9110, section 13.1.1)."""

    status = 412
    code = "stale_version"
    title = Text(en="The object was changed meanwhile", de="Das Objekt wurde inzwischen geändert")


class PayloadTooLarge(DomainError):
    """413: the body is longer than the installation accepts."""

    status = 413
    code = "payload_too_large"
    title = Text(en="The request body is too large", de="Der Inhalt der Anfrage ist zu groß")


class UnsupportedMediaType(DomainError):
    """415: the body is not of the type the route takes."""

    status = 415
    code = "unsupported_media_type"
    title = Text(en="The body must be application/json", de="Der Inhalt muss application/json sein")


class Misdirected(DomainError):
    """421: the request names a host this installation does not serve (RFC 9110, section 15.5.20)."""

    status = 421
    code = "misdirected_request"
    title = Text(en="This host is not served here", de="Dieser Host wird hier nicht bedient")


class Unprocessable(DomainError):
    """422: understood, but a value is not acceptable."""

    status = 422
    code = "validation_failed"
    title = Text(en="Some values are not acceptable", de="Einige Angaben sind nicht zulässig")


class TooManyRequests(DomainError):
    """429: a limit is used up; `retry_after` says when to come back."""

    status = 429
    code = "rate_limited"
    title = Text(en="Too many requests; try again later", de="Zu viele Anfragen; bitte später erneut versuchen")


class Unavailable(DomainError):
    """503: something this installation needs is away; nothing was changed."""

    status = 503
    code = "unavailable"
    title = Text(en="The service is temporarily unavailable", de="Der Dienst ist vorübergehend nicht verfügbar")


class DatabaseUnavailable(Unavailable):
    """The database did not answer in time. Never means "not found", "not allowed" or "not signed in"."""

    code = "database_unavailable"
    title = Text(en="The database is temporarily unavailable", de="Die Datenbank ist vorübergehend nicht verfügbar")
