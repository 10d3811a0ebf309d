"""How often a sign-in, a mail or a refresh may be tried. Every limit counts before the credential is looked at.

An address (IPv6: its /64) is always counted. An account is counted for browsers it does not know, so that a stranger
can neither guess for long nor lock the owner out.
"""

from typing import Final

from modules.shared.client_address import counted_as
from modules.shared.context import Client
from modules.shared.ids import SessionId, TokenId, UserId
from modules.shared.rate_limits import GrowingDelay, Limit, RateLimits
from modules.shared.settings import RateLimitsSettings

_HOUR: Final = 3600
_LOGIN_DELAY: Final = GrowingDelay("login_delay")


class AuthLimits:
    """The limits of `[rate_limits]` that concern identity. Every method raises TooManyRequests."""

    def __init__(self, counts: RateLimits, settings: RateLimitsSettings) -> None:
        self._counts = counts
        self._enabled = settings.enabled
        self._per_address = Limit.parse("login_address", settings.login_per_address)
        self._per_account = Limit.parse("login_account", settings.login_per_account)
        self._mails = (
            Limit.parse("mail_hour", settings.mail_per_recipient_hour),
            Limit.parse("mail_day", settings.mail_per_recipient_day),
        )
        self._tries = Limit("code_tries", settings.code_tries, _HOUR)
        self._code_failures = Limit.parse("code_failures", settings.code_failures_per_recipient)
        self._introspections = Limit.parse("introspections", settings.introspections_per_key)
        self._steps = Limit.parse("refresh_steps", settings.refresh_per_session)
        self._replays = Limit.parse("refresh_replays", settings.refresh_replays)

    async def introspection_by(self, key_id: TokenId) -> None:
        """One question of a service about a token."""
        await self._hit(self._introspections, str(key_id))

    async def attempt_from(self, client: Client) -> None:
        """One try of anything that proves a person, from a client's address."""
        await self._hit(self._per_address, counted_as(client.address))

    async def attempt_on(self, email: str) -> None:
        """One try on an account by a browser it does not know; waits grow with failures."""
        if self._enabled:
            key = self._counts.mail_key(email)
            await self._counts.check_delay(_LOGIN_DELAY, key)
            await self._counts.hit(self._per_account, key)

    async def attempt_by(self, user_id: UserId) -> None:
        """One try of a signed-in person to prove themselves again; strangers who fail do not count against it."""
        await self._hit(self._per_account, "signed in", str(user_id))

    async def attempt_failed(self, email: str) -> None:
        """The try on the account failed: the next one has to wait a little longer."""
        if self._enabled:
            await self._counts.failed(_LOGIN_DELAY, self._counts.mail_key(email))

    async def attempt_succeeded(self, email: str) -> None:
        """The person is who they say: earlier failures are forgotten."""
        if self._enabled:
            await self._counts.succeeded(_LOGIN_DELAY, self._counts.mail_key(email))

    async def mail_to(self, email: str, *, known_browser: bool = False) -> None:
        """One mail that a stranger causes; a browser the recipient has used has a budget of its own."""
        await self._mail("known" if known_browser else "stranger", email)

    async def mail_by_operator(self, email: str) -> None:
        """One mail that whoever runs the installation causes: strangers cannot use that budget up."""
        await self._mail("operator", email)

    async def proof_of(self, token: bytes) -> None:
        """One try to prove who opened a mail's link."""
        await self._hit(self._tries, token.hex())

    async def code_for(self, kind: str, email: str, *, known_browser: bool) -> None:
        """One try of a mail's code of this kind; refused after too many wrong ones for this recipient."""
        if self._enabled:
            await self._counts.check(self._code_failures, *self._code_keys(kind, email, known_browser))

    async def code_failed(self, kind: str, email: str, *, known_browser: bool) -> None:
        """The code was wrong."""
        if self._enabled:
            await self._counts.count(self._code_failures, *self._code_keys(kind, email, known_browser))

    async def refresh_step(self, session_id: SessionId) -> None:
        """One new refresh token."""
        await self._hit(self._steps, str(session_id))

    async def refresh_replay(self, session_id: SessionId) -> None:
        """One refresh answered as before."""
        await self._hit(self._replays, str(session_id))

    def _code_keys(self, kind: str, email: str, known_browser: bool) -> tuple[str, str, str]:  # noqa: FBT001
        return kind, "known" if known_browser else "stranger", self._counts.mail_key(email)

    async def _mail(self, budget: str, email: str) -> None:
        for limit in self._mails:
            await self._hit(limit, budget, self._counts.mail_key(email))

    async def _hit(self, limit: Limit, *keys: str) -> None:
        if self._enabled:
            await self._counts.hit(limit, *keys)
