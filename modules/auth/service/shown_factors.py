"""A factor that a known person shows: the second one of a sign-in, or any of theirs to prove they are still there."""

from dataclasses import dataclass
from typing import Any, Final

from modules.audit.service import RefusalLog
from modules.auth.factor_errors import PasskeyCountWentBack, PasskeyRefused, SecondFactorFailed
from modules.auth.keys import hash_secret
from modules.auth.repository import devices, totp, users
from modules.auth.service.backup_codes import BackupCodes
from modules.auth.service.factor_limits import FactorLimits, Trying
from modules.auth.service.passkey_proof import Answer, Ceremony, PasskeyProof
from modules.auth.service.sign_in_proof import MULTIPLE_FACTORS, ONE_TIME
from modules.auth.service.totp import TotpSeeds
from modules.auth.totp_codes import matching_step
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.ids import UserId

_BY_CODE: Final = (ONE_TIME,)


@dataclass(frozen=True, slots=True)
class ShownFactor:
    """One of these, as it came in."""

    totp: str | None = None
    backup_code: str | None = None
    passkey: Answer | None = None


class ShownFactors:
    """Judges them. Everything a factor uses up is written in the request's transaction, under the lock of the user."""

    def __init__(
        self, seeds: TotpSeeds, codes: BackupCodes, passkeys: PasskeyProof, tries: FactorLimits, refusals: RefusalLog
    ) -> None:
        self._seeds = seeds
        self._codes = codes
        self._passkeys = passkeys
        self._tries = tries
        self._refusals = refusals

    async def prove(
        self,
        visitor: Visitor,
        user_id: UserId,
        shown: ShownFactor,
        ceremony: Ceremony,
        holder: str,
        *,
        device_secret: str | None = None,
    ) -> tuple[str, ...]:
        """The methods shown (RFC 8176). Raises SecondFactorFailed, PasskeyRefused, TooManyRequests."""
        await self._tries.try_of(user_id, await _trying(visitor, user_id, device_secret))
        try:
            if shown.passkey is not None:
                _, methods = await self._passkeys.prove(visitor, ceremony, holder, shown.passkey, expected=user_id)
                return (*methods, MULTIPLE_FACTORS)
            if shown.backup_code is not None:
                await self._codes.use(visitor, user_id, shown.backup_code)
                return _BY_CODE
            await self._use_totp(visitor, user_id, shown.totp or "")
        except PasskeyCountWentBack:
            raise  # noted where it was found
        except (SecondFactorFailed, PasskeyRefused) as error:
            actor = visitor.user.id if isinstance(visitor, Caller) else None
            self._refusals.refused(error, user_id=actor, mandate_id=None, client=visitor.client, subject_id=user_id)
            raise
        return _BY_CODE

    async def ask_for_passkey(
        self, visitor: Visitor, user_id: UserId, ceremony: Ceremony, holder: str
    ) -> dict[str, Any]:
        """What to ask the browser for one of this person's passkeys."""
        return await self._passkeys.ask_to_use(visitor.db, ceremony, holder, user_id)

    async def _use_totp(self, visitor: Visitor, user_id: UserId, code: str) -> None:
        user = await users.lock_user(visitor.db, user_id)
        credential = await totp.find(visitor.db, user_id)
        if user is None or credential is None or credential.confirmed_at is None:
            raise SecondFactorFailed
        seed = self._seeds.open(user_id, credential.sealed_seed)
        step = matching_step(seed, code, clock.now(), after=credential.last_step)
        if step is None or not await totp.use_step(visitor.db, user_id, step):
            raise SecondFactorFailed


async def _trying(visitor: Visitor, user_id: UserId, device_secret: str | None) -> Trying:
    if isinstance(visitor, Caller):
        return Trying.SIGNED_IN
    known = device_secret and await devices.find(visitor.db, hash_secret(device_secret), user_id)
    return Trying.KNOWN_BROWSER if known else Trying.STRANGER
