"""What is refused of a new password, each reason by a name of its own."""

from modules.shared.errors import Unprocessable
from modules.shared.i18n import Text


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
