"""Who holds the sysadmin flag. Only holders give and take it, all of them are told, and one always stays.

The flag is written by the system login: no request's login can, so a mistake in any other route cannot give it.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.account_errors import LastSysadmin, UserDisabled, UserNotFound
from modules.auth.models import User
from modules.auth.repository import users
from modules.auth.schemas.accounts import UserRead
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.recent import demand_recent
from modules.auth.settings import AuthSettings
from modules.shared.context import Caller
from modules.shared.database import Database
from modules.shared.ids import UserId


class SysadminService:
    """Gives and takes the flag."""

    def __init__(self, database: Database, audit: AuditLog, settings: AuthSettings) -> None:
        self._database = database
        self._audit = audit
        self._settings = settings

    async def list_holders(self, caller: Caller) -> list[UserRead]:
        """Everybody who holds it and can sign in."""
        return [UserRead.model_validate(user) for user in await users.list_sysadmins(caller.db)]

    async def give(self, caller: Caller, user_id: UserId) -> UserRead:
        """Make somebody sysadmin. Raises StepUpRequired, UserNotFound, UserDisabled."""
        await demand_recent(caller, self._settings.recent_login)
        async with self._database.system_session() as session:
            user = await self._locked(session, user_id)
            if user.state == "disabled":
                raise UserDisabled
            if not user.is_sysadmin:
                user.is_sysadmin = True
                await self._changed(session, caller, user, "sysadmin_given", Notice.SYSADMIN_GIVEN)
            return UserRead.model_validate(user)

    async def take(self, caller: Caller, user_id: UserId) -> UserRead:
        """Take the flag from somebody. Raises StepUpRequired, UserNotFound, LastSysadmin."""
        await demand_recent(caller, self._settings.recent_login)
        async with self._database.system_session() as session:
            user = await self._locked(session, user_id)
            if user.is_sysadmin:
                if not await users.has_other_sysadmin(session, user_id):
                    raise LastSysadmin
                user.is_sysadmin = False
                await self._changed(session, caller, user, "sysadmin_taken", Notice.SYSADMIN_TAKEN, told=[user])
            return UserRead.model_validate(user)

    async def _locked(self, session: AsyncSession, user_id: UserId) -> User:
        await users.lock_sysadmins(session)
        user = await users.lock_user(session, user_id)
        if user is None:
            raise UserNotFound
        return user

    async def _changed(
        self,
        session: AsyncSession,
        caller: Caller,
        user: User,
        code: str,
        notice: Notice,
        *,
        told: list[User] | None = None,
    ) -> None:
        """Write it down and tell every holder, and whoever was one."""
        user.version += 1
        await session.flush()
        self._audit.record(session, code, by=caller, subject=Subject("user", user.id))
        for holder in [*await users.list_sysadmins(session), *(told or ())]:
            await send_notice(session, UserId(holder.id), notice, UserId(user.id))
