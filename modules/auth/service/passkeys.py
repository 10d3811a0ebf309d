"""The passkeys of a person: set up, named, removed; and signing in with one, without naming oneself."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from modules.audit.service import AuditLog, RefusalLog, Subject
from modules.auth.factor_errors import (
    PasskeyCountWentBack,
    PasskeyKnown,
    PasskeyNotAccepted,
    PasskeyNotFound,
    PasskeyRefused,
    TooManyPasskeys,
)
from modules.auth.models import Passkey, User
from modules.auth.passkey_ceremonies import KnownPasskey, PasskeyCeremonies
from modules.auth.provider_errors import LastSignInMethod
from modules.auth.repository import passkeys, second_factors, users
from modules.auth.service.entrance import Entrance
from modules.auth.service.factor_limits import FactorLimits
from modules.auth.service.issuing import OpenedSession
from modules.auth.service.last_factor import end_with_the_last
from modules.auth.service.limits import AuthLimits
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.passkey_proof import Answer, Ceremony, PasskeyProof
from modules.auth.service.recent import demand_recent, demand_recent_login
from modules.auth.service.sign_in_proof import LOCAL, MULTIPLE_FACTORS, SignInProof
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.database import Database
from modules.shared.ids import new_id

MOST_PASSKEYS: Final = 20
"""Of one account."""


class PasskeyService:
    """The signed-in person's own passkeys."""

    def __init__(
        self,
        database: Database,
        ceremonies: PasskeyCeremonies,
        proof: PasskeyProof,
        limits: AuthLimits,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._ceremonies = ceremonies
        self._proof = proof
        self._limits = limits
        self._audit = audit
        self._settings = settings

    async def list_own(self, caller: Caller) -> Sequence[Passkey]:
        """The caller's, the oldest first."""
        return await passkeys.list_of_user(caller.db, caller.user.id)

    async def begin(self, caller: Caller) -> dict[str, Any]:
        """What to ask the browser to make a passkey. Raises StepUpRequired, TooManyPasskeys."""
        await demand_recent(caller, self._settings.recent_login)
        found = await passkeys.list_of_user(caller.db, caller.user.id)
        _refuse_more(found)
        holder = str(caller.login.session_id)
        challenge = self._proof.challenge(caller.db, Ceremony.REGISTRATION, holder, caller.user.id)
        return self._ceremonies.ask_to_make(
            challenge,
            user_id=caller.user.id,
            user_name=caller.user.email,
            display_name=caller.user.display_name,
            known=[KnownPasskey(each.credential_id, each.transports) for each in found],
        )

    async def finish(self, caller: Caller, name: str, answer: Answer) -> Passkey:
        """Keep the passkey that was made. The session counts as signed in with it.

        Raises StepUpRequired, PasskeyNotAccepted, PasskeyKnown, TooManyPasskeys.
        """
        async with self._database.session() as session:  # one connection at a time: the challenge takes one, too
            await demand_recent_login(session, caller.login, self._settings.recent_login)
        await self._limits.attempt_by(caller.user.id)
        challenge = await self._proof.answered(Ceremony.REGISTRATION, str(caller.login.session_id), answer)
        if challenge is None:
            raise PasskeyNotAccepted(pointer="/credential")
        made = self._ceremonies.prove_making(answer, challenge)
        db, user_id = caller.db, caller.user.id
        await users.lock_user(db, user_id)
        _refuse_more(await passkeys.list_of_user(db, user_id))
        passkey = Passkey(
            id=new_id(),
            user_id=user_id,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            transports=made.transports,
            aaguid=made.aaguid,
            backed_up=made.backed_up,
            name=name,
            created_at=clock.now(),
            last_used_at=None,
        )
        if not await passkeys.add(db, passkey):
            raise PasskeyKnown
        await second_factors.add_methods(db, caller.login.session_id, (*made.methods, MULTIPLE_FACTORS))
        self._audit.record(db, "passkey_added", by=caller, subject=Subject("passkey", passkey.id))
        await send_notice(db, user_id, Notice.PASSKEY_ADDED)
        return passkey

    async def rename(self, caller: Caller, passkey_id: UUID, name: str) -> Passkey:
        """Call it something else. Raises PasskeyNotFound."""
        passkey = await self._own(caller, passkey_id)
        if passkey.name != name:
            passkey.name = name
            await caller.db.flush()
            self._audit.record(caller.db, "passkey_renamed", by=caller, subject=Subject("passkey", passkey_id))
        return passkey

    async def remove(self, caller: Caller, passkey_id: UUID) -> None:
        """Forget it; backup codes go with the last factor they stand in for.

        Raises StepUpRequired, PasskeyNotFound, LastSignInMethod.
        """
        await demand_recent(caller, self._settings.recent_login)
        db, user_id = caller.db, caller.user.id
        await users.lock_user(db, user_id)
        await self._own(caller, passkey_id)
        if not (self._settings.magic_link or await passkeys.has_other_way_in(db, user_id, than=passkey_id)):
            raise LastSignInMethod
        await passkeys.remove(db, passkey_id)
        await end_with_the_last(db, user_id)
        self._audit.record(db, "passkey_removed", by=caller, subject=Subject("passkey", passkey_id))
        await send_notice(db, user_id, Notice.PASSKEY_REMOVED)

    async def _own(self, caller: Caller, passkey_id: UUID) -> Passkey:
        passkey = await passkeys.find_own(caller.db, caller.user.id, passkey_id)
        if passkey is None:
            raise PasskeyNotFound
        return passkey


class PasskeySignIn:
    """Signs people in by a passkey alone: it says who they are, and is two factors by itself."""

    def __init__(
        self, proof: PasskeyProof, entrance: Entrance, limits: AuthLimits, tries: FactorLimits, refusals: RefusalLog
    ) -> None:
        self._proof = proof
        self._entrance = entrance
        self._limits = limits
        self._tries = tries
        self._refusals = refusals

    async def begin(self, visitor: Visitor, holder: str) -> dict[str, Any]:
        """What to ask the browser that keeps `holder`. Raises TooManyRequests."""
        await self._tries.challenge_for(visitor.client)
        return await self._proof.ask_to_use(visitor.db, Ceremony.SIGN_IN, holder, None)

    async def sign_in(
        self, visitor: Visitor, holder: str | None, answer: Answer, *, device_secret: str | None
    ) -> OpenedSession:
        """A session of whoever the passkey belongs to. Raises PasskeyRefused, PasskeyCountWentBack, TooManyRequests."""
        await self._limits.attempt_from(visitor.client)
        user, methods = await self._proven(visitor, holder, answer)
        proof = SignInProof(LOCAL, (*methods, MULTIPLE_FACTORS))
        return await self._entrance.open(visitor, user, proof, device_secret=device_secret)

    async def _proven(self, visitor: Visitor, holder: str | None, answer: Answer) -> tuple[User, tuple[str, ...]]:
        try:
            return await self._proof.prove(visitor, Ceremony.SIGN_IN, holder or "", answer, expected=None)
        except PasskeyRefused as error:
            if not isinstance(error, PasskeyCountWentBack):  # noted where it was found, with whose it is
                self._refusals.refused(error, user_id=None, mandate_id=None, client=visitor.client)
            raise


def _refuse_more(found: Sequence[Passkey]) -> None:
    if len(found) >= MOST_PASSKEYS:
        raise TooManyPasskeys(maximum=MOST_PASSKEYS)
