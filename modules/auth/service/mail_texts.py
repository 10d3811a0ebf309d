"""The texts of identity's mails. `{product}` is the installation's name, `{link}` a page of it."""

from enum import StrEnum
from typing import Final

from modules.shared.i18n import Text
from modules.shared.mail import MailTemplate


class LinkMail(StrEnum):
    """Mails that carry a secret, or go to an address that is no user's yet."""

    MAGIC_LINK = "magic_link"
    REGISTRATION = "registration"
    KNOWN_ACCOUNT = "known_account"
    PASSWORD_RESET = "password_reset"  # noqa: S105  # the name of a mail
    EMAIL_CHANGE = "email_change"
    EMAIL_TAKE_BACK = "email_take_back"


class Notice(StrEnum):
    """Mails that tell a user what happened to their account."""

    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # the name of a mail
    REFRESH_REUSE = "refresh_reuse"
    DELETION = "deletion"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    SYSADMIN_GIVEN = "sysadmin_given"
    SYSADMIN_TAKEN = "sysadmin_taken"
    API_KEY_MADE = "api_key_made"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    TOTP_ADDED = "totp_added"
    TOTP_REMOVED = "totp_removed"
    BACKUP_CODES_MADE = "backup_codes_made"
    BACKUP_CODE_USED = "backup_code_used"
    FACTORS_REMOVED = "factors_removed"


LINK_MAILS: Final[dict[LinkMail, MailTemplate]] = {
    LinkMail.MAGIC_LINK: MailTemplate(
        Text(en="Sign in to {product}", de="Bei {product} anmelden"),
        Text(
            en="Somebody, hopefully you, wants to sign in to {product} with this address, from {origin}.\n\n"
            "Open this page to sign in:\n{link}\n\n"
            "In another browser than the one that asked, the page also wants these six digits: {digits}\n\n"
            "Or type this code where you asked for the mail: {code}\n\n"
            "All of it works once, until {until}. Whoever has it gets in: show it to nobody. If this address has no "
            "account yet, the first sign-in makes one. If it was not you, do nothing.\n",
            de="Jemand, hoffentlich Sie, will sich mit dieser Adresse bei {product} anmelden, von {origin}.\n\n"
            "Zum Anmelden diese Seite öffnen:\n{link}\n\n"
            "In einem anderen Browser als dem, der gefragt hat, verlangt die Seite auch diese sechs Ziffern: "
            "{digits}\n\n"
            "Oder geben Sie dort, wo Sie die Mail angefordert haben, diesen Code ein: {code}\n\n"
            "Alles gilt einmal, bis {until}. Wer es hat, kommt hinein: Zeigen Sie es niemandem. Hat diese Adresse noch "
            "kein Konto, entsteht es bei der ersten Anmeldung. Waren Sie es nicht, tun Sie nichts.\n",
        ),
    ),
    LinkMail.REGISTRATION: MailTemplate(
        Text(en="Confirm your account at {product}", de="Ihr Konto bei {product} bestätigen"),
        Text(
            en="Somebody, hopefully you, registered this address at {product}.\n\n"
            "Open this page to finish:\n{link}\n\n"
            "The link works once, until {until}. If it was not you, do nothing: no account comes into being.\n",
            de="Jemand, hoffentlich Sie, hat diese Adresse bei {product} registriert.\n\n"
            "Zum Abschließen diese Seite öffnen:\n{link}\n\n"
            "Der Link gilt einmal, bis {until}. Waren Sie es nicht, tun Sie nichts: Es entsteht kein Konto.\n",
        ),
    ),
    LinkMail.KNOWN_ACCOUNT: MailTemplate(
        Text(en="You already have an account at {product}", de="Sie haben schon ein Konto bei {product}"),
        Text(
            en="Somebody tried to register this address at {product}, which has an account already.\n\n"
            "Sign in, or ask for a new password, here:\n{link}\n\n"
            "If it was not you, there is nothing to do.\n",
            de="Jemand wollte diese Adresse bei {product} registrieren; sie hat dort schon ein Konto.\n\n"
            "Hier können Sie sich anmelden oder ein neues Passwort anfordern:\n{link}\n\n"
            "Waren Sie es nicht, ist nichts zu tun.\n",
        ),
    ),
    LinkMail.PASSWORD_RESET: MailTemplate(
        Text(en="A new password for {product}", de="Ein neues Passwort für {product}"),
        Text(
            en="A new password was asked for, from {origin}.\n\n"
            "Choose it here:\n{link}\n\n"
            "The link works once, until {until}. If it was not you, do nothing: your password stays.\n",
            de="Ein neues Passwort wurde angefordert, von {origin}.\n\n"
            "Hier wählen Sie es:\n{link}\n\n"
            "Der Link gilt einmal, bis {until}. Waren Sie es nicht, tun Sie nichts: Ihr Passwort bleibt.\n",
        ),
    ),
    LinkMail.EMAIL_CHANGE: MailTemplate(
        Text(en="Confirm this address at {product}", de="Diese Adresse bei {product} bestätigen"),
        Text(
            en="This address is to become the one of an account at {product}.\n\n"
            "Open this page to confirm that it is yours, in the browser where you asked or where you are signed in:\n"
            "{link}\n\n"
            "The link works once, until {until}. If it was not you, do nothing.\n",
            de="Diese Adresse soll die eines Kontos bei {product} werden.\n\n"
            "Zum Bestätigen, dass sie Ihnen gehört, diese Seite öffnen, in dem Browser, in dem Sie darum gebeten haben "
            "oder angemeldet sind:\n{link}\n\n"
            "Der Link gilt einmal, bis {until}. Waren Sie es nicht, tun Sie nichts.\n",
        ),
    ),
    LinkMail.EMAIL_TAKE_BACK: MailTemplate(
        Text(en="Your address at {product} was changed", de="Ihre Adresse bei {product} wurde geändert"),
        Text(
            en="Your account at {product} has another mail address now.\n\n"
            "If that was not you, take it back here until {until}:\n{link}\n\n"
            "Every session ends then. Passkeys, the authenticator app, backup codes, API keys and connected sign-ins "
            "are removed, and you choose a new password.\n",
            de="Ihr Konto bei {product} hat jetzt eine andere Mailadresse.\n\n"
            "Waren Sie das nicht, machen Sie es bis {until} hier rückgängig:\n{link}\n\n"
            "Dabei enden alle Sitzungen. Passkeys, Authenticator-App, Ersatzcodes, API-Schlüssel und verbundene "
            "Anmeldungen werden entfernt, und Sie wählen ein neues Passwort.\n",
        ),
    ),
}

