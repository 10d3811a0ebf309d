"""What identity refuses: credentials that do not hold, weak passwords, accounts that cannot be, unfit key material."""

from modules.shared.errors import (
    Conflict,
    DomainError,
    Forbidden,
    MalformedRequest,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unprocessable,
)
from modules.shared.i18n import Text


class InvalidToken(Unauthenticated):
    """401: the access token is malformed, forged or expired. Never says which."""

    code = "invalid_token"
    title = Text(en="Please sign in again", de="Bitte erneut anmelden")


class UnknownKey(InvalidToken):
    """The token names a key this process has not loaded; a caller may reload the keys and ask once more."""


class WeakPassword(Unprocessable):
    """422: the password is refused. Each reason is a class of its own with a `code` of its own."""

    code = "password_weak"
    title = Text(en="Choose another password", de="Bitte ein anderes Passwort wählen")


class PasswordTooShort(WeakPassword):
    """Fewer characters than the installation asks for; `minimum` says how many."""

    code = "password_too_short"
    detail = Text(
        en="A password needs at least {minimum} characters.", de="Ein Passwort braucht mindestens {minimum} Zeichen."
    )


class PasswordTooLong(WeakPassword):
    """More characters than are accepted; `maximum` says how many."""

    code = "password_too_long"
    detail = Text(
        en="A password may have at most {maximum} characters.",
        de="Ein Passwort darf höchstens {maximum} Zeichen haben.",
    )


class PasswordCommon(WeakPassword):
    """It stands on the block list, or repeats very few characters."""

    code = "password_common"
    detail = Text(
        en="This password is among the first that are guessed. Several unrelated words make a good one.",
        de="Dieses Passwort wird mit als erstes geraten. Mehrere Wörter ohne Zusammenhang ergeben ein gutes.",
    )


class PasswordPersonal(WeakPassword):
    """It consists mostly of the person's mail address or the product's name."""

    code = "password_personal"
    detail = Text(
        en="This password is mostly your mail address or the name of this product, which others know.",
        de="Dieses Passwort besteht vor allem aus Ihrer Mailadresse oder dem Produktnamen; beides kennen andere.",
    )


class SigningKeyMissing(Unavailable):
    """503: no key signs for `purpose`, so nothing can be issued until one is activated."""

    code = "signing_key_missing"


class KeyMaterialRefused(DomainError):
    """Base of what stops the start: the operator has to act, no request caused it."""

    code = "key_material_refused"
    title = Text(en="Key material cannot be used", de="Schlüsselmaterial ist nicht verwendbar")


class MasterKeyExposed(KeyMaterialRefused):
    """The master key file at `path` can be read or written by others than its owner."""

    code = "master_key_exposed"
    detail = Text(
        en="The master key file {path} must be accessible to its owner only (chmod 600).",
        de="Die Hauptschlüsseldatei {path} darf nur für ihren Besitzer zugänglich sein (chmod 600).",
    )


class MasterKeyMissing(KeyMaterialRefused):
    """There is no file at `path`, and the database holds keys that only the former one opens."""

    code = "master_key_missing"
    detail = Text(
        en="The master key file {path} is missing, and the database holds keys that only it opens. Restore the file "
        "from the backup that belongs to this database (mode 600), then start again.",
        de="Die Hauptschlüsseldatei {path} fehlt, und die Datenbank enthält Schlüssel, die nur sie öffnet. Die Datei "
        "aus der Sicherung wiederherstellen, die zu dieser Datenbank gehört (Modus 600), dann neu starten.",
    )


class MasterKeyMalformed(KeyMaterialRefused):
    """The file at `path` is not a regular file of exactly 32 bytes."""

    code = "master_key_malformed"
    detail = Text(
        en="The master key file {path} must be a regular file of exactly 32 random bytes.",
        de="Die Hauptschlüsseldatei {path} muss eine reguläre Datei mit genau 32 zufälligen Bytes sein.",
    )


class WeakKey(KeyMaterialRefused):
    """The key `kid` is too short or not of the kind its algorithm needs."""

    code = "weak_key"
    detail = Text(
        en="Key {kid} is not fit for its algorithm: HMAC and sealing need 32 random bytes, RSA 2048 bits, EC P-256.",
        de="Schlüssel {kid} taugt nicht für sein Verfahren: HMAC und Versiegeln brauchen 32 zufällige Bytes, "
        "RSA 2048 Bit, EC P-256.",
    )


class SealBroken(KeyMaterialRefused):
    """Something sealed cannot be opened: other key, other purpose, or it was changed."""

    code = "seal_broken"
    detail = Text(
        en="A sealed value cannot be opened: it was changed, or belongs to another master key.",
        de="Ein versiegelter Wert ist nicht zu öffnen: er wurde verändert oder gehört zu einem anderen Hauptschlüssel.",
    )


class CredentialConflict(Unauthenticated):
    """401: the cookie and the bearer token both hold, for different people."""

    code = "credential_conflict"
    title = Text(
        en="The request carries the credentials of two people", de="Die Anfrage trägt die Anmeldungen zweier Personen"
    )


class LoginFailed(Unauthenticated):
    """401: mail address and password do not open an account. The same for unknown, disabled and wrong."""

    code = "login_failed"
    title = Text(en="Mail address or password is wrong", de="Mailadresse oder Passwort ist falsch")


class PendingSignInEnded(Unauthenticated):
    """401: there is no sign-in that waits for a second factor: it took too long, was completed, or began elsewhere."""

    code = "pending_sign_in_ended"
    title = Text(en="Please sign in again from the beginning", de="Bitte beginnen Sie die Anmeldung von vorn")


