"""A person's factors together: listed by themselves, taken along, and removed for whoever lost them."""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.account_errors import SysadminProtected, UserNotFound
from modules.auth.repository import backup_codes, one_time_tokens, passkeys, second_factors, totp, users
from modules.auth.schemas.factors import FactorsRead, PasskeyRead
from modules.auth.service.entrance import PENDING_SIGN_IN
from modules.auth.service.last_factor import end_with_the_last
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.recent import demand_recent
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller, RequestContext
from modules.shared.database import Database
from modules.shared.ids import UserId


class OwnFactors:
    """What the caller has set up."""

    name = "factors"

    async def list_own(self, caller: Caller) -> FactorsRead:
        """Which there are; never their secrets."""
        db, user_id = caller.db, caller.user.id
        app = await totp.find(db, user_id)
        return FactorsRead(
            password=(await second_factors.of_user(db, user_id)).password,
            totp_since=app.confirmed_at if app else None,
            passkeys=len(await passkeys.list_of_user(db, user_id)),
            backup_codes_left=await backup_codes.count_unused(db, user_id),
        )

    async def of(self, caller: Caller) -> object:
        """As `PersonalRecords` of the profile asks."""
        found = await passkeys.list_of_user(caller.db, caller.user.id)
        return {
            **(await self.list_own(caller)).model_dump(mode="json"),
            "passkeys": [PasskeyRead.model_validate(each).model_dump(mode="json") for each in found],
        }


class FactorAdministration:
    """Helps a person who lost their factors, through the role `sysadmin`. Holders of the flag are out of its reach."""

    def __init__(self, database: Database, audit: AuditLog, settings: AuthSettings) -> None:
        self._database = database
        self._audit = audit
        self._settings = settings

    async def remove_all(self, context: RequestContext, user_id: UserId) -> None:
        """Remove passkeys, app and backup codes of somebody, who is told; sign-ins that wait for one end.

        Sessions stay. Raises StepUpRequired, UserNotFound, SysadminProtected.
        """
        await demand_recent(context, self._settings.recent_login)
        user = await users.lock_user(context.db, user_id)
        if user is None:
            raise UserNotFound
        if user.is_sysadmin and not context.user.is_sysadmin:
            raise SysadminProtected
        await self._remove(context.db, user_id, by=context)

    async def remove_as_operator(self, email: str) -> None:
        """For the command line, when nobody else can help. Raises UserNotFound."""
        async with self._database.system_session() as session:
            account = await users.find_account(session, email)
            user = await users.lock_user(session, account.user.id) if account else None
            if user is None:
                raise UserNotFound
            await self._remove(session, UserId(user.id), by=None)

    async def _remove(self, session: AsyncSession, user_id: UserId, *, by: RequestContext | None) -> None:
        removed = await second_factors.remove_all(session, user_id)
        await end_with_the_last(session, user_id)
        await one_time_tokens.revoke_open(session, user_id, (PENDING_SIGN_IN,), clock.now())
        if removed:
            concerned = None if by else user_id
            subject = Subject("user", user_id)
            self._audit.record(session, "factors_removed", by=by, subject=subject, user_id=concerned)
            await send_notice(session, user_id, Notice.FACTORS_REMOVED)
