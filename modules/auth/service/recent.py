"""Delicate changes ask for a recent sign-in; a refresh does not make one.

Whoever has set up a second factor has to have shown it in the session, too: one that was opened before they did is not
enough, however recently its password was typed. Nor is the password alone a confirmation of one that was opened by two.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.repository import second_factors
from modules.auth.service.sign_in_proof import MULTIPLE_FACTORS
from modules.auth.sign_in_errors import StepUpRequired
from modules.shared.context import Caller, Login

PASSWORD: Final = "password"  # noqa: S105  # the name of a factor
SIGN_IN: Final = "sign_in"
"""Named to whoever has nothing to show at `POST /auth/step-up`: they sign in anew, by their link or provider."""


async def demand_recent(caller: Caller, within: timedelta) -> None:
    """Raise StepUpRequired unless the person proved themselves at most `within` ago."""
    await demand_recent_login(caller.db, caller.login, within)


async def demand_recent_login(session: AsyncSession, login: Login | None, within: timedelta) -> None:
    """Raise StepUpRequired, with what this person can show, unless `login` is a recent one; None never is."""
    if login is None:
        raise StepUpRequired(factors=[])
    recent, several = login.is_recent(within), MULTIPLE_FACTORS in login.amr
    if recent and several:
        return
    has = await second_factors.of_session(session, login.session_id)
    wants_second = has.second_factor and not several
    if recent and not wants_second:
        return
    raise StepUpRequired(factors=confirming(has) or [SIGN_IN])


def confirming(has: second_factors.Factors) -> list[str]:
    """What a step-up takes of this person: the password only from whoever has no second factor."""
    return [name for name in has.names if not (has.second_factor and name == PASSWORD)]