class SecondFactorRequired(Forbidden):
    """403: the account has a second factor, which this way of signing in cannot ask for; `factors` names them."""

    code = "second_factor_required"
    title = Text(en="This account needs a second factor", de="Dieses Konto verlangt einen zweiten Faktor")


class StepUpRequired(Forbidden):
    """403: this needs a recent sign-in; `factors` says what to prove at `POST /auth/step-up`."""

    code = "step_up_required"
    title = Text(en="Please confirm that it is you", de="Bitte bestätigen Sie, dass Sie es sind")


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


class SessionNotFound(NotFound):
    """404: no such session, or somebody else's."""

    code = "session_not_found"
    title = Text(en="No such session", de="Diese Sitzung gibt es nicht")


class DeviceNotFound(NotFound):
    """404: no such browser, one that is forgotten already, or somebody else's."""

    code = "device_not_found"
    title = Text(en="No such device", de="Dieses Gerät gibt es nicht")


class TokenNotFound(NotFound):
    """404: no such token."""

    code = "token_not_found"
    title = Text(en="No such token", de="Dieses Token gibt es nicht")


class TokenSearchTooWide(Unprocessable):
    """422: tokens are found by user or by session; all of them at once are too many."""

    code = "token_search_too_wide"
    title = Text(en="Name a user or a session", de="Ein Konto oder eine Sitzung angeben")


class RegistrationClosed(Forbidden):
    """403: nobody can create an account here by themselves."""

    code = "registration_closed"
    title = Text(en="Accounts are not open for registration", de="Die Registrierung ist geschlossen")


class InvitationRequired(Forbidden):
    """403: only the invited can create an account, with the link of their invitation."""

    code = "invitation_required"
    title = Text(en="An account needs an invitation", de="Ein Konto braucht eine Einladung")


class SetUpCodeRequired(Forbidden):
    """403: the first account needs the set-up code that the server printed at its start."""

    code = "set_up_code_required"
    title = Text(
        en="The first account needs the set-up code the server printed",
        de="Das erste Konto braucht den Einrichtungscode, den der Server ausgegeben hat",
    )


class LinkNotValid(Unprocessable):
    """422: the link of a mail was used already, is too old, or never was one."""

    code = "link_not_valid"
    title = Text(en="This link was used already or is too old", de="Dieser Link wurde schon benutzt oder ist zu alt")


class PasswordRequired(Forbidden):
    """403: the link was opened in another browser than it was asked for in; the password proves who opens it."""

    code = "password_required"
    title = Text(
        en="Type your password once more in this browser",
        de="Bitte das Passwort in diesem Browser noch einmal eingeben",
    )


class MagicLinkOff(Forbidden):
    """403: this installation signs nobody in by a link (`[auth] magic_link`)."""

    code = "magic_link_off"
    title = Text(
        en="Signing in by a link is switched off here", de="Die Anmeldung mit einem Link ist hier abgeschaltet"
    )


class MagicLinkExpired(LinkNotValid):
    """422: the link was never used, and its time is over."""

    code = "magic_link_expired"
    title = Text(
        en="This link is too old: have a new one sent", de="Dieser Link ist zu alt: Lassen Sie sich einen neuen senden"
    )


class CodeRequired(Forbidden):
    """403: the link was opened in another browser than the one that asked; six digits of the same mail go with it."""

    code = "code_required"
    title = Text(
        en="Type the six digits that stand in the same mail",
        de="Bitte die sechs Ziffern eingeben, die in derselben Mail stehen",
    )


class CodeNotValid(Unauthenticated):
    """401: the code of a mail is wrong, was used, is too old, was tried too often or belongs to another browser."""

    code = "code_not_valid"
    title = Text(en="This code does not hold", de="Dieser Code gilt nicht")
    detail = Text(
        en="The code is wrong, too old, was tried too often, or a newer one was sent. It counts only in the browser "
        "that asked for it.",
        de="Der Code ist falsch, zu alt, wurde zu oft versucht, oder es gibt einen neueren. Er gilt nur in dem "
        "Browser, der ihn angefordert hat.",
    )


class EmailTaken(Conflict):
    """409: another account has this address."""

    code = "email_taken"
    title = Text(en="Another account has this mail address", de="Ein anderes Konto hat diese Mailadresse")


class UserNotFound(NotFound):
    """404: no such user."""

    code = "user_not_found"
    title = Text(en="No such user", de="Dieses Konto gibt es nicht")


class UserDisabled(Conflict):
    """409: the account is disabled."""

    code = "user_disabled"
    title = Text(en="This account is disabled", de="Dieses Konto ist gesperrt")


class LastSysadmin(Conflict):
    """409: somebody else must become system administrator first."""

    code = "last_sysadmin"
    title = Text(
        en="The last system administrator cannot be removed",
        de="Der letzte Systemadministrator kann nicht entfernt werden",
    )


class SysadminProtected(Forbidden):
    """403: the account of a system administrator is changed by system administrators only."""

    code = "sysadmin_protected"
    title = Text(
        en="Only system administrators may change a system administrator's account",
        de="Das Konto eines Systemadministrators ändern nur Systemadministratoren",
    )


class RotationUnderWay(Conflict):
    """409: new keys are published already and will sign in a moment."""

    code = "rotation_under_way"
    title = Text(en="The keys are being rotated already", de="Die Schlüssel werden schon gewechselt")


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


class TicketNotValid(Unauthenticated):
    """401: the ticket was used already, is too old, or is for something else. Never says which."""

    code = "ticket_not_valid"
    title = Text(en="This ticket is not valid", de="Dieses Ticket gilt nicht")
