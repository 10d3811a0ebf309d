"""Signing in by a link or a code of a mail, and signing up the same way.

Opening the link uses nothing up; what this takes is a person's click. Mail scanners open links too, in real browsers,
and press every button: therefore the link alone counts only in the browser that asked for it. In any other the six
digits of the same mail go with it. The longer code counts without the link, in the asking browser only.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog, RefusalLog, Subject
from modules.auth.account_errors import EmailTaken
from modules.auth.keys import hash_secret
from modules.auth.models import Token, User
from modules.auth.repository import devices, magic_links, one_time_tokens, registrations, users
from modules.auth.schemas.magic_links import MagicLinkProof
from modules.auth.service.accounts import AccountService, NewAccount
from modules.auth.service.entrance import Entrance, PendingSignIn
from modules.auth.service.issuing import OpenedSession
from modules.auth.service.limits import AuthLimits
from modules.auth.service.magic_links import flow_name
from modules.auth.service.mail_codes import CodeKind, MailCodes
from modules.auth.service.sign_in_proof import MAGIC_LINK, ONE_TIME, SignInProof
from modules.auth.settings import AuthSettings
from modules.auth.sign_in_errors import CodeNotValid, CodeRequired, LinkNotValid, MagicLinkExpired, MagicLinkOff
from modules.shared import clock
from modules.shared.context import Visitor
from modules.shared.database import Database
from modules.shared.errors import DomainError
from modules.shared.i18n import negotiate_language
from modules.shared.ids import TokenId, UserId


class MagicLinkSignIn:
    """Turns a link into a session. `tries` is how often a code of one link may be tried."""

    def __init__(
        self,
        database: Database,
        codes: MailCodes,
        accounts: AccountService,
        entrance: Entrance,
        limits: AuthLimits,
        audit: AuditLog,
        refusals: RefusalLog,
        settings: AuthSettings,
        *,
        tries: int,
    ) -> None:
        self._database = database
        self._codes = codes
        self._accounts = accounts
        self._entrance = entrance
        self._limits = limits
        self._audit = audit
        self._refusals = refusals
        self._settings = settings
        self._tries = tries

    async def sign_in(
        self, visitor: Visitor, proof: MagicLinkProof, *, flow: str | None, device_secret: str | None
    ) -> OpenedSession | PendingSignIn:
        """A session for whoever reads the mails of the link's address; their account is made if there is none.

        Raises MagicLinkOff, LinkNotValid, CodeRequired, CodeNotValid, SetUpCodeRequired, TooManyRequests. Nothing but a
        wrong code is used up by a refusal.
        """
        if not self._settings.magic_link:
            raise MagicLinkOff
        await self._limits.attempt_from(visitor.client)
        asked_by = flow_name(flow) if flow else None
        if proof.token is not None:
            token = await self._by_link(visitor, proof.token, proof.code, asked_by, device_secret)
        else:
            token = await self._by_code(visitor, proof.code or "", asked_by, device_secret)
        user = await self._use(visitor, token, proof.set_up_code)
        await registrations.drop_for(visitor.db, user.email)
        subject = Subject("token", token.id)
        self._audit.record(visitor.db, "magic_link_used", by=visitor, user_id=UserId(user.id), subject=subject)
        shown = SignInProof(MAGIC_LINK, (ONE_TIME,), email=user.email)
        return await self._entrance.admit(visitor, user, shown, device_secret=device_secret)

    async def _by_link(
        self, visitor: Visitor, secret: str, code: str | None, asked_by: str | None, device_secret: str | None
    ) -> Token:
        async with self._database.session() as session:
            token = await magic_links.find(session, hash_secret(secret))
        if token is None or token.used_at is not None or token.revoked_at is not None:
            raise LinkNotValid(pointer="/token")
        if token.expires_at <= clock.now():
            raise self._refused(visitor, MagicLinkExpired(pointer="/token"), token)
        if token.payload["flow"] != asked_by:
            if code is None:
                raise CodeRequired(pointer="/code")
            await self._demand(visitor, token, CodeKind.WITH_LINK, code, device_secret)
        return token

    async def _by_code(self, visitor: Visitor, code: str, asked_by: str | None, device_secret: str | None) -> Token:
        async with self._database.session() as session:
            token = asked_by and await magic_links.find_open_in_flow(session, asked_by, clock.now())
        if not token:
            raise CodeNotValid(pointer="/code")
        await self._demand(visitor, token, CodeKind.ALONE, code, device_secret)
        return token

    async def _demand(
        self, visitor: Visitor, token: Token, kind: CodeKind, code: str, device_secret: str | None
    ) -> None:
        """Try a code. The try is taken, and committed, before the code is looked at."""
        email = token.payload["email"]
        async with self._database.session() as session:
            known = device_secret is not None and await devices.is_known_to(session, hash_secret(device_secret), email)
        await self._limits.code_for(kind, email, known_browser=known)
        async with self._database.session() as session:
            may_try = await magic_links.take_try(session, TokenId(token.id), self._tries)
        async with self._database.session() as session:
            matches = await self._codes.match(session, token, kind, code)
        if may_try and matches:
            return
        if may_try:  # otherwise nothing was tried: one link must not use up what others of the recipient need
            await self._limits.code_failed(kind, email, known_browser=known)
        raise self._refused(visitor, CodeNotValid(pointer="/code"), token)

    async def _use(self, visitor: Visitor, token: Token, set_up_code: str | None) -> User:
        """The locked user of the link's address, the link used up. Of several at once exactly one gets it."""
        email = token.payload["email"]
        async with self._database.session() as session:
            user_id = await users.find_id(session, email)
        if user_id is None:  # before the request's own transaction: nothing waits for a second connection holding one
            user_id = await self._sign_up(visitor, token, set_up_code)
            user = await users.lock_user(visitor.db, user_id)
        else:
            user = await users.lock_user(visitor.db, user_id)  # first: whoever ends links has locked their user
            await _consume(visitor.db, token)
        meant = token.user_id in {None, user_id}  # the address may have gone to somebody else
        if user is None or user.state == "disabled" or user.email != email or not meant:
            raise LinkNotValid(pointer="/token")
        return user

    async def _sign_up(self, visitor: Visitor, token: Token, set_up_code: str | None) -> UserId:
        """The account of an address that had none, which the link has proven."""
        email = token.payload["email"]
        if token.user_id is not None or not token.payload["may_sign_up"]:
            raise LinkNotValid(pointer="/token")
        account = NewAccount(email, None, language=negotiate_language(None, token.payload["language"]))
        async with self._database.system_session() as session:
            await users.lock_accounts(session)
            await _consume(session, token)
            if (user_id := await users.find_id(session, email)) is not None:  # made by another link meanwhile
                return user_id
            try:
                user = await self._accounts.open(session, account, set_up_code=set_up_code, by=visitor)
            except EmailTaken as error:  # whoever left this address can still take it back
                raise LinkNotValid(pointer="/token") from error
            return UserId(user.id)

    def _refused(self, visitor: Visitor, error: DomainError, token: Token) -> DomainError:
        about = UserId(token.user_id) if token.user_id else None
        self._refusals.refused(error, user_id=None, mandate_id=None, client=visitor.client, subject_id=about)
        return error


async def _consume(session: AsyncSession, token: Token) -> None:
    """Use the link up. Of several at once exactly one passes."""
    if token.secret_hash is None or not await one_time_tokens.consume(
        session, magic_links.PURPOSE, token.secret_hash, clock.now()
    ):
        raise LinkNotValid(pointer="/token")
