"""Single-user mode: the one person of an installation, for whom being able to connect is the proof.

The local user has an ordinary session and ordinary access tokens, so that revocation, audit and the session list are
the same as ever; only nobody presents the token: the process holds it. The mode ends once, by `mandate
upgrade-to-multi`, and never begins again, nor where several people have accounts.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.account_errors import EmailTaken, UserNotFound
from modules.auth.mode_errors import (
    NotInSingleUserMode,
    SingleUserModeEnded,
    SingleUserModeImpossible,
    StillSingleUser,
)
from modules.auth.models import User, UserSession
from modules.auth.passwords import Passwords
from modules.auth.repository import installation, users
from modules.auth.repository import sessions as session_repository
from modules.auth.service.accounts import AccountService, NewAccountHome
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.registration import check_password
from modules.auth.service.sign_in_proof import LOCAL
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.database import Database
from modules.shared.ids import UserId, new_id

_ENDED: Final = "upgraded_to_multi"


class LocalUserService:
    """Makes the local user, issues what stands for them, and ends the mode."""

    def __init__(
        self,
        database: Database,
        accounts: AccountService,
        home: NewAccountHome,
        issuer: TokenIssuer,
        passwords: Passwords,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._home = home
        self._issuer = issuer
        self._passwords = passwords
        self._audit = audit
        self._settings = settings

    async def begin(self) -> None:
        """Before anybody is served: the mode of the settings must be that of the database, an empty one gets its local
        user. Raises WrongMode.
        """
        async with self._database.system_session() as session:
            if self._settings.mode != "single":
                if (await installation.local_user(session)).stands:
                    raise StillSingleUser
                return
            await users.lock_accounts(session)
            local = await installation.local_user(session)
            if local.ended_at is not None:
                raise SingleUserModeEnded
            if local.user_id is None:
                if await users.any_user(session):
                    raise SingleUserModeImpossible
                user = await self._accounts.open_local(session, self._home)
                await installation.begin_single_user(session, UserId(user.id))

    async def issue(self) -> str:
        """An access token of the local user, whose sign-in counts as of now. Raises SingleUserModeEnded."""
        async with self._database.system_session() as session:
            local = await installation.local_user(session)
            if local.user_id is None or local.ended_at is not None:
                raise SingleUserModeEnded
            await self._issuer.ring(session)
            user = await users.lock_user(session, local.user_id)
            if user is None:
                raise SingleUserModeEnded
            now = clock.now()
            held = await self._session_of(session, user, now)
            token, _ = self._issuer.issue(session, held, user.ver, now)
        return token

    async def upgrade(self, email: str, password: str) -> UserId:
        """End single-user mode for good: the local user keeps everything and signs in with these from now on.

        Raises NotInSingleUserMode, EmailTaken, WeakPassword.
        """
        check_password(self._passwords, password, email)
        hashed = await self._passwords.hash(password)
        now = clock.now()
        async with self._database.system_session() as session:
            await users.lock_accounts(session)
            local = await installation.local_user(session)
            if local.user_id is None or local.ended_at is not None:
                raise NotInSingleUserMode
            if await users.find_owner(session, email, now) is not None:
                raise EmailTaken
            user = await users.lock_user(session, local.user_id)
            if user is None:
                raise UserNotFound
            user.email = email
            user.ver += 1
            user.version += 1
            user_id = UserId(user.id)
            await users.set_password(session, user_id, hashed, now)
            await session_repository.revoke_of_user(session, user_id, _ENDED, now)
            await installation.end_single_user(session, now)
            subject = Subject("user", user_id)
            self._audit.record(session, _ENDED, by=None, subject=subject, user_id=user_id, email=email)
        return user_id

    async def _session_of(self, session: AsyncSession, user: User, now: datetime) -> UserSession:
        """The session all processes share while it stands, proven anew; else another one."""
        lasts_until = now + self._settings.access_token_lifetime
        held = await session_repository.find_without_proof(session, user.id, lasts_until)
        if held is None:
            held = _new_session(user, now, self._settings.session_lifetime)
            session.add(held)
            await session.flush()
            user_id = UserId(user.id)
            subject = Subject("session", held.id)
            details = {"authority": LOCAL, "amr": []}
            self._audit.record(session, "login", by=None, user_id=user_id, subject=subject, details=details)
        held.authenticated_at = held.last_seen_at = now
        held.idle_expires_at = min(now + self._settings.session_idle_lifetime, held.expires_at)
        return held


def _new_session(user: User, now: datetime, lifetime: timedelta) -> UserSession:
    """Nothing was shown, so `amr` is empty."""
    return UserSession(
        id=new_id(),
        user_id=user.id,
        authority=LOCAL,
        amr=[],
        authenticated_at=now,
        device_name="",
        user_agent="",
        ip="",
        location="",
        created_at=now,
        last_seen_at=now,
        idle_expires_at=now + lifetime,
        expires_at=now + lifetime,
        generation=1,
        confirmed_generation=1,
        rotated_at=now,
    )
