"""The door behind every way of signing in.

Password, link, provider and code prove one thing each and come in here. Whoever has set up a second factor is not in
yet: they get a pending sign-in, bound to their browser, which a second factor completes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.keys import hash_secret, new_secret
from modules.auth.models import Token, User
from modules.auth.repository import one_time_tokens, users
from modules.auth.service.issuing import OpenedSession
from modules.auth.service.sessions import SessionService
from modules.auth.service.sign_in_proof import SignInProof
from modules.auth.sign_in_errors import PendingSignInEnded
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.ids import UserId

PENDING_SIGN_IN: Final = one_time_tokens.PENDING_SIGN_IN
_PENDING_LIFETIME: Final = timedelta(minutes=10)


async def find_pending(session: AsyncSession, secret: str) -> Token | None:
    """The sign-in that waits for a second factor, to be completed with this secret."""
    return await one_time_tokens.find_open(session, PENDING_SIGN_IN, hash_secret(secret), clock.now())


class SecondFactors(Protocol):
    """Knows what a person has set up besides their first proof."""

    async def of(self, session: AsyncSession, user_id: UserId) -> Sequence[str]:
        """The factors this person can show: `totp`, `passkey`, `backup_code`; empty when none is set up."""
        ...


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """One proof was shown, one is missing. `secret` is for the asking browser alone."""

    secret: str
    factors: tuple[str, ...]
    expires_at: datetime


class Entrance:
    """Lets people in whose proof suffices."""

    def __init__(self, sessions: SessionService, factors: SecondFactors, audit: AuditLog) -> None:
        self._sessions = sessions
        self._factors = factors
        self._audit = audit

    async def admit(
        self, visitor: Visitor, user: User, proof: SignInProof, *, device_secret: str | None
    ) -> OpenedSession | PendingSignIn:
        """A session for `user`, whose row the caller has locked and who is not disabled; or what is still missing.

        Signing in keeps an account that was to be erased.
        """
        if not proof.has_second_factor and (factors := await self._factors.of(visitor.db, UserId(user.id))):
            return await self._hold(visitor, user, proof, tuple(factors))
        return await self.open(visitor, user, proof, device_secret=device_secret)

    async def open(
        self, visitor: Visitor, user: User, proof: SignInProof, *, device_secret: str | None
    ) -> OpenedSession:
        """A session for `user`, as `admit`, whose proof is two factors already."""
        if user.delete_after is not None:
            user.delete_after = None
            user.version += 1
            user_id = UserId(user.id)
            subject = Subject("user", user_id)
            self._audit.record(visitor.db, "deletion_withdrawn", by=visitor, user_id=user_id, subject=subject)
        return await self._sessions.open(visitor, user, proof, device_secret=device_secret)

    async def pending(self, visitor: Visitor, secret: str | None) -> Token:
        """The pending sign-in of the asking browser. Raises PendingSignInEnded."""
        found = secret and await find_pending(visitor.db, secret)
        if not found:
            raise PendingSignInEnded
        return found

    async def complete(
        self, visitor: Visitor, secret: str, methods: Sequence[str], *, device_secret: str | None
    ) -> OpenedSession:
        """Let the person of a pending sign-in in, a second factor having been shown. Raises PendingSignInEnded."""
        found = await find_pending(visitor.db, secret)
        user = await users.lock_user(visitor.db, found.user_id) if found and found.user_id else None
        token = await one_time_tokens.consume(visitor.db, PENDING_SIGN_IN, hash_secret(secret), clock.now())
        if token is None or user is None or user.state == "disabled":
            raise PendingSignInEnded
        proof = SignInProof.from_payload(token.payload).strengthened(*methods)
        return await self.open(visitor, user, proof, device_secret=device_secret)

    async def _hold(self, visitor: Visitor, user: User, proof: SignInProof, factors: tuple[str, ...]) -> PendingSignIn:
        now, secret = clock.now(), new_secret()
        expires_at = now + _PENDING_LIFETIME
        one_time_tokens.add(
            visitor.db,
            PENDING_SIGN_IN,
            authority=proof.authority,
            user_id=user.id,
            payload=proof.to_payload(),
            now=now,
            expires_at=expires_at,
            secret_hash=hash_secret(secret),
        )
        user_id = UserId(user.id)
        details = {"authority": proof.authority, "factors": list(factors)}
        self._audit.record(visitor.db, "second_factor_asked", by=visitor, user_id=user_id, details=details)
        return PendingSignIn(secret, factors, expires_at)
