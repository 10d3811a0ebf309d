"""The authenticator app of a person: set up with a seed that is shown once, and removed."""

from typing import NamedTuple

from modules.audit.service import AuditLog
from modules.auth.factor_errors import TotpCodeWrong, TotpNotBegun, TotpNotFound, TotpSetUpAlready
from modules.auth.repository import second_factors, totp, users
from modules.auth.sealing import SealingKey
from modules.auth.service.last_factor import end_with_the_last
from modules.auth.service.limits import AuthLimits
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.recent import demand_recent
from modules.auth.service.sign_in_proof import MULTIPLE_FACTORS, ONE_TIME
from modules.auth.settings import AuthSettings
from modules.auth.totp_codes import matching_step, new_seed, provisioning_uri, qr_code, seed_as_text
from modules.shared import clock
from modules.shared.context import Caller
from modules.shared.ids import UserId


class ShownSeed(NamedTuple):
    """What the app needs: typed, as an address, or as a picture. Shown once, kept sealed."""

    secret: str
    uri: str
    qr_svg: str


class TotpSeeds:
    """Seals seeds for their person, so that a row moved to another person opens nothing."""

    def __init__(self, master: SealingKey) -> None:
        self._master = master

    def seal(self, user_id: UserId, seed: bytes) -> bytes:
        """For the database."""
        return self._master.seal(seed, _whose(user_id))

    def open(self, user_id: UserId, sealed: bytes) -> bytes:
        """The seed again. Raises SealBroken."""
        return self._master.open(sealed, _whose(user_id))


class TotpService:
    """Sets the caller's app up and removes it."""

    def __init__(
        self, seeds: TotpSeeds, limits: AuthLimits, audit: AuditLog, settings: AuthSettings, *, product: str
    ) -> None:
        self._seeds = seeds
        self._limits = limits
        self._audit = audit
        self._settings = settings
        self._product = product

    async def begin(self, caller: Caller) -> ShownSeed:
        """A new seed, which counts once `confirm` has seen a code of it. Raises StepUpRequired, TotpSetUpAlready."""
        await demand_recent(caller, self._settings.recent_login)
        db, user_id = caller.db, caller.user.id
        await users.lock_user(db, user_id)
        present = await totp.find(db, user_id)
        if present is not None and present.confirmed_at is not None:
            raise TotpSetUpAlready
        seed = new_seed()
        await totp.begin(db, user_id, self._seeds.seal(user_id, seed), clock.now())
        uri = provisioning_uri(seed, caller.user.email, self._product)
        return ShownSeed(seed_as_text(seed), uri, qr_code(uri))

    async def confirm(self, caller: Caller, code: str) -> None:
        """Have the app count from now on; the code is used up, and the session counts as signed in with it.

        Raises StepUpRequired, TotpNotBegun, TotpSetUpAlready, TotpCodeWrong, TooManyRequests.
        """
        await demand_recent(caller, self._settings.recent_login)
        await self._limits.attempt_by(caller.user.id)
        db, user_id, now = caller.db, caller.user.id, clock.now()
        await users.lock_user(db, user_id)
        begun = await totp.find(db, user_id)
        if begun is None:
            raise TotpNotBegun
        if begun.confirmed_at is not None:
            raise TotpSetUpAlready
        step = matching_step(self._seeds.open(user_id, begun.sealed_seed), code, now, after=0)
        if step is None:
            raise TotpCodeWrong(pointer="/code")
        await totp.confirm(db, user_id, step, now)
        await second_factors.add_methods(db, caller.login.session_id, (ONE_TIME, MULTIPLE_FACTORS))
        self._audit.record(db, "totp_added", by=caller)
        await send_notice(db, user_id, Notice.TOTP_ADDED)

    async def remove(self, caller: Caller) -> None:
        """Forget the app; backup codes go with the last factor they stand in for. Raises StepUpRequired, TotpNotFound.

        A seed that was never confirmed is forgotten without a word.
        """
        await demand_recent(caller, self._settings.recent_login)
        db, user_id = caller.db, caller.user.id
        await users.lock_user(db, user_id)
        present = await totp.find(db, user_id)
        if present is None:
            raise TotpNotFound
        await totp.remove(db, user_id)
        if present.confirmed_at is None:
            return
        await end_with_the_last(db, user_id)
        self._audit.record(db, "totp_removed", by=caller)
        await send_notice(db, user_id, Notice.TOTP_REMOVED)


def _whose(user_id: UserId) -> bytes:
    return b"totp seed\0" + user_id.bytes
