"""What second factors refuse: codes and passkeys that do not hold, and changes that would leave somebody outside."""

from modules.shared.errors import Conflict, NotFound, Unauthenticated, Unprocessable
from modules.shared.i18n import Text


class SecondFactorFailed(Unauthenticated):
    """401: the code is wrong, was used already or is too old. `tries_left`: until this sign-in ends."""

    code = "second_factor_failed"
    title = Text(en="This code does not hold", de="Dieser Code gilt nicht")
    detail = Text(
        en="The code is wrong or was used already. A code of the app counts once and changes every half minute.",
        de="Der Code ist falsch oder wurde schon benutzt. Ein Code der App gilt einmal und wechselt jede halbe Minute.",
    )


class PasskeyRefused(Unauthenticated):
    """401: the passkey opens nothing here. Never says which check failed."""

    code = "passkey_refused"
    title = Text(en="This passkey does not hold here", de="Dieser Passkey gilt hier nicht")
    detail = Text(
        en="The passkey is not known here, belongs to another account, or took too long. Please try again.",
        de="Der Passkey ist hier nicht bekannt, gehört zu einem anderen Konto oder hat zu lange gebraucht. "
        "Bitte noch einmal versuchen.",
    )


class PasskeyCountWentBack(PasskeyRefused):
    """401: the signature holds, but the passkey has counted further before: there may be a copy of it."""

    code = "passkey_count_went_back"
    title = Text(en="This passkey may have been copied", de="Dieser Passkey wurde vielleicht kopiert")
    detail = Text(
        en="The passkey was used more often than it says: there may be a copy. Sign in another way and remove it.",
        de="Der Passkey wurde schon öfter benutzt, als er angibt: Vielleicht gibt es eine Kopie. Melden Sie sich "
        "anders an und entfernen Sie ihn.",
    )


class PasskeyNotAccepted(Unprocessable):
    """422: what the browser made is no passkey for this place, or its time was over."""

    code = "passkey_not_accepted"
    title = Text(en="The passkey could not be set up", de="Der Passkey konnte nicht eingerichtet werden")


class PasskeyKnown(Conflict):
    """409: this passkey is set up already."""

    code = "passkey_known"
    title = Text(en="This passkey is set up already", de="Dieser Passkey ist schon eingerichtet")


class TooManyPasskeys(Conflict):
    """409: an account has `maximum` passkeys at most."""

    code = "too_many_passkeys"
    title = Text(en="There are too many passkeys", de="Es sind zu viele Passkeys")
    detail = Text(
        en="An account has {maximum} passkeys at most. Remove one that is not used any more.",
        de="Ein Konto hat höchstens {maximum} Passkeys. Entfernen Sie einen, der nicht mehr benutzt wird.",
    )


class PasskeyNotFound(NotFound):
    """404: no such passkey, or somebody else's."""

    code = "passkey_not_found"
    title = Text(en="No such passkey", de="Diesen Passkey gibt es nicht")


class TotpSetUpAlready(Conflict):
    """409: an authenticator app is set up; it is removed before another is."""

    code = "totp_set_up_already"
    title = Text(en="An authenticator app is set up already", de="Eine Authenticator-App ist schon eingerichtet")


class TotpNotBegun(Conflict):
    """409: there is no seed to confirm."""

    code = "totp_not_begun"
    title = Text(
        en="Begin with setting up the authenticator app", de="Beginnen Sie mit dem Einrichten der Authenticator-App"
    )


class TotpCodeWrong(Unprocessable):
    """422: the app shows another code; its clock may be wrong."""

    code = "totp_code_wrong"
    title = Text(
        en="The code is wrong; is the clock of the device right?",
        de="Der Code ist falsch; geht die Uhr des Geräts richtig?",
    )


class TotpNotFound(NotFound):
    """404: no authenticator app is set up."""

    code = "totp_not_found"
    title = Text(en="No authenticator app is set up", de="Es ist keine Authenticator-App eingerichtet")


class NoSecondFactor(Conflict):
    """409: backup codes stand in for another factor, and there is none."""

    code = "no_second_factor"
    title = Text(
        en="Set up an authenticator app or a passkey first",
        de="Richten Sie zuerst eine Authenticator-App oder einen Passkey ein",
    )
