"""Changing one's mail address: it counts when the new one is proven, and the old one can take it back for a while.

The link to the new address proves that a mail was read, not who read it: mail scanners open links too and press every
button. It counts in the browser that asked, or where the same person is signed in, and while the session that asked
stands. Otherwise anybody's address could be made that of somebody else's account, or of one that was signed out
everywhere since.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.auth.account_errors import EmailTaken
from modules.auth.errors import InvalidToken
from modules.auth.keys import hash_secret
from modules.auth.models import Token, User
from modules.auth.repository import devices, identities, one_time_tokens, registrations, second_factors, standing, users
from modules.auth.repository import sessions as session_repository
from modules.auth.service.issuing import TokenIssuer
from modules.auth.service.limits import AuthLimits
from modules.auth.service.magic_links import flow_name
from modules.auth.service.mail_texts import LinkMail
from modules.auth.service.mails import send_link
from modules.auth.service.password import RESET, PasswordService
from modules.auth.service.recent import demand_recent
from modules.auth.service.registration import VERIFICATION
from modules.auth.service.sessions import SessionService
from modules.auth.service.sign_in_proof import LOCAL, MAGIC_LINK
from modules.auth.settings import AuthSettings
from modules.auth.sign_in_errors import AskingBrowserRequired, LinkNotValid
from modules.auth.signed_tokens import SignedTokens
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.database import Database
from modules.shared.ids import SessionId, UserId

TAKE_BACK: Final = "email_take_back"


class EmailAddressService:
    """Changes addresses and takes changes back."""

    def __init__(
        self,
        database: Database,
        issuer: TokenIssuer,
        tokens: SignedTokens,
        sessions: SessionService,
        passwords: PasswordService,
        limits: AuthLimits,
        audit: AuditLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._issuer = issuer
        self._tokens = tokens
        self._sessions = sessions
        self._passwords = passwords
        self._limits = limits
        self._audit = audit
        self._settings = settings

    async def ask_change(self, caller: Caller, email: str, *, flow: str | None) -> None:
        """Send a link to the new address, for the browser of this flow, if there is one. Whether somebody has the
        address is not told before it is proven.
        """
        await demand_recent(caller, self._settings.recent_login)
        await self._limits.mail_to(email)
        now = clock.now()
        await one_time_tokens.revoke_open(caller.db, caller.user.id, (VERIFICATION,), now)
        token_id = one_time_tokens.add(
            caller.db,
            VERIFICATION,
            authority=LOCAL,
            user_id=caller.user.id,
            payload={
                "mail": LinkMail.EMAIL_CHANGE,
                "email": email,
                "flow": flow_name(flow) if flow else None,
                one_time_tokens.ASKED_IN: str(caller.login.session_id),
            },
            now=now,
            expires_at=now + self._settings.registration_lifetime,
        )
        self._audit.record(caller.db, "email_change_asked", by=caller)
        await caller.db.flush()
        await send_link(caller.db, token_id)

    async def is_change(self, secret: str) -> bool:
        """Whether the link proves a changed address, and not a registration."""
        async with self._database.session() as session:
            token = await one_time_tokens.find_open(session, VERIFICATION, hash_secret(secret), clock.now())
        return token is not None and token.payload.get("mail") == LinkMail.EMAIL_CHANGE

    async def prove_change(self, visitor: Visitor, secret: str, *, flow: str | None, access: Sequence[str]) -> None:
        """Use the link: the new address counts, and the old one gets a way back.

        `flow` and `access` are what the browser shows: that it asked, or who is signed in there. Raises LinkNotValid,
        AskingBrowserRequired, EmailTaken; a refusal uses nothing up.
        """
        await self._limits.attempt_from(visitor.client)
        found = await one_time_tokens.find_open(visitor.db, VERIFICATION, hash_secret(secret), clock.now())
        if found is None:
            raise LinkNotValid(pointer="/token")
        asked_here = flow is not None and found.payload["flow"] == flow_name(flow)
        if not (asked_here or await self._is_signed_in(visitor, found.user_id, access)):
            raise AskingBrowserRequired
        user, token = await self._use(visitor, VERIFICATION, secret)
        asking = SessionId(UUID(token.payload[one_time_tokens.ASKED_IN]))
        if await session_repository.find_open(visitor.db, asking, clock.now()) is None:
            raise LinkNotValid(pointer="/token")
        former, email = user.email, str(token.payload["email"])
        await self._rename(visitor, user, email)
        await self._offer_take_back(visitor, user, former)
        self._record(visitor, "email_changed", user)

    async def take_back(self, visitor: Visitor, secret: str) -> None:
        """Use the old address's link: it is the account's again, and whoever changed it has no way in any more.

        Every session ends; known browsers, open links, API keys, second factors, connected sign-ins and the password
        are gone, and the owner is sent a link to choose another. Raises LinkNotValid.
        """
        await self._limits.attempt_from(visitor.client)
        user, token = await self._use(visitor, TAKE_BACK, secret)
        await self._rename(visitor, user, str(token.payload["email"]))
        ended = await self._shut_out(visitor, user, token.issued_at)
        self._record(visitor, "email_taken_back", user, sessions=ended)
        await self._passwords.send_reset(visitor, UserId(user.id))

    async def _shut_out(self, visitor: Visitor, user: User, since: datetime) -> int:
        """Close every way in that whoever changed the address may have opened, before they changed it or since; how
        many sessions ended. Whose a factor is cannot be told: the thief's would stay, and lock the owner out.
        """
        db, now, user_id = visitor.db, clock.now(), UserId(user.id)
        ended = await self._sessions.end_all_of(visitor, user, "email_taken_back")
        await devices.revoke_of_user(db, user_id, now)
        await users.forget_password(db, user_id)
        await second_factors.remove_all(db, user_id)
        await identities.remove_all(db, user_id)
        await one_time_tokens.revoke_all_open_but(db, user_id, TAKE_BACK, now)
        # They went through other addresses, perhaps, and must not get one of those back. Links to earlier ones stay:
        # an owner must not lose theirs to whoever was quicker.
        await one_time_tokens.revoke_issued_since(db, user_id, TAKE_BACK, since, now)
        return ended

    async def _use(self, visitor: Visitor, purpose: str, secret: str) -> tuple[User, Token]:
        """The link, used up, and its user, locked before it: whoever ends links has locked their user."""
        hashed = hash_secret(secret)
        found = await one_time_tokens.find_open(visitor.db, purpose, hashed, clock.now())
        user = await users.lock_user(visitor.db, found.user_id) if found and found.user_id else None
        token = await one_time_tokens.consume(visitor.db, purpose, hashed, clock.now())
        if token is None or user is None or user.state == "disabled":
            raise LinkNotValid(pointer="/token")
        return user, token

    async def _is_signed_in(self, visitor: Visitor, user_id: UUID | None, access: Sequence[str]) -> bool:
        """Whether one of these access tokens holds, and is this person's."""
        await self._issuer.ring(visitor.db)
        for text in access:
            try:
                claims = self._tokens.verify(text)
            except InvalidToken:
                continue
            now = clock.now()
            token = await standing.find_access_token(visitor.db, claims.token_id, now)
            found = await standing.find_session(visitor.db, claims.session_id, now)
            if token and found and found.user.id == user_id and found.user.ver == claims.ver:
                return True
        return False

    async def _rename(self, visitor: Visitor, user: User, email: str) -> None:
        """Links sent to the address that goes prove nothing any more; nor do registrations of the one that comes."""
        db, now = visitor.db, clock.now()
        user_id = UserId(user.id)
        await users.lock_accounts(db)
        owner = await users.find_owner(db, email, now)
        if owner not in {None, user_id}:
            raise EmailTaken
        user.email = email
        user.version += 1
        await db.flush()
        await one_time_tokens.revoke_open(db, user_id, (VERIFICATION, RESET, MAGIC_LINK), now)
        await registrations.drop_for(db, email)

    async def _offer_take_back(self, visitor: Visitor, user: User, former: str) -> None:
        now = clock.now()
        token_id = one_time_tokens.add(
            visitor.db,
            TAKE_BACK,
            authority=LOCAL,
            user_id=user.id,
            payload={"mail": LinkMail.EMAIL_TAKE_BACK, "email": former},
            now=now,
            expires_at=now + self._settings.email_change_take_back,
        )
        await visitor.db.flush()
        await send_link(visitor.db, token_id)

    def _record(self, visitor: Visitor, code: str, user: User, **details: object) -> None:
        user_id = UserId(user.id)
        subject = Subject("user", user_id)
        self._audit.record(
            visitor.db, code, by=visitor, user_id=user_id, email=user.email, subject=subject, details=details
        )
