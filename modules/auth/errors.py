"""What is refused of the credentials a request brings, of token requests, and of sessions and devices."""

from modules.shared.errors import MalformedRequest, NotFound, Unauthenticated, Unprocessable
from modules.shared.i18n import Text


class InvalidToken(Unauthenticated):
    """401: the access token is malformed, forged or expired. Never says which."""

    code = "invalid_token"
    title = Text(en="Please sign in again", de="Bitte erneut anmelden")


class UnknownKey(InvalidToken):
    """The token names a key this process has not loaded; a caller may reload the keys and ask once more."""


class CredentialConflict(Unauthenticated):
    """401: the cookie and the bearer token both hold, for different people."""

    code = "credential_conflict"
    title = Text(
        en="The request carries the credentials of two people", de="Die Anfrage trägt die Anmeldungen zweier Personen"
    )


class TicketNotValid(Unauthenticated):
    """401: the ticket was used already, is too old, or is for something else. Never says which."""

    code = "ticket_not_valid"
    title = Text(en="This ticket is not valid", de="Dieses Ticket gilt nicht")


class InvalidGrant(MalformedRequest):
    """400: the credentials of a token request do not hold (RFC 6749, section 5.2)."""

    code = "invalid_grant"
    title = Text(en="The credentials do not hold", de="Die Zugangsdaten gelten nicht")

    def __init__(self) -> None:
        super().__init__(error="invalid_grant")


class UnsupportedGrantType(MalformedRequest):
    """400: a token request by another way than `password` or `refresh_token` (RFC 6749, section 5.2)."""

    code = "unsupported_grant_type"
    title = Text(
        en="Tokens are given for password or refresh_token", de="Token gibt es für password oder refresh_token"
    )

    def __init__(self) -> None:
        super().__init__(pointer="/grant_type", error="unsupported_grant_type")


class InvalidTokenRequest(MalformedRequest):
    """400: a token request lacks a parameter (RFC 6749, section 5.2)."""

    code = "invalid_request"
    title = Text(en="The token request is incomplete", de="Die Token-Anfrage ist unvollständig")

    def __init__(self, parameter: str) -> None:
        super().__init__(pointer=f"/{parameter}", error="invalid_request")


class TokenNotFound(NotFound):
    """404: no such token."""

    code = "token_not_found"
    title = Text(en="No such token", de="Dieses Token gibt es nicht")


class TokenSearchTooWide(Unprocessable):
    """422: tokens are found by user or by session; all of them at once are too many."""

    code = "token_search_too_wide"
    title = Text(en="Name a user or a session", de="Ein Konto oder eine Sitzung angeben")


class SessionNotFound(NotFound):
    """404: no such session, or somebody else's."""

    code = "session_not_found"
    title = Text(en="No such session", de="Diese Sitzung gibt es nicht")


class DeviceNotFound(NotFound):
    """404: no such browser, one that is forgotten already, or somebody else's."""

    code = "device_not_found"
    title = Text(en="No such device", de="Dieses Gerät gibt es nicht")