_NOT_YOU_EN: Final = "If that was not you, end your other sessions and change your password at once:\n{link}\n"
_NOT_YOU_DE: Final = (
    "Waren Sie das nicht, beenden Sie sofort Ihre anderen Sitzungen und ändern Sie Ihr Passwort:\n{link}\n"
)

NOTICES: Final[dict[Notice, MailTemplate]] = {
    Notice.API_KEY_MADE: MailTemplate(
        Text(
            en="A new API key for your account at {product}", de="Ein neuer API-Schlüssel für Ihr Konto bei {product}"
        ),
        Text(
            en="An API key was made for your account: whoever has it can act for you, as far as its scopes go.\n\n"
            "If that was not you, sign in, delete the key and change your password:\n{link}\n",
            de="Für Ihr Konto wurde ein API-Schlüssel erstellt: Wer ihn hat, kann im Rahmen seiner Geltungsbereiche "
            "für Sie handeln.\n\n"
            "Waren Sie das nicht, melden Sie sich an, löschen Sie den Schlüssel und ändern Sie Ihr Passwort:\n{link}\n",
        ),
    ),
    Notice.PASSWORD_CHANGED: MailTemplate(
        Text(en="Your password at {product} was changed", de="Ihr Passwort bei {product} wurde geändert"),
        Text(
            en="The password of your account was changed, and other sessions were ended.\n\n"
            "If that was not you, ask for a new password at once:\n{link}\n",
            de="Das Passwort Ihres Kontos wurde geändert; andere Sitzungen wurden beendet.\n\n"
            "Waren Sie das nicht, fordern Sie sofort ein neues Passwort an:\n{link}\n",
        ),
    ),
    Notice.REFRESH_REUSE: MailTemplate(
        Text(en="A session at {product} was ended", de="Eine Sitzung bei {product} wurde beendet"),
        Text(
            en="An old key of one of your sessions was used again, as happens when somebody copied it. "
            "That session was ended; the others go on.\n\n"
            "If you do not know why, sign in, look at your sessions and change your password:\n{link}\n",
            de="Ein alter Schlüssel einer Ihrer Sitzungen wurde noch einmal benutzt, wie es vorkommt, wenn jemand ihn "
            "kopiert hat. Diese Sitzung wurde beendet; die anderen laufen weiter.\n\n"
            "Wissen Sie nicht, warum, dann sehen Sie Ihre Sitzungen durch und ändern Sie Ihr Passwort:\n{link}\n",
        ),
    ),
    Notice.DELETION: MailTemplate(
        Text(en="Your account at {product} will be erased", de="Ihr Konto bei {product} wird gelöscht"),
        Text(
            en="You asked for it: your account will be erased. Sign in before then to keep it:\n{link}\n",
            de="Wie gewünscht wird Ihr Konto gelöscht. Melden Sie sich vorher an, um es zu behalten:\n{link}\n",
        ),
    ),
    Notice.IDENTITY_LINKED: MailTemplate(
        Text(
            en="Another sign-in was connected with your account at {product}",
            de="Mit Ihrem Konto bei {product} wurde eine weitere Anmeldung verbunden",
        ),
        Text(
            en="Whoever holds that account at the provider can sign in to yours from now on.\n\n"
            "If that was not you, sign in, disconnect it and change your password:\n{link}\n",
            de="Wer das Konto beim Anbieter hat, kann sich ab jetzt bei Ihrem anmelden.\n\n"
            "Waren Sie das nicht, melden Sie sich an, trennen Sie die Verbindung und ändern Sie Ihr "
            "Passwort:\n{link}\n",
        ),
    ),
    Notice.IDENTITY_UNLINKED: MailTemplate(
        Text(
            en="A sign-in was disconnected from your account at {product}",
            de="Von Ihrem Konto bei {product} wurde eine Anmeldung getrennt",
        ),
        Text(
            en="It opens your account no longer, and the sessions it had opened were ended.\n\n"
            "If that was not you, sign in another way, look at your sessions and change your password:\n{link}\n",
            de="Sie öffnet Ihr Konto nicht mehr; die Sitzungen, die sie geöffnet hatte, sind beendet.\n\n"
            "Waren Sie das nicht, melden Sie sich anders an, sehen Sie Ihre Sitzungen durch und ändern Sie Ihr "
            "Passwort:\n{link}\n",
        ),
    ),
    Notice.SYSADMIN_GIVEN: MailTemplate(
        Text(en="{product} has another system administrator", de="{product} hat einen weiteren Systemadministrator"),
        Text(
            en="{person} became system administrator of {product}.\n\n{link}\n",
            de="{person} ist jetzt Systemadministrator von {product}.\n\n{link}\n",
        ),
    ),
    Notice.SYSADMIN_TAKEN: MailTemplate(
        Text(en="{product} has one system administrator less", de="{product} hat einen Systemadministrator weniger"),
        Text(
            en="{person} is no longer system administrator of {product}.\n\n{link}\n",
            de="{person} ist nicht mehr Systemadministrator von {product}.\n\n{link}\n",
        ),
    ),
    Notice.PASSKEY_ADDED: MailTemplate(
        Text(en="A passkey was added at {product}", de="Bei {product} ist ein Passkey hinzugekommen"),
        Text(
            en="A passkey was added to your account; it signs in by itself.\n\n" + _NOT_YOU_EN,
            de="Zu Ihrem Konto ist ein Passkey hinzugekommen; er meldet für sich allein an.\n\n" + _NOT_YOU_DE,
        ),
    ),
    Notice.PASSKEY_REMOVED: MailTemplate(
        Text(en="A passkey was removed at {product}", de="Bei {product} wurde ein Passkey entfernt"),
        Text(
            en="A passkey was removed from your account.\n\n" + _NOT_YOU_EN,
            de="Ein Passkey wurde aus Ihrem Konto entfernt.\n\n" + _NOT_YOU_DE,
        ),
    ),
    Notice.TOTP_ADDED: MailTemplate(
        Text(
            en="An authenticator app was set up at {product}", de="Bei {product} gibt es jetzt eine Authenticator-App"
        ),
        Text(
            en="Signing in to your account asks for a code of the app from now on.\n\n" + _NOT_YOU_EN,
            de="Die Anmeldung an Ihrem Konto verlangt von nun an einen Code der App.\n\n" + _NOT_YOU_DE,
        ),
    ),
    Notice.TOTP_REMOVED: MailTemplate(
        Text(
            en="The authenticator app was removed at {product}", de="Bei {product} wurde die Authenticator-App entfernt"
        ),
        Text(
            en="Signing in to your account no longer asks for a code of the app.\n\n" + _NOT_YOU_EN,
            de="Die Anmeldung an Ihrem Konto verlangt keinen Code der App mehr.\n\n" + _NOT_YOU_DE,
        ),
    ),
    Notice.BACKUP_CODES_MADE: MailTemplate(
        Text(en="New backup codes at {product}", de="Neue Ersatzcodes bei {product}"),
        Text(
            en="New backup codes were made for your account; earlier ones work no more.\n\n" + _NOT_YOU_EN,
            de="Für Ihr Konto wurden neue Ersatzcodes erzeugt; frühere gelten nicht mehr.\n\n" + _NOT_YOU_DE,
        ),
    ),
    Notice.BACKUP_CODE_USED: MailTemplate(
        Text(en="A backup code was used at {product}", de="Bei {product} wurde ein Ersatzcode benutzt"),
        Text(
            en="One of your backup codes was used; it works no more. Make new ones before they run out.\n\n"
            + _NOT_YOU_EN,
            de="Einer Ihrer Ersatzcodes wurde benutzt; er gilt nicht mehr. Erzeugen Sie neue, bevor sie ausgehen.\n\n"
            + _NOT_YOU_DE,
        ),
    ),
    Notice.FACTORS_REMOVED: MailTemplate(
        Text(
            en="Your second factors at {product} were removed", de="Ihre zweiten Faktoren bei {product} wurden entfernt"
        ),
        Text(
            en="An administrator removed the passkeys, the authenticator app and the backup codes of your account.\n\n"
            "If you did not ask for that, write to your administrator at once. Set up a new factor here:\n{link}\n",
            de="Ein Administrator hat Passkeys, Authenticator-App und Ersatzcodes Ihres Kontos entfernt.\n\n"
            "Haben Sie nicht darum gebeten, schreiben Sie ihm sofort. Hier richten Sie einen neuen ein:\n{link}\n",
        ),
    ),
}
