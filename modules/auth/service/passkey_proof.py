"""Challenges of passkeys: given once, for one purpose, to one browser; and the proof that comes back.

A challenge is a token whose hash covers what it is for and whose it is (a session, a pending sign-in, a browser's
cookie), so that it fits nowhere else. It is used up before anything else is looked at, also by an answer that is wrong.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import RefusalLog
from modules.auth.factor_errors import PasskeyCountWentBack, PasskeyRefused
from modules.auth.keys import hash_secret, new_secret
from modules.auth.models import Passkey, User
from modules.auth.passkey_ceremonies import KnownPasskey, PasskeyCeremonies, UsedPasskey
from modules.auth.repository import one_time_tokens, passkeys, users
from modules.auth.service.sign_in_proof import LOCAL
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.database import Database
from modules.shared.ids import UserId

Answer = Mapping[str, Any]
"""What the browser's `PublicKeyCredential.toJSON()` gave."""

_PURPOSE: Final = "passkey_ceremony"
LIFETIME: Final = timedelta(minutes=5)


class Ceremony(StrEnum):
    """What a challenge is for."""

    REGISTRATION = "registration"
    SIGN_IN = "sign_in"
    SECOND_FACTOR = "second_factor"
    STEP_UP = "step_up"


class PasskeyProof:
    """Gives challenges and judges answers."""

    def __init__(self, database: Database, ceremonies: PasskeyCeremonies, refusals: RefusalLog) -> None:
        self._database = database
        self._ceremonies = ceremonies
        self._refusals = refusals

    def challenge(self, session: AsyncSession, ceremony: Ceremony, holder: str, user_id: UserId | None) -> str:
        """A new challenge for whoever holds `holder`."""
        made, now = new_secret(), clock.now()
        one_time_tokens.add(
            session,
            _PURPOSE,
            authority=LOCAL,
            user_id=user_id,
            payload={"ceremony": ceremony},
            now=now,
            expires_at=now + LIFETIME,
            secret_hash=_hash(ceremony, holder, made),
        )
        return made

    async def ask_to_use(
        self, session: AsyncSession, ceremony: Ceremony, holder: str, user_id: UserId | None
    ) -> dict[str, Any]:
        """What to ask the browser, with a new challenge; only for this person's passkeys when they are known."""
        known = await passkeys.list_of_user(session, user_id) if user_id else ()
        challenge = self.challenge(session, ceremony, holder, user_id)
        return self._ceremonies.ask_to_use(
            challenge, [KnownPasskey(each.credential_id, each.transports) for each in known]
        )

    async def answered(self, ceremony: Ceremony, holder: str, answer: Answer) -> str | None:
        """The challenge that is answered, used up at once; None when it is not this holder's, or not open any more."""
        challenge = self._ceremonies.challenge_of(answer)
        if challenge is None:
            return None
        async with self._database.session() as session:
            hashed = _hash(ceremony, holder, challenge)
            token = await one_time_tokens.consume(session, _PURPOSE, hashed, clock.now())
        return challenge if token else None

    async def prove(
        self, visitor: Visitor, ceremony: Ceremony, holder: str, answer: Answer, *, expected: UserId | None
    ) -> tuple[User, tuple[str, ...]]:
        """Whose passkey was used, whose row is locked now, and the methods shown (RFC 8176).

        `expected` is who it has to be; None when the passkey itself says who signs in. Raises PasskeyRefused,
        PasskeyCountWentBack.
        """
        challenge = await self.answered(ceremony, holder, answer)
        if challenge is None:
            raise PasskeyRefused
        presented = self._ceremonies.presented(answer)
        async with self._database.session() as session:
            passkey = await passkeys.find_by_credential(session, presented.credential_id)
        if passkey is None or passkey.user_id != (expected or presented.user_id):
            raise PasskeyRefused
        if presented.user_id not in {None, passkey.user_id}:
            raise PasskeyRefused
        used = self._ceremonies.prove_use(answer, challenge, passkey.public_key)
        return await self._keep_count(visitor, passkey, used), used.methods

    async def _keep_count(self, visitor: Visitor, passkey: Passkey, used: UsedPasskey) -> User:
        db, user_id = visitor.db, UserId(passkey.user_id)
        user = await users.lock_user(db, user_id)
        if user is None or user.state == "disabled":
            raise PasskeyRefused
        now = clock.now()
        if not await passkeys.note_use(db, passkey.id, used.sign_count, now, backed_up=used.backed_up):
            error = PasskeyCountWentBack()
            actor = visitor.user.id if isinstance(visitor, Caller) else None
            self._refusals.refused(error, user_id=actor, mandate_id=None, client=visitor.client, subject_id=user_id)
            raise error
        return user


def _hash(ceremony: Ceremony, holder: str, challenge: str) -> bytes:
    return hash_secret(f"{ceremony}.{holder}.{challenge}")
