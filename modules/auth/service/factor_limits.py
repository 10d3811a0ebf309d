"""How often a second factor may be tried. Every limit counts before the code is looked at."""

from enum import StrEnum
from typing import Final

from modules.shared.client_address import counted_as
from modules.shared.context import Client
from modules.shared.ids import UserId
from modules.shared.rate_limits import Limit, RateLimits
from modules.shared.settings import RateLimitsSettings

TRIES_OF_A_SIGN_IN: Final = 5
"""Then the person signs in from the beginning."""
_TRIES_OF_A_DAY: Final = 100
"""Of a million codes three hold at any moment; NIST SP 800-63B, section 5.2.2, allows a hundred tries."""


class Trying(StrEnum):
    """Who tries a person's factor. They are counted apart: a stranger who knows the password uses up nobody else's
    tries.
    """

    SIGNED_IN = "signed in"
    KNOWN_BROWSER = "known browser"
    STRANGER = "stranger"


class FactorLimits:
    """The limits of `[rate_limits]` that concern codes and passkeys. Every method raises TooManyRequests."""

    def __init__(self, counts: RateLimits, settings: RateLimitsSettings) -> None:
        self._counts = counts
        self._enabled = settings.enabled
        self._of_person = (
            Limit.parse("second_factor", settings.login_per_account),
            Limit("second_factor_day", _TRIES_OF_A_DAY, 24 * 3600),
        )
        self._challenges = Limit.parse("passkey_challenges", settings.login_per_address)

    async def try_of(self, user_id: UserId, trying: Trying) -> None:
        """One try of a person's second factor."""
        for limit in self._of_person:
            await self._hit(limit, trying, str(user_id))

    async def challenge_for(self, client: Client) -> None:
        """One challenge that a stranger has made."""
        await self._hit(self._challenges, counted_as(client.address))

    async def _hit(self, limit: Limit, *keys: str) -> None:
        if self._enabled:
            await self._counts.hit(limit, *keys)
