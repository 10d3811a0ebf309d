"""Proving once more that one is there: a new session with a new id takes the place of the present one.

A refresh never does this, so a stolen session cannot make itself recent. The new session ends when the one before would
have, and whoever vouched for the person then has not done so again.
"""

from typing import Any

from modules.audit.service import AuditLog, Subject
from modules.auth.errors import InvalidToken
from modules.auth.repository import one_time_tokens, users
from modules.auth.repository import sessions as session_repository
from modules.auth.service.issuing import OpenedSession
from modules.auth.service.limits import AuthLimits
from modules.auth.service.passkey_proof import Ceremony
from modules.auth.service.sessions import SessionService
from modules.auth.service.shown_factors import ShownFactor, ShownFactors
from modules.auth.service.sign_in import SignInService
from modules.auth.service.sign_in_proof import LOCAL, MULTIPLE_FACTORS, PASSWORD, SignInProof
from modules.shared import clock
from modules.shared.context import Caller
from modules.shared.ids import SessionId


class StepUpService:
    """Takes a password or any second factor of the caller's."""

    def __init__(
        self,
        sign_ins: SignInService,
        factors: ShownFactors,
        sessions: SessionService,
        limits: AuthLimits,
        audit: AuditLog,
    ) -> None:
        self._sign_ins = sign_ins
        self._factors = factors
        self._sessions = sessions
        self._limits = limits
        self._audit = audit

    async def ask_for_passkey(self, caller: Caller) -> dict[str, Any]:
        """What to ask the browser, for one of the caller's passkeys."""
        holder = str(caller.login.session_id)
        return await self._factors.ask_for_passkey(caller, caller.user.id, Ceremony.STEP_UP, holder)

    async def by_password(self, caller: Caller, password: str, *, device_secret: str | None) -> OpenedSession:
        """The password, once more. Raises LoginFailed, StepUpRequired, TooManyRequests."""
        await self._count(caller)
        await self._sign_ins.prove_again(caller, password)
        return await self._renew(caller, (PASSWORD,), device_secret)

    async def by_factor(self, caller: Caller, shown: ShownFactor, *, device_secret: str | None) -> OpenedSession:
        """With a second factor the session counts as opened by two. Raises SecondFactorFailed, PasskeyRefused,
        TooManyRequests.
        """
        await self._count(caller)
        holder = str(caller.login.session_id)
        methods = await self._factors.prove(caller, caller.user.id, shown, Ceremony.STEP_UP, holder)
        return await self._renew(caller, (*methods, MULTIPLE_FACTORS), device_secret)

    async def _count(self, caller: Caller) -> None:
        await self._limits.attempt_from(caller.client)
        await self._limits.attempt_by(caller.user.id)

    async def _renew(self, caller: Caller, methods: tuple[str, ...], device_secret: str | None) -> OpenedSession:
        user = await users.lock_user(caller.db, caller.user.id)
        login = caller.login
        ended = await session_repository.revoke(caller.db, [login.session_id], "stepped_up", clock.now())
        if user is None or not ended:  # of two at once, one session is followed by one session
            raise InvalidToken
        subject = Subject("session", login.session_id)
        self._audit.record(caller.db, "stepped_up", by=caller, subject=subject, details={"amr": list(methods)})
        amr = tuple(dict.fromkeys((*methods, *login.amr)))
        (former,) = ended
        # What is shown here is this installation's own: of its own sessions it is the authority, of no other.
        proven_at = None if login.authority == LOCAL else login.vouched_at
        proof = SignInProof(
            login.authority, amr, former.identity_id, login.tenant, login.proven_email, proven_at=proven_at
        )
        opened = await self._sessions.open(caller, user, proof, device_secret=device_secret, ends_by=former.expires_at)
        await one_time_tokens.hand_over(
            caller.db,
            caller.user.id,
            one_time_tokens.EMAIL_VERIFICATION,
            login.session_id,
            SessionId(opened.session.id),
            clock.now(),
        )
        return opened
