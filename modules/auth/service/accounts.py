"""How a person appears: proven address, password, and for the very first one the rights of the installation.

Written in a transaction of `mandate_system`, because neither the flag nor a mandate is ever made by a request's login.
"""

from dataclasses import dataclass
import hmac
import secrets
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, Subject
from modules.auth.account_errors import EmailTaken, SetUpCodeRequired
from modules.auth.keys import hash_secret, new_secret
from modules.auth.mode_errors import SingleUserMode
from modules.auth.models import User
from modules.auth.passwords import Passwords
from modules.auth.repository import installation, registrations, users
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.database import Database
from modules.shared.i18n import Language
from modules.shared.ids import MandateId, UserId, new_id

_SLUG_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_LOCAL_ADDRESS: Final = "local-user@localhost.invalid"
"""No mail ever arrives there (RFC 2606, section 2); the upgrade puts a real one in its place."""
_LOCAL_NAME: Final = "Local user"
_LOCAL_HOME: Final = "Home"


class FirstAccount(Protocol):
    """Gives the first account its place among the operators."""

    async def welcome(self, session: AsyncSession, user_id: UserId) -> None:
        """Make the user a member of the root mandate with the role `sysadmin`; `session` is the system login's."""
        ...


class NewAccountHome(Protocol):
    """Gives every new account the place that `[auth] registration_home` names."""

    async def settle(self, session: AsyncSession, user_id: UserId, display_name: str) -> MandateId | None:
        """Make the user a member of that mandate, or the administrator of one of their own; in this transaction. The
        mandate they find themselves in.
        """
        ...


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person whose address is proven; without a password they come in another way."""

    email: str
    password_hash: str | None
    display_name: str = ""
    language: Language | None = None


class AccountService:
    """Makes accounts; used by registration and by the operator at the command line."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        audit: AuditLog,
        first_account: FirstAccount,
        home: NewAccountHome,
        *,
        needs_set_up_code: bool,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._audit = audit
        self._first_account = first_account
        self._home = home
        self._needs_set_up_code = needs_set_up_code

    async def open(
        self, session: AsyncSession, account: NewAccount, *, set_up_code: str | None, by: Visitor | None
    ) -> User:
        """Make the account; the first of the installation becomes sysadmin. `session` is the system login's.

        Whoever else registered this address is forgotten. Raises EmailTaken, SetUpCodeRequired, SingleUserMode.
        """
        await users.lock_accounts(session)
        first = not await users.any_user(session)
        if first and self._needs_set_up_code:
            await _demand_code(session, set_up_code)
        user = await self._add(session, account, is_sysadmin=first)
        user_id = UserId(user.id)
        subject = Subject("user", user_id)
        self._audit.record(session, "registered", by=by, subject=subject, user_id=user_id, email=user.email)
        if first:
            await installation.set_set_up_code_hash(session, None)
            await self._first_account.welcome(session, user_id)
            self._audit.record(session, "sysadmin_given", by=by, subject=subject, user_id=user_id)
        user.home_mandate_id = await self._home.settle(session, user_id, user.display_name)
        return user

    async def open_local(self, session: AsyncSession, home: NewAccountHome) -> User:
        """The user of single-user mode: sysadmin, and settled in `home`. `session` is the system login's, and nobody
        has an account yet.
        """
        user = await self._add(session, NewAccount(_LOCAL_ADDRESS, None, _LOCAL_NAME), is_sysadmin=True)
        user_id = UserId(user.id)
        subject = Subject("user", user_id)
        self._audit.record(session, "registered", by=None, subject=subject, user_id=user_id)
        await self._first_account.welcome(session, user_id)
        self._audit.record(session, "sysadmin_given", by=None, subject=subject, user_id=user_id)
        user.home_mandate_id = await home.settle(session, user_id, _LOCAL_HOME)
        return user

    async def create_sysadmin(self, email: str, password: str, display_name: str = "") -> UserId:
        """For the operator: an account with flag and role, its address taken as proven.

        Raises WeakPassword, EmailTaken, SingleUserMode.
        """
        self._passwords.check(password, mail=email)
        account = NewAccount(email, await self._passwords.hash(password), display_name)
        async with self._database.system_session() as session:
            await users.lock_accounts(session)
            user = await self._add(session, account, is_sysadmin=True)
            user_id = UserId(user.id)
            await installation.set_set_up_code_hash(session, None)
            await self._first_account.welcome(session, user_id)
            subject = Subject("user", user_id)
            self._audit.record(session, "sysadmin_given", by=None, subject=subject, user_id=user_id, email=email)
        return user_id

    async def new_set_up_code(self) -> str | None:
        """The code to print at the start: replaces an earlier one. None when it is not needed (any more)."""
        if not self._needs_set_up_code:
            return None
        async with self._database.system_session() as session:
            await users.lock_accounts(session)
            if await users.any_user(session):
                return None
            code = new_secret()
            await installation.set_set_up_code_hash(session, hash_secret(code))
        return code

    async def needs_first_account(self, session: AsyncSession) -> bool:
        """Whether nobody has an account yet."""
        return not await users.any_user(session)

    @property
    def needs_set_up_code(self) -> bool:
        """Whether the first account must enter the printed code."""
        return self._needs_set_up_code

    async def _add(self, session: AsyncSession, account: NewAccount, *, is_sysadmin: bool) -> User:
        if (await installation.local_user(session)).stands:
            raise SingleUserMode
        now = clock.now()
        if await users.find_owner(session, account.email, now) is not None:
            raise EmailTaken
        user = User(
            id=new_id(),
            slug=await _free_slug(session),
            email=account.email,
            display_name=account.display_name,
            language=account.language,
            time_zone="UTC",
            state="verified",
            is_sysadmin=is_sysadmin,
            ver=1,
            version=1,
            created_at=now,
        )
        session.add(user)
        await session.flush()
        if account.password_hash is not None:
            await users.set_password(session, user.id, account.password_hash, now)
        await registrations.drop_for(session, account.email)
        return user


async def _demand_code(session: AsyncSession, code: str | None) -> None:
    expected = await installation.set_up_code_hash(session)
    if code is None or expected is None or not hmac.compare_digest(hash_secret(code), expected):
        raise SetUpCodeRequired(pointer="/set_up_code")


async def _free_slug(session: AsyncSession) -> str:
    while True:
        slug = "u-" + "".join(secrets.choice(_SLUG_ALPHABET) for _ in range(8))
        if await users.is_slug_free(session, slug):
            return slug
