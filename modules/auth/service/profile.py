"""What people see and change about themselves, what they can take with them, and leaving."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.account_errors import LastSysadmin, UserNotFound
from modules.auth.models import User
from modules.auth.repository import devices, one_time_tokens, users
from modules.auth.repository import sessions as session_repository
from modules.auth.repository.api_keys import API_KEY
from modules.auth.schemas.accounts import ProfilePatch, UserRead
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.recent import demand_recent
from modules.auth.service.sessions import read_session
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller
from modules.shared.database import Database
from modules.shared.ids import UserId
from modules.shared.versions import ExpectedVersions, require_version


class PersonalRecords(Protocol):
    """What another feature keeps about a person."""

    name: str

    async def of(self, caller: Caller) -> object:
        """The caller's own records, as JSON can carry them."""
        ...


class Departure(Protocol):
    """Something a person cannot leave behind."""

    async def check(self, session: AsyncSession, user_id: UserId) -> None:
        """Raise a Conflict that says what must be handed over first.

        `session` works across mandates and is the transaction in which the person leaves; what the answer rests on is
        locked until it ends.
        """
        ...


class ProfileService:
    """The signed-in person's own account."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        settings: AuthSettings,
        *,
        records: Sequence[PersonalRecords] = (),
        departures: Sequence[Departure] = (),
    ) -> None:
        self._database = database
        self._audit = audit
        self._settings = settings
        self._records = records
        self._departures = departures

    async def get(self, caller: Caller) -> UserRead:
        """The caller's profile."""
        return UserRead.model_validate(await self._own(caller))

    async def change(self, caller: Caller, patch: ProfilePatch, expected: ExpectedVersions) -> UserRead:
        """Change what the patch names. Raises PreconditionFailed when the profile was changed meanwhile."""
        user = await users.lock_user(caller.db, caller.user.id)
        if user is None:
            raise UserNotFound
        require_version(user.version, expected)
        changes = {name: value for name, value in patch.changes().items() if getattr(user, name) != value}
        for name, value in changes.items():
            setattr(user, name, value)
        if changes:
            user.version += 1
            self._audit.record(caller.db, "profile_changed", by=caller, details={"fields": sorted(changes)})
        await caller.db.flush()
        return UserRead.model_validate(user)

    async def export(self, caller: Caller) -> dict[str, Any]:
        """Everything kept about the caller: the profile, sessions, known browsers, and what other features add."""
        found = await session_repository.list_open(caller.db, caller.user.id, clock.now())
        known = await devices.list_of_user(caller.db, caller.user.id)
        sessions = [read_session(session, caller.login.session_id).model_dump(mode="json") for session in found]
        return {
            "user": (await self.get(caller)).model_dump(mode="json"),
            "sessions": sessions,
            "known_browsers": [{"since": device.created_at.isoformat()} for device in known],
            **{records.name: await records.of(caller) for records in self._records},
        }

    async def leave(self, caller: Caller) -> UserRead:
        """Have the account erased after the grace; every session ends, and signing in before then keeps it.

        Raises StepUpRequired, LastSysadmin, and what the features' departures raise. Asking whether somebody may leave
        and their leaving are one transaction, of the system login: it sees every mandate they are in.
        """
        await demand_recent(caller, self._settings.recent_login)
        async with self._database.system_session() as session:
            await users.lock_sysadmins(session)
            for departure in self._departures:
                await departure.check(session, caller.user.id)
            user = await users.lock_user(session, caller.user.id)
            if user is None:
                raise UserNotFound
            if user.is_sysadmin and not await users.has_other_sysadmin(session, user.id):
                raise LastSysadmin
            return await self._leave(session, caller, user)

    async def _leave(self, session: AsyncSession, caller: Caller, user: User) -> UserRead:
        now = clock.now()
        user.delete_after = now + self._settings.account_deletion_grace
        user.version += 1
        user.ver += 1  # ends every access token, as the sessions end
        await session.flush()
        await session_repository.revoke_of_user(session, caller.user.id, "account_deletion", now)
        await one_time_tokens.revoke_open(session, caller.user.id, (API_KEY, *one_time_tokens.BEGUN), now)
        subject = Subject("user", user.id)
        details = {"delete_after": user.delete_after.isoformat()}
        self._audit.record(session, "account_deletion_asked", by=caller, subject=subject, details=details)
        await send_notice(session, caller.user.id, Notice.DELETION)
        return UserRead.model_validate(user)

    async def _own(self, caller: Caller) -> User:
        user = await users.find_user(caller.db, caller.user.id)
        if user is None:
            raise UserNotFound
        return user
