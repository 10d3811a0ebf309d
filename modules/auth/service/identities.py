"""The sign-ins at providers that belong to an account: listed, connected when the person says so, taken away."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from modules.audit.service import AuditLog, Subject
from modules.auth.identity_providers.provider import ProvenIdentity
from modules.auth.keys import hash_secret, is_secret, new_secret
from modules.auth.models import Identity, Token
from modules.auth.provider_errors import IdentityNotFound, IdentityTaken, LastSignInMethod, LinkOfferEnded
from modules.auth.repository import api_keys, identities, one_time_tokens, users
from modules.auth.repository import sessions as session_repository
from modules.auth.schemas.identities import IdentityList, IdentityRead, OfferedIdentity
from modules.auth.service.entrance import PENDING_SIGN_IN
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.provider_flows import FLOW, ProviderFlows
from modules.auth.service.recent import demand_recent
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.ids import UserId, new_id

_OFFER_LIFETIME: Final = timedelta(hours=1)
_OFFER: Final = "offer"


@dataclass(frozen=True, slots=True)
class LinkOffer:
    """An identity no account has waits for its person to sign in another way; `secret` is for that browser alone."""

    secret: str = field(repr=False)
    expires_at: datetime


class IdentityService:
    """The caller's identities."""

    def __init__(
        self, flows: ProviderFlows, audit: AuditLog, settings: AuthSettings, *, mailbox_signs_in: bool
    ) -> None:
        self._flows = flows
        self._audit = audit
        self._settings = settings
        self._mailbox_signs_in = mailbox_signs_in

    async def list_own(self, caller: Caller, offered: str | None) -> IdentityList:
        """The caller's, the oldest first, and the one that waits in this browser to be connected."""
        found = await identities.list_of_user(caller.db, caller.user.id)
        offer = await self._find_offer(caller, offered)
        return IdentityList(items=[self._read(each) for each in found], offered=self._offered(offer) if offer else None)

    def offer(self, visitor: Visitor, identity: ProvenIdentity) -> LinkOffer:
        """Keep a verified identity until its person has signed in and confirms; nobody's before `keep_for`."""
        now, secret = clock.now(), new_secret()
        expires_at = now + _OFFER_LIFETIME
        offered = {
            "issuer": identity.issuer,
            "subject": identity.subject,
            "tenant": identity.tenant,
            "email": identity.email,
            "proven_email": identity.proven_email,
        }
        one_time_tokens.add(
            visitor.db,
            FLOW,
            authority=identity.authority,
            user_id=None,
            payload={_OFFER: offered},
            now=now,
            expires_at=expires_at,
            secret_hash=hash_secret(secret),
        )
        return LinkOffer(secret, expires_at)

    async def keep_for(self, visitor: Visitor, offered: str, user_id: UUID) -> None:
        """Whoever is signed in, or signs in first after the offer, may have it and nobody after them: a browser can be
        shared.
        """
        if is_secret(offered):
            await visitor.db.flush()
            await one_time_tokens.claim(visitor.db, FLOW, hash_secret(offered), UserId(user_id), clock.now())

    async def withdraw(self, visitor: Visitor, offered: str) -> None:
        """Its person has left this browser."""
        if is_secret(offered):
            await one_time_tokens.drop(visitor.db, FLOW, hash_secret(offered))

    async def accept_offer(self, caller: Caller, offered: str | None) -> IdentityRead:
        """Connect the identity that waits in this browser. Raises StepUpRequired, LinkOfferEnded, IdentityTaken."""
        await demand_recent(caller, self._settings.recent_login)
        offer = await self._find_offer(caller, offered)
        if offer is None or offered is None:
            raise LinkOfferEnded
        await users.lock_user(caller.db, caller.user.id)
        if await one_time_tokens.consume(caller.db, FLOW, hash_secret(offered), clock.now()) is None:
            raise LinkOfferEnded
        identity = ProvenIdentity(offer.authority, **offer.payload[_OFFER])
        known = await identities.find(caller.db, identity.authority, identity.issuer, identity.subject)
        if known is not None and known.user_id != caller.user.id:
            raise IdentityTaken
        return self._read(known or await self.link(caller, caller.user.id, identity))

    async def link(self, visitor: Visitor, user_id: UserId, identity: ProvenIdentity) -> Identity:
        """Give an identity of nobody to a locked user, who is told by mail. Raises IdentityTaken if another request
        has given it to somebody else meanwhile.
        """
        made = new_identity(user_id, identity)
        try:
            async with visitor.db.begin_nested():
                visitor.db.add(made)
        except IntegrityError as error:
            raise IdentityTaken from error
        self._record(visitor, "identity_linked", user_id, made)
        await send_notice(visitor.db, user_id, Notice.IDENTITY_LINKED)
        return made

    async def unlink(self, caller: Caller, identity_id: UUID) -> None:
        """Take an identity away, with the sessions it opened and the API keys made in them.

        Raises StepUpRequired, IdentityNotFound, LastSignInMethod.
        """
        await demand_recent(caller, self._settings.recent_login)
        db, user_id, now = caller.db, caller.user.id, clock.now()
        await users.lock_user(db, user_id)
        found = await identities.find_of_user(db, user_id, identity_id)
        if found is None:
            raise IdentityNotFound
        ways = await identities.ways_in(db, user_id)
        if not (ways.password or ways.passkey or ways.identities > 1 or self._mailbox_signs_in):
            raise LastSignInMethod
        await session_repository.revoke(db, await identities.list_sessions_of(db, found.id), "identity_unlinked", now)
        for key_id, name in await api_keys.end_of_identity(db, found.id, now):
            subject = Subject(api_keys.API_KEY, key_id)
            self._audit.record(db, "api_key_ended", by=caller, subject=subject, details={"name": name})
        await one_time_tokens.revoke_open(db, user_id, (PENDING_SIGN_IN, FLOW), now)
        await db.delete(found)
        await db.flush()
        self._record(caller, "identity_unlinked", user_id, found)
        await send_notice(db, user_id, Notice.IDENTITY_UNLINKED)

    async def _find_offer(self, caller: Caller, secret: str | None) -> Token | None:
        if secret is None or not is_secret(secret):
            return None
        found = await one_time_tokens.find_open(caller.db, FLOW, hash_secret(secret), clock.now())
        is_own = found is not None and found.user_id == caller.user.id and _OFFER in found.payload
        return found if is_own else None

    def _offered(self, offer: Token) -> OfferedIdentity:
        return OfferedIdentity(
            provider=offer.authority,
            display_name=self._label(offer.authority),
            email=offer.payload[_OFFER]["email"],
            email_proven=offer.payload[_OFFER]["proven_email"] is not None,
            expires_at=offer.expires_at,
        )

    def _read(self, identity: Identity) -> IdentityRead:
        return IdentityRead(
            id=identity.id,
            provider=identity.authority,
            display_name=self._label(identity.authority),
            email=identity.email,
            linked_at=identity.linked_at,
            last_used_at=identity.last_used_at,
        )

    def _label(self, authority: str) -> str:
        client = self._flows.clients.get(authority)
        return client.provider.label if client else authority

    def _record(self, visitor: Visitor, code: str, user_id: UserId, identity: Identity) -> None:
        subject, details = Subject("identity", identity.id), {"provider": identity.authority, "issuer": identity.issuer}
        self._audit.record(visitor.db, code, by=visitor, user_id=user_id, subject=subject, details=details)


class IdentityRecords:
    """What is kept of a person about their sign-ins at providers, for their export."""

    name = "identities"

    async def of(self, caller: Caller) -> list[dict[str, Any]]:
        """The caller's own."""
        return [
            {
                "provider": each.authority,
                "issuer": each.issuer,
                "subject": each.subject,
                "tenant": each.tenant,
                "email": each.email,
                "linked_at": each.linked_at.isoformat(),
                "last_used_at": each.last_used_at.isoformat(),
            }
            for each in await identities.list_of_user(caller.db, caller.user.id)
        ]


def new_identity(user_id: UUID, identity: ProvenIdentity) -> Identity:
    """The row of an identity that belongs to `user_id` from now on."""
    now = clock.now()
    return Identity(
        id=new_id(),
        user_id=user_id,
        authority=identity.authority,
        issuer=identity.issuer,
        subject=identity.subject,
        tenant=identity.tenant,
        email=identity.email,
        linked_at=now,
        last_used_at=now,
    )
