"""What signing in refuses: passwords and links that do not hold, and what has to be proven besides."""

from modules.shared.errors import Forbidden, Unauthenticated, Unprocessable
from modules.shared.i18n import Text


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


class AskingBrowserRequired(Forbidden):
    """403: the link of a change of address was opened where nobody asked for the change; nothing was used up."""

    code = "asking_browser_required"
    title = Text(
        en="Open this link in the browser where you asked for it, or sign in first",
        de="Öffnen Sie diesen Link in dem Browser, in dem Sie ihn angefordert haben, oder melden Sie sich zuerst an",
    )
    detail = Text(
        en="A link that changes an account's address counts in the browser that asked for the change, and where the "
        "person who asked is signed in. If it was not you, do nothing.",
        de="Ein Link, der die Adresse eines Kontos ändert, gilt in dem Browser, der die Änderung angefordert hat, und "
        "dort, wo dieselbe Person angemeldet ist. Waren Sie das nicht, tun Sie nichts.",
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
