"""The second half of a sign-in: whoever showed one proof shows another, in the same browser, before it is too late."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.factor_errors import PasskeyRefused, SecondFactorFailed
from modules.auth.keys import hash_secret
from modules.auth.repository import one_time_tokens
from modules.auth.service.devices import KEEPS_NO_COOKIES
from modules.auth.service.entrance import PENDING_SIGN_IN, Entrance, find_pending
from modules.auth.service.factor_limits import TRIES_OF_A_SIGN_IN
from modules.auth.service.issuing import OpenedSession
from modules.auth.service.limits import AuthLimits
from modules.auth.service.passkey_proof import Ceremony
from modules.auth.service.shown_factors import ShownFactor, ShownFactors
from modules.auth.sign_in_errors import PendingSignInEnded
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.database import Database
from modules.shared.ids import UserId


class SecondFactorSignIn:
    """Completes pending sign-ins. Tries are counted in a transaction of their own, so that wrong ones stay counted."""

    def __init__(self, database: Database, entrance: Entrance, factors: ShownFactors, limits: AuthLimits) -> None:
        self._database = database
        self._entrance = entrance
        self._factors = factors
        self._limits = limits

    async def ask_for_passkey(self, visitor: Visitor, secret: str | None) -> dict[str, Any]:
        """What to ask the browser, for one of the passkeys of whoever is half signed in. Raises PendingSignInEnded."""
        await self._limits.attempt_from(visitor.client)
        user_id = await self._user_of(visitor.db, secret)
        return await self._factors.ask_for_passkey(visitor, user_id, Ceremony.SECOND_FACTOR, secret or "")

    async def complete(
        self, visitor: Visitor, secret: str | None, shown: ShownFactor, *, device_secret: str | None
    ) -> OpenedSession:
        """The session. Five tries, then the sign-in begins anew.

        Raises PendingSignInEnded, SecondFactorFailed, PasskeyRefused, TooManyRequests.
        """
        await self._limits.attempt_from(visitor.client)
        async with self._database.session() as session:
            user_id = await self._user_of(session, secret)
            left = await self._count_try(session, secret or "")
        try:
            methods = await self._factors.prove(
                visitor, user_id, shown, Ceremony.SECOND_FACTOR, secret or "", device_secret=device_secret
            )
        except (SecondFactorFailed, PasskeyRefused) as error:
            error.fields["tries_left"] = left
            raise
        return await self._entrance.complete(visitor, secret or "", methods, device_secret=device_secret)

    async def complete_at_once(self, visitor: Visitor, secret: str, code: str) -> OpenedSession:
        """For a client without cookies, which sends the code of the app with the password; in the same transaction.

        Raises SecondFactorFailed, TooManyRequests.
        """
        user_id = await self._user_of(visitor.db, secret)
        shown = ShownFactor(totp=code)
        methods = await self._factors.prove(visitor, user_id, shown, Ceremony.SECOND_FACTOR, secret)
        return await self._entrance.complete(visitor, secret, methods, device_secret=KEEPS_NO_COOKIES)

    async def _user_of(self, session: AsyncSession, secret: str | None) -> UserId:
        found = await find_pending(session, secret) if secret else None
        if found is None or found.user_id is None:
            raise PendingSignInEnded
        return UserId(found.user_id)

    async def _count_try(self, session: AsyncSession, secret: str) -> int:
        most, now = TRIES_OF_A_SIGN_IN, clock.now()
        token = await one_time_tokens.count_try(session, PENDING_SIGN_IN, hash_secret(secret), most, now)
        if token is None:
            raise PendingSignInEnded
        return most - token.attempts
