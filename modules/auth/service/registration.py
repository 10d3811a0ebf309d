"""Registering: nothing exists before the address is proven, and nobody learns which addresses have accounts.

A registration is a pending row and a mail. The mail's link finishes it: by a click in the browser that registered, with
the password in any other, because mail programs and their scanners open links too. Proving an address forgets all other
registrations of it, so nobody can lie in wait with a password of their own. No connection is held while a password is
hashed.
"""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import hash_secret
from modules.auth.models import Registration, Token
from modules.auth.password_errors import WeakPassword
from modules.auth.passwords import Passwords
from modules.auth.repository import one_time_tokens, registrations, users
from modules.auth.schemas.accounts import RegisterRequest
from modules.auth.service.accounts import AccountService, NewAccount
from modules.auth.service.entrance import Entrance, PendingSignIn
from modules.auth.service.issuing import OpenedSession
from modules.auth.service.limits import AuthLimits
from modules.auth.service.mail_texts import LinkMail
from modules.auth.service.mails import send_link
from modules.auth.service.registration_policy import RegistrationPolicy
from modules.auth.service.sign_in_proof import LOCAL, PASSWORD, SignInProof
from modules.auth.settings import AuthSettings
from modules.auth.sign_in_errors import LinkNotValid, LoginFailed, PasswordRequired
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.database import Database
from modules.shared.i18n import Language, negotiate_language
from modules.shared.ids import UserId, new_id

VERIFICATION: Final = one_time_tokens.EMAIL_VERIFICATION


class RegistrationService:
    """Takes registrations and finishes them."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        accounts: AccountService,
        entrance: Entrance,
        limits: AuthLimits,
        policy: RegistrationPolicy,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._accounts = accounts
        self._entrance = entrance
        self._limits = limits
        self._policy = policy
        self._settings = settings

    async def register(self, visitor: Visitor, wanted: RegisterRequest, language: Language, *, flow: str) -> None:
        """Take a registration for the browser of this flow. The same rows in every case: whether the address has an
        account already is found out by the job that sends the mail.

        Raises RegistrationClosed, InvitationRequired, WeakPassword, TooManyRequests.
        """
        await self._limits.attempt_from(visitor.client)
        await self._policy.admit(wanted.email, wanted.invitation)
        check_password(self._passwords, wanted.password, wanted.email)
        await self._limits.mail_to(wanted.email)
        password_hash = await self._passwords.hash(wanted.password)
        await self._keep(visitor.db, wanted, password_hash, flow, language)

    async def verify(
        self, visitor: Visitor, secret: str, *, flow: str | None, password: str | None, set_up_code: str | None
    ) -> OpenedSession | PendingSignIn:
        """Finish a registration and sign in. Raises LinkNotValid, PasswordRequired, LoginFailed, SetUpCodeRequired."""
        await self._limits.attempt_from(visitor.client)
        async with self._database.session() as session:
            registration = await self._pending(session, secret)
        await self._prove_person(registration, hash_secret(secret), flow, password)
        account = NewAccount(
            registration.email,
            registration.password_hash,
            registration.display_name,
            negotiate_language(None, registration.language),
        )
        async with self._database.system_session() as session:
            if await one_time_tokens.consume(session, VERIFICATION, hash_secret(secret), clock.now()) is None:
                raise LinkNotValid(pointer="/token")
            if await registrations.find(session, registration.id, clock.now()) is None:
                raise LinkNotValid(pointer="/token")
            user_id = UserId((await self._accounts.open(session, account, set_up_code=set_up_code, by=visitor)).id)
        user = await users.lock_user(visitor.db, user_id)
        if user is None:
            raise LinkNotValid(pointer="/token")
        proof = SignInProof(LOCAL, (PASSWORD,), email=registration.email)
        return await self._entrance.admit(visitor, user, proof, device_secret=None)

    async def _keep(
        self, session: AsyncSession, wanted: RegisterRequest, password_hash: str, flow: str, language: Language
    ) -> None:
        now = clock.now()
        registration = Registration(
            id=new_id(),
            email=wanted.email,
            password_hash=password_hash,
            display_name=wanted.display_name,
            language=wanted.language or language,
            flow_hash=hash_secret(flow),
            invitation_hash=hash_secret(wanted.invitation) if wanted.invitation else None,
            created_at=now,
            expires_at=now + self._settings.registration_lifetime,
        )
        session.add(registration)
        token_id = one_time_tokens.add(
            session,
            VERIFICATION,
            authority=LOCAL,
            user_id=None,
            payload={"mail": LinkMail.REGISTRATION, "registration_id": str(registration.id)},
            now=now,
            expires_at=registration.expires_at,
        )
        await session.flush()
        await send_link(session, token_id)

    async def _pending(self, session: AsyncSession, secret: str) -> Registration:
        token = await one_time_tokens.find_open(session, VERIFICATION, hash_secret(secret), clock.now())
        registration = await _registration_of(session, token)
        if registration is None:
            raise LinkNotValid(pointer="/token")
        return registration

    async def _prove_person(
        self, registration: Registration, link_hash: bytes, flow: str | None, password: str | None
    ) -> None:
        if flow is not None and hash_secret(flow) == registration.flow_hash:
            return
        if password is None:
            raise PasswordRequired(pointer="/password")
        await self._limits.proof_of(link_hash)
        if not await self._passwords.verify(registration.password_hash, password):
            raise LoginFailed(pointer="/password")


def check_password(passwords: Passwords, password: str, email: str) -> None:
    """Refuse a weak password, pointing at the field."""
    try:
        passwords.check(password, mail=email)
    except WeakPassword as error:
        error.pointer = "/password"
        raise


async def _registration_of(session: AsyncSession, token: Token | None) -> Registration | None:
    registration_id = token.payload.get("registration_id") if token else None
    return await registrations.find(session, UUID(registration_id), clock.now()) if registration_id else None
