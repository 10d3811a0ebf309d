"""What single-user mode refuses, and what stops a start whose settings and database disagree about it."""

from modules.shared.errors import Conflict, Unavailable
from modules.shared.i18n import Text


class SingleUserMode(Conflict):
    """409: the installation has one local user, who is signed in always: there is nothing to prove and nobody to add.

    `mandate upgrade-to-multi` ends the mode.
    """

    code = "single_user_mode"
    title = Text(en="This installation is in single-user mode", de="Diese Installation läuft im Einzelplatzbetrieb")
    detail = Text(
        en="In single-user mode nobody signs in and nobody is added. “mandate upgrade-to-multi” opens the installation"
        " for several people.",
        de="Im Einzelplatzbetrieb meldet sich niemand an und es kommt niemand hinzu. „mandate upgrade-to-multi“ öffnet"
        " die Installation für mehrere Personen.",
    )


class WrongMode(Unavailable):
    """Base of what stops the start: `[auth] mode` and the database do not agree. Changing either is for the operator.

    503 for the requests of a process that still runs in the former mode.
    """

    code = "wrong_mode"
    title = Text(en="The mode of this installation has changed", de="Die Betriebsart der Installation ist eine andere")


class SingleUserModeEnded(WrongMode):
    """Single-user mode was ended by `mandate upgrade-to-multi`, for good."""

    code = "single_user_mode_ended"
    detail = Text(
        en="This installation was upgraded to several users and never returns to single-user mode:"
        " set [auth] mode = multi and start it again.",
        de="Diese Installation wurde auf mehrere Personen umgestellt und kehrt nie zum Einzelplatzbetrieb zurück:"
        " [auth] mode = multi setzen und neu starten.",
    )


class SingleUserModeImpossible(WrongMode):
    """The database holds accounts, all of which `[auth] mode = single` would open to whoever can connect."""

    code = "single_user_mode_impossible"
    detail = Text(
        en="[auth] mode = single is for a new installation, and this one has accounts: single-user mode would give"
        " whoever can connect everything they have. Set mode = multi, or use another database.",
        de="[auth] mode = single ist für neue Installationen, und diese hat Konten: Der Einzelplatzbetrieb gäbe allen,"
        " die sich verbinden können, alles davon. mode = multi setzen oder eine andere Datenbank nehmen.",
    )


class StillSingleUser(WrongMode):
    """The settings say several users, and nobody could sign in yet."""

    code = "still_single_user"
    detail = Text(
        en="This installation is in single-user mode, and its user has neither a mail address nor a password:"
        " run “mandate upgrade-to-multi” first, or set [auth] mode = single.",
        de="Diese Installation läuft im Einzelplatzbetrieb, und ihr Benutzer hat weder Mailadresse noch Passwort:"
        " erst „mandate upgrade-to-multi“ ausführen oder [auth] mode = single setzen.",
    )


class NotInSingleUserMode(Conflict):
    """409: there is no single-user mode to end."""

    code = "not_in_single_user_mode"
    title = Text(
        en="This installation is not in single-user mode", de="Diese Installation läuft nicht im Einzelplatzbetrieb"
    )
