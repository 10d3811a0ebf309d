"""Passwords of accounts: changed by whoever signed in recently, or reset by whoever reads the account's mails."""

from modules.audit.service import AuditLog, Subject
from modules.auth.account_errors import UserNotFound
from modules.auth.keys import hash_secret
from modules.auth.models import User
from modules.auth.passwords import Passwords
from modules.auth.repository import devices, one_time_tokens, registrations, users
from modules.auth.repository import sessions as session_repository
from modules.auth.service.device_names import origin_of
from modules.auth.service.limits import AuthLimits
from modules.auth.service.mail_texts import LinkMail, Notice
from modules.auth.service.mails import send_link, send_notice
from modules.auth.service.recent import demand_recent_login
from modules.auth.service.registration import check_password
from modules.auth.service.sessions import SessionService
from modules.auth.service.sign_in_proof import LOCAL
from modules.auth.settings import AuthSettings
from modules.auth.sign_in_errors import LinkNotValid
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.database import Database
from modules.shared.ids import UserId

RESET = "password_reset"

_ASKED_BEFORE = (RESET, *one_time_tokens.BEGUN)
"""What ends with the former password: links that whoever knew it may have asked for, also for another address, and
sign-ins it was shown for that wait for a second factor.
"""


class PasswordService:
    """Changes and resets passwords."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: SessionService,
        limits: AuthLimits,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._limits = limits
        self._audit = audit
        self._settings = settings

    async def change(self, caller: Caller, password: str) -> None:
        """A new password; all other sessions end. Raises StepUpRequired, WeakPassword."""
        async with self._database.session() as session:  # no connection is held while the password is hashed
            await demand_recent_login(session, caller.login, self._settings.recent_login)
        check_password(self._passwords, password, caller.user.email)
        hashed = await self._passwords.hash(password)
        now = clock.now()
        await users.lock_user(caller.db, caller.user.id)
        await users.set_password(caller.db, caller.user.id, hashed, now)
        await one_time_tokens.revoke_open(caller.db, caller.user.id, _ASKED_BEFORE, now)
        keep = caller.login.session_id
        ended = await session_repository.revoke_of_user(caller.db, caller.user.id, "password_changed", now, but=keep)
        self._audit.record(caller.db, "password_changed", by=caller, details={"sessions": len(ended)})
        await send_notice(caller.db, caller.user.id, Notice.PASSWORD_CHANGED)

    async def ask_reset(self, visitor: Visitor, email: str, *, device_secret: str | None) -> None:
        """Send a link, if there is somebody to send it to. What is written is the same in every case."""
        await self._limits.attempt_from(visitor.client)
        known = device_secret is not None and await devices.is_known_to(visitor.db, hash_secret(device_secret), email)
        await self._limits.mail_to(email, known_browser=known)
        await self.send_reset(visitor, await users.find_id(visitor.db, email))

    async def send_reset(self, visitor: Visitor, user_id: UserId | None) -> None:
        """Prepare the link; the mail job finds nobody to write to without a user, or if they are blocked."""
        now = clock.now()
        token_id = one_time_tokens.add(
            visitor.db,
            RESET,
            authority=LOCAL,
            user_id=user_id,
            payload={"mail": LinkMail.PASSWORD_RESET, "origin": origin_of(visitor.client)},
            now=now,
            expires_at=now + self._settings.reset_lifetime,
        )
        self._audit.record(visitor.db, "password_reset_asked", by=visitor, user_id=user_id)
        await visitor.db.flush()
        await send_link(visitor.db, token_id)

    async def reset(self, visitor: Visitor, secret: str, password: str) -> None:
        """Use the link: a new password, and every session ends. Signs nobody in. Raises LinkNotValid, WeakPassword."""
        await self._limits.attempt_from(visitor.client)
        async with self._database.session() as session:  # no connection is held while the password is hashed
            token = await one_time_tokens.find_open(session, RESET, hash_secret(secret), clock.now())
            user = await users.find_user(session, token.user_id) if token and token.user_id else None
        if user is None:
            raise LinkNotValid(pointer="/token")
        check_password(self._passwords, password, user.email)
        hashed = await self._passwords.hash(password)
        db = visitor.db
        locked = await users.lock_user(db, user.id)  # before the link: whoever ends links has locked their user
        used = await one_time_tokens.consume(db, RESET, hash_secret(secret), clock.now())
        if used is None or locked is None or locked.state == "disabled":
            raise LinkNotValid(pointer="/token")
        await self._replace(visitor, locked, hashed, "password_reset_done")

    async def replace_as_operator(self, email: str, password: str) -> UserId:
        """For the command line: a new password, and every session ends. Raises UserNotFound, WeakPassword."""
        check_password(self._passwords, password, email)
        hashed = await self._passwords.hash(password)
        now = clock.now()
        async with self._database.system_session() as session:
            account = await users.find_account(session, email)
            user = await users.lock_user(session, account.user.id) if account else None
            if user is None:
                raise UserNotFound
            user.ver += 1
            user_id = UserId(user.id)
            await users.set_password(session, user_id, hashed, now)
            await session_repository.revoke_of_user(session, user_id, "password_reset", now)
            await devices.revoke_of_user(session, user_id, now)
            await one_time_tokens.revoke_open(session, user_id, _ASKED_BEFORE, now)
            subject = Subject("user", user_id)
            self._audit.record(session, "password_reset_done", by=None, user_id=user_id, subject=subject)
            await send_notice(session, user_id, Notice.PASSWORD_CHANGED)
        return user_id

    async def _replace(self, visitor: Visitor, user: User, hashed: str, code: str) -> None:
        user_id = UserId(user.id)
        now = clock.now()
        await users.set_password(visitor.db, user_id, hashed, now)
        ended = await self._sessions.end_all_of(visitor, user, "password_reset")
        await devices.revoke_of_user(visitor.db, user_id, now)
        await one_time_tokens.revoke_open(visitor.db, user_id, _ASKED_BEFORE, now)
        await registrations.drop_for(visitor.db, user.email)
        subject = Subject("user", user_id)
        details = {"sessions": ended}
        self._audit.record(visitor.db, code, by=visitor, user_id=user_id, subject=subject, details=details)
        await send_notice(visitor.db, user_id, Notice.PASSWORD_CHANGED)
