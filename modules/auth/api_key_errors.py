"""What is refused of API keys: to those who come with one, and to those who make one."""

from modules.auth.errors import InvalidToken
from modules.shared.errors import Conflict, Forbidden, NotFound, Unprocessable
from modules.shared.i18n import Text


class ApiKeyPresented(InvalidToken):
    """The request shows a well-formed API key. Only the database can tell whether it holds; without it: 401."""

    def __init__(self, secret_hash: bytes) -> None:
        super().__init__()
        self.secret_hash = secret_hash


class ApiKeyNotAccepted(Forbidden):
    """403: the request came with an API key, and this is for a person who has signed in."""

    code = "api_key_not_accepted"
    title = Text(en="An API key is not accepted here", de="Hier gilt kein API-Schlüssel")
    detail = Text(
        en="This is for a person who has signed in; an API key is not accepted here.",
        de="Das ist angemeldeten Personen vorbehalten; ein API-Schlüssel gilt hier nicht.",
    )


class ApiKeyRequired(Forbidden):
    """403: only an API key with this scope is accepted, so that whoever asks can be told apart and stopped."""

    code = "api_key_required"
    title = Text(en="An API key is needed here", de="Hier ist ein API-Schlüssel nötig")
    detail = Text(
        en="This needs an API key with the scope “{scope}”.",
        de="Das braucht einen API-Schlüssel mit dem Geltungsbereich „{scope}“.",
    )


class InsufficientScope(Forbidden):
    """403: the scopes of the API key do not speak of this (RFC 6750, section 3.1)."""

    code = "insufficient_scope"
    title = Text(en="The API key lacks a scope", de="Dem API-Schlüssel fehlt ein Geltungsbereich")
    detail = Text(
        en="The API key would need the scope “{scope}”.",
        de="Der API-Schlüssel bräuchte den Geltungsbereich „{scope}“.",
    )


class KeyOfAnotherMandate(Forbidden):
    """403: the API key is for one mandate, and the request names another."""

    code = "key_of_another_mandate"
    title = Text(en="This API key is for another mandate", de="Dieser API-Schlüssel gilt für einen anderen Mandanten")


class ApiKeyNotFound(NotFound):
    """404: the caller has no such API key."""

    code = "api_key_not_found"
    title = Text(en="No such API key", de="Diesen API-Schlüssel gibt es nicht")


class TooManyApiKeys(Conflict):
    """409: the account has as many API keys as it may; one has to go first."""

    code = "too_many_api_keys"
    title = Text(en="Too many API keys", de="Zu viele API-Schlüssel")
    detail = Text(
        en="An account may have {maximum} API keys: delete one that is no longer used.",
        de="Ein Konto darf {maximum} API-Schlüssel haben: bitte einen löschen, der nicht mehr gebraucht wird.",
    )


class ApiKeyExpiry(Unprocessable):
    """422: an API key must end in the future, and within the time the installation allows."""

    code = "api_key_expiry"
    title = Text(en="The API key cannot last until then", de="So lange kann der API-Schlüssel nicht gelten")
    detail = Text(
        en="An API key ends in the future, at the latest {latest}.",
        de="Ein API-Schlüssel endet in der Zukunft, spätestens {latest}.",
    )


class ApiKeyMandateUnknown(Unprocessable):
    """422: an API key can be bound to a mandate its owner may enter."""

    code = "api_key_mandate_unknown"
    title = Text(en="You may not enter this mandate", de="Diesen Mandanten können Sie nicht betreten")
