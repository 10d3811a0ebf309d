"""What accounts refuse: to be made, to be found, and to be changed."""

from modules.shared.errors import Conflict, Forbidden, NotFound
from modules.shared.i18n import Text


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
