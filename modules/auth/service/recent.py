"""Delicate changes ask for a recent sign-in; a refresh does not make one."""

from datetime import timedelta
from typing import Final

from modules.auth.errors import StepUpRequired
from modules.shared.context import Caller

FACTORS: Final = ("password",)
"""What `POST /auth/step-up` accepts."""


def demand_recent(caller: Caller, within: timedelta) -> None:
    """Raise StepUpRequired unless the person proved themselves at most `within` ago."""
    if not caller.login.is_recent(within):
        raise StepUpRequired(factors=list(FACTORS))
