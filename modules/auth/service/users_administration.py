"""Accounts as the operator's people see them: found, blocked, let in again, signed out, helped to a new password."""

from modules.audit.service import AuditLog, Subject
from modules.auth.account_errors import LastSysadmin, SysadminProtected, UserDisabled, UserNotFound
from modules.auth.errors import SessionNotFound
from modules.auth.models import User
from modules.auth.repository import sessions as session_repository
from modules.auth.repository import users
from modules.auth.schemas.accounts import UserRead
from modules.auth.schemas.sessions import SessionRead
from modules.auth.service.limits import AuthLimits
from modules.auth.service.password import PasswordService
from modules.auth.service.recent import demand_recent
from modules.auth.service.sessions import SessionService, read_session
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import RequestContext
from modules.shared.ids import SessionId, UserId
from modules.shared.pagination import Ordering, Page, PageQuery


class UsersAdministration:
    """All accounts of the installation, through the role `sysadmin`. Holders of the flag are out of its reach."""

    def __init__(
        self,
        sessions: SessionService,
        passwords: PasswordService,
        limits: AuthLimits,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._sessions = sessions
        self._passwords = passwords
        self._limits = limits
        self._audit = audit
        self._settings = settings

    async def list_users(
        self, context: RequestContext, query: PageQuery, sort: str, *, text: str | None, state: str | None
    ) -> Page[UserRead]:
        """A page of the accounts whose address, name or slug contains the text."""
        ordering = Ordering.choose(sort, {"created_at": User.created_at, "email": User.email}, User.id)
        found, cursor = await users.read_users(context.db, query, ordering, text_in=text, state=state)
        return Page(items=[UserRead.model_validate(user) for user in found], next_cursor=cursor)

    async def get(self, context: RequestContext, user_id: UserId) -> UserRead:
        """One account. Raises UserNotFound."""
        user = await users.find_user(context.db, user_id)
        if user is None:
            raise UserNotFound
        return UserRead.model_validate(user)

    async def disable(self, context: RequestContext, user_id: UserId) -> UserRead:
        """Block an account: effective on the next request.

        Raises StepUpRequired, UserNotFound, SysadminProtected, LastSysadmin.
        """
        await demand_recent(context, self._settings.recent_login)
        await users.lock_sysadmins(context.db)
        user = await self._within_reach(context, user_id)
        if user.state != "disabled":
            if user.is_sysadmin and not await users.has_other_sysadmin(context.db, user_id):
                raise LastSysadmin
            user.state = "disabled"
            user.version += 1
            ended = await self._sessions.end_all_of(context, user, "disabled")
            self._record(context, "user_disabled", user, sessions=ended)
        return UserRead.model_validate(user)

    async def enable(self, context: RequestContext, user_id: UserId) -> UserRead:
        """Let a blocked account in again; it is `active` from its next entry into a mandate."""
        user = await self._within_reach(context, user_id)
        if user.state == "disabled":
            user.state = "verified"
            user.version += 1
            await context.db.flush()
            self._record(context, "user_enabled", user)
        return UserRead.model_validate(user)

    async def end_sessions(self, context: RequestContext, user_id: UserId) -> int:
        """Sign somebody out everywhere; how many sessions stood. Raises StepUpRequired."""
        await demand_recent(context, self._settings.recent_login)
        user = await self._within_reach(context, user_id)
        ended = await self._sessions.end_all_of(context, user, "ended_by_operator")
        self._record(context, "sessions_ended", user, sessions=ended)
        return ended

    async def list_sessions(self, context: RequestContext, user_id: UserId) -> list[SessionRead]:
        """Somebody's sessions that stand."""
        await self.get(context, user_id)
        found = await session_repository.list_open(context.db, user_id, clock.now())
        return [read_session(session, context.login.session_id) for session in found]

    async def end_session(self, context: RequestContext, user_id: UserId, session_id: SessionId) -> None:
        """End one session of somebody. Raises StepUpRequired, SessionNotFound."""
        await demand_recent(context, self._settings.recent_login)
        await self._within_reach(context, user_id)
        found = await session_repository.find_open(context.db, session_id, clock.now())
        if found is None or found.user_id != user_id:
            raise SessionNotFound
        await session_repository.revoke(context.db, [session_id], "ended_by_operator", clock.now())
        subject = Subject("session", session_id)
        self._audit.record(context.db, "session_revoked", by=context, user_id=context.user.id, subject=subject)

    async def start_reset(self, context: RequestContext, user_id: UserId) -> None:
        """Send somebody the mail to choose a new password. Raises StepUpRequired, UserDisabled, TooManyRequests."""
        await demand_recent(context, self._settings.recent_login)
        user = await self._within_reach(context, user_id)
        if user.state == "disabled":
            raise UserDisabled
        await self._limits.mail_by_operator(user.email)
        await self._passwords.send_reset(context, UserId(user.id))

    async def _within_reach(self, context: RequestContext, user_id: UserId) -> User:
        user = await users.lock_user(context.db, user_id)
        if user is None:
            raise UserNotFound
        if user.is_sysadmin and not context.user.is_sysadmin:
            raise SysadminProtected
        return user

    def _record(self, context: RequestContext, code: str, user: User, **details: object) -> None:
        self._audit.record(context.db, code, by=context, subject=Subject("user", user.id), details=details)
