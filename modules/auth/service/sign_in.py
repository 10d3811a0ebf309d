"""Signing in with a password, and proving it once more.

Limits come first, then one question to the database, then the hash: an unknown address, a disabled account and a wrong
password cost the same and are answered the same. No connection is held while a password is hashed.
"""

from modules.audit.service import RefusalLog
from modules.auth.keys import hash_secret
from modules.auth.models import User
from modules.auth.passwords import Passwords
from modules.auth.repository import devices, second_factors, users
from modules.auth.repository.users import Account
from modules.auth.service.entrance import Entrance, PendingSignIn
from modules.auth.service.issuing import OpenedSession
from modules.auth.service.limits import AuthLimits
from modules.auth.service.recent import confirming
from modules.auth.service.sign_in_proof import LOCAL, PASSWORD, SignInProof
from modules.auth.sign_in_errors import LoginFailed, StepUpRequired
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.database import Database
from modules.shared.ids import UserId


class SignInService:
    """Turns a password into a session."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        entrance: Entrance,
        limits: AuthLimits,
        refusals: RefusalLog,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._entrance = entrance
        self._limits = limits
        self._refusals = refusals

    async def sign_in(
        self, visitor: Visitor, email: str, password: str, *, device_secret: str | None = None
    ) -> OpenedSession | PendingSignIn:
        """A session, or what a second factor has to complete. Raises LoginFailed, TooManyRequests."""
        await self._limits.attempt_from(visitor.client)
        async with self._database.session() as session:
            known = device_secret is not None and await devices.is_known_to(session, hash_secret(device_secret), email)
            account = await users.find_account(session, email)
        if not known:
            await self._limits.attempt_on(email)
        user = await self._proven(visitor, email, account, password)
        return await self._entrance.admit(visitor, user, SignInProof(LOCAL, (PASSWORD,)), device_secret=device_secret)

    async def prove_again(self, caller: Caller, password: str) -> None:
        """Raise LoginFailed unless this is the caller's password. Counts no try.

        Raises StepUpRequired for whoever has a second factor, whatever the password: their session may have been opened
        by two, and would count as opened by both just now.
        """
        async with self._database.session() as session:
            account = await users.find_account(session, caller.user.email)
            has = await second_factors.of_user(session, caller.user.id)
        if has.second_factor:
            raise StepUpRequired(factors=confirming(has))
        await self._proven(caller, caller.user.email, account, password)

    async def _proven(self, visitor: Visitor, email: str, account: Account | None, password: str) -> User:
        """The locked user of this account if the password is theirs, its hash brought up to date."""
        stored = account.password_hash if account else None
        matches = await self._passwords.verify(stored, password)
        if account is None or stored is None or not matches or account.user.state == "disabled":
            raise await self._failed(visitor, email, account)
        renewed = await self._passwords.hash(password) if self._passwords.needs_rehash(stored) else None
        await self._limits.attempt_succeeded(email)
        user = await users.lock_user(visitor.db, account.user.id)
        # While the password was hashed the account may have been disabled or given another password.
        if user is None or user.state == "disabled" or await users.password_hash_of(visitor.db, user.id) != stored:
            raise await self._failed(visitor, email, account)
        if renewed is not None:
            await users.set_password(visitor.db, user.id, renewed, clock.now())
        return user

    async def _failed(self, visitor: Visitor, email: str, account: Account | None) -> LoginFailed:
        await self._limits.attempt_failed(email)
        error = LoginFailed()
        # Whoever fails is not thereby the owner of the account: the owner is whom it was about.
        actor = visitor.user.id if isinstance(visitor, Caller) else None
        tried = UserId(account.user.id) if account else None
        self._refusals.refused(error, user_id=actor, mandate_id=None, client=visitor.client, subject_id=tried)
        return error
