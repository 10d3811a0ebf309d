"""How a command ends: the exit codes, and the one sentence for each way it can be refused."""

from enum import IntEnum

from gateway.migrations import WrongLevel
from modules.auth.key_errors import KeyMaterialRefused
from modules.auth.mode_errors import WrongMode
from modules.shared.embedded_postgres import EmbeddedPostgresError
from modules.shared.errors import DomainError
from modules.shared.settings import SettingsError


class ExitCode(IntEnum):
    """What a script may rely on. 2 is the command line's own: wrong usage."""

    DONE = 0
    REFUSED = 1
    SETTINGS = 3
    DATABASE = 4
    LEVEL = 5


class Refused(Exception):
    """The command cannot do what it was asked; the text says why and what helps."""


class DatabaseAway(Exception):
    """The database does not answer one of the logins."""


def explain(error: Exception) -> tuple[ExitCode, str] | None:
    """The exit code and the sentence for a refusal; None for a bug, which deserves its traceback."""
    code = next((code for kinds, code in _CODES if isinstance(error, kinds)), None)
    if code is None:
        return None
    return code, error.describe("en") if isinstance(error, DomainError) else str(error)


_CODES: tuple[tuple[tuple[type[Exception], ...], ExitCode], ...] = (
    ((SettingsError, KeyMaterialRefused, WrongMode), ExitCode.SETTINGS),
    ((EmbeddedPostgresError, DatabaseAway), ExitCode.DATABASE),
    ((WrongLevel,), ExitCode.LEVEL),
    ((Refused, DomainError), ExitCode.REFUSED),
)
