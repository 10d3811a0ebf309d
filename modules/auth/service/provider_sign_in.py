"""Signing in, and connecting a sign-in, with Google, Microsoft or any OpenID provider.

The provider says who somebody is; the decision table says what follows. An account is found by the provider's stable
ids alone. An unknown identity makes a new account only with a mail address that is proven and nobody's; in every other
case it waits in the browser until the person has signed in another way and confirms that the two belong together.
"""

from dataclasses import dataclass
import re
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession
import structlog

from modules.audit.service import RefusalLog
from modules.auth.account_errors import EmailTaken, UserDisabled
from modules.auth.identity_providers.flow import AuthorizationAnswer, Refused
from modules.auth.identity_providers.provider import ProvenIdentity
from modules.auth.models import Identity, User
from modules.auth.provider_errors import IdentityNotLinked, IdentityTaken, ReturnPathRefused, SignInFlowEnded
from modules.auth.repository import identities, users
from modules.auth.repository import sessions as session_repository
from modules.auth.service.accounts import AccountService, NewAccount
from modules.auth.service.entrance import Entrance, PendingSignIn
from modules.auth.service.identities import IdentityService, LinkOffer, new_identity
from modules.auth.service.identity_decision import Mail, Outcome, Owner, Situation, decide
from modules.auth.service.issuing import OpenedSession
from modules.auth.service.limits import AuthLimits
from modules.auth.service.provider_flows import BegunFlow, FoundFlow, ProviderFlows, new_flow, secrets_of
from modules.auth.service.recent import demand_recent
from modules.auth.service.registration_policy import RegistrationPolicy
from modules.auth.service.sign_in_proof import SignInProof
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.database import Database
from modules.shared.errors import DomainError
from modules.shared.i18n import Language
from modules.shared.ids import UserId

_log = structlog.get_logger(__name__)

FEDERATED: Final = "fed"
"""Somebody else vouched for the person. Which factors they were asked for there is not ours to count."""
_RETURN_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,499}")


@dataclass(frozen=True, slots=True)
class Arrived:
    """The person is in, or half in, and goes on at `return_to`."""

    admitted: OpenedSession | PendingSignIn
    return_to: str


@dataclass(frozen=True, slots=True)
class Connected:
    """The identity belongs to the account from now on."""

    return_to: str


class ProviderSignIn:
    """Takes people to a provider and back."""

    def __init__(
        self,
        database: Database,
        flows: ProviderFlows,
        identity_service: IdentityService,
        accounts: AccountService,
        policy: RegistrationPolicy,
        entrance: Entrance,
        limits: AuthLimits,
        refusals: RefusalLog,
        settings: AuthSettings,
    ) -> None:
        self._database = database
        self._flows = flows
        self._identities = identity_service
        self._accounts = accounts
        self._policy = policy
        self._entrance = entrance
        self._limits = limits
        self._refusals = refusals
        self._settings = settings

    async def begin(
        self, visitor: Visitor, authority: str, return_to: str, *, invitation: str | None = None, confirm: bool = False
    ) -> BegunFlow:
        """Begin a sign-in; to `confirm` that one is there, by proving oneself to the provider anew.

        Raises ProviderNotFound, ProviderUnavailable, ReturnPathRefused, TooManyRequests.
        """
        return await self._begin(visitor, authority, return_to, None, invitation, confirm=confirm)

    async def begin_linking(self, caller: Caller, authority: str, return_to: str) -> BegunFlow:
        """Begin to connect an identity with the caller's account. Raises StepUpRequired, and as `begin`."""
        await demand_recent(caller, self._settings.recent_login)
        return await self._begin(caller, authority, return_to, caller, None)

    async def complete(
        self,
        visitor: Visitor,
        authority: str,
        state: str | None,
        answer: AuthorizationAnswer,
        *,
        cookie: str | None,
        device_secret: str | None,
        language: Language,
    ) -> Arrived | Connected | LinkOffer:
        """What becomes of the person who comes back. Every refusal is audited, and leaves nothing behind.

        Raises ProviderNotFound, SignInFlowEnded, ProviderRefused, ProviderAnswerInvalid, ProviderUnavailable,
        IdentityTaken, UserDisabled, RegistrationClosed, InvitationRequired, SetUpCodeRequired.
        """
        client = self._flows.client(authority)
        try:
            flow = await self._flows.take(authority, state, cookie)
            begun_at = flow.begun_at.timestamp()
            identity = await client.identify(flow.secrets, answer, begun_at, confirm=flow.confirm)
            if flow.linking is not None:
                return await self._connect(visitor, flow, identity)
            return await self._sign_in(visitor, flow, identity, device_secret, language)
        except Refused as refused:
            raise self._noted(visitor, authority, refused.refusal, refused.reason) from refused
        except DomainError as error:
            self._noted(visitor, authority, error, "")
            raise

    async def _begin(
        self,
        visitor: Visitor,
        authority: str,
        return_to: str,
        caller: Caller | None,
        invitation: str | None,
        *,
        confirm: bool = False,
    ) -> BegunFlow:
        await self._limits.attempt_from(visitor.client)
        client = self._flows.client(authority)
        if not _RETURN_PATH.fullmatch(return_to):
            raise ReturnPathRefused(pointer="return_to")
        secret, public_id = new_flow()
        url = await client.authorization_url(secrets_of(secret, public_id), confirm=confirm)
        return await self._flows.begin(
            visitor.db, authority, url, secret, public_id, return_to, caller=caller, invitation=invitation,
            confirm=confirm,
        )  # fmt: skip

    async def _sign_in(
        self, visitor: Visitor, flow: FoundFlow, identity: ProvenIdentity, device_secret: str | None, language: Language
    ) -> Arrived | LinkOffer:
        known, user = await _owner(visitor.db, identity)
        outcome = decide(Situation(linking=False, owner=_kind(user), mail=await _mail(visitor.db, identity)))
        if outcome is Outcome.CREATE:
            known, user = await self._create(visitor, flow, identity, language)
        if outcome is Outcome.REFUSE_DISABLED:
            raise UserDisabled
        if known is None or user is None:
            self._noted(visitor, identity.authority, IdentityNotLinked(), "")
            return self._identities.offer(visitor, identity)
        known.email, known.last_used_at = identity.email, clock.now()
        proof = SignInProof(
            identity.authority, (FEDERATED,), known.id, identity.tenant, identity.proven_email,
            identity.authenticated_at,
        )  # fmt: skip
        admitted = await self._entrance.admit(visitor, user, proof, device_secret=device_secret)
        return Arrived(admitted, flow.return_to)

    async def _create(
        self, visitor: Visitor, flow: FoundFlow, identity: ProvenIdentity, language: Language
    ) -> tuple[Identity | None, User | None]:
        """A new account; None for an address that another request took in the meantime."""
        if identity.proven_email is None:
            raise ValueError("an account is made for a proven address only")
        await self._policy.admit(identity.proven_email, flow.invitation)
        account = NewAccount(identity.proven_email, None, identity.display_name, language)
        try:
            async with self._database.system_session() as session:
                made = await self._accounts.open(session, account, set_up_code=None, by=visitor)
                session.add(new_identity(made.id, identity))
        except EmailTaken:
            return await _owner(visitor.db, identity)
        return await _owner(visitor.db, identity)

    async def _connect(self, visitor: Visitor, flow: FoundFlow, identity: ProvenIdentity) -> Connected:
        """The session that asked must still stand: a person who signed out meanwhile connects nothing."""
        asking = flow.linking and await session_repository.find_open(visitor.db, flow.linking, clock.now())
        user = await users.lock_user(visitor.db, flow.user_id) if asking and flow.user_id else None
        if user is None or user.state == "disabled":
            raise SignInFlowEnded
        known, owner = await _owner(visitor.db, identity, locked=user)
        kind = Owner.NOBODY if known is None else Owner.CALLER if owner is user else Owner.ANOTHER
        match decide(Situation(linking=True, owner=kind, mail=await _mail(visitor.db, identity))):
            case Outcome.LINK:
                await self._identities.link(visitor, UserId(user.id), identity)
            case Outcome.REFUSE_TAKEN:
                raise IdentityTaken
        return Connected(flow.return_to)

    def _noted(self, visitor: Visitor, authority: str, error: DomainError, reason: str) -> DomainError:
        """Audit a refusal with its reason, which the person is not told."""
        details: dict[str, Any] = {"provider": authority, **({"reason": reason} if reason else {})}
        noted = type(error)(**details)
        caller = visitor.user.id if isinstance(visitor, Caller) else None
        self._refusals.refused(noted, user_id=caller, mandate_id=None, client=visitor.client)
        _log.warning("provider_sign_in_refused", provider=authority, code=error.code, reason=reason)
        return error


async def _owner(
    session: AsyncSession, identity: ProvenIdentity, *, locked: User | None = None
) -> tuple[Identity | None, User | None]:
    """Whose the identity is, the user locked; asked again under the lock, because it may be taken away meanwhile."""
    key = (identity.authority, identity.issuer, identity.subject)
    found = await identities.find(session, *key)
    if found is None:
        return None, None
    if locked is not None and found.user_id == locked.id:
        return found, locked
    user = await users.lock_user(session, found.user_id)
    return (found, user) if user and await identities.find(session, *key) else (None, None)


def _kind(user: User | None) -> Owner:
    if user is None:
        return Owner.NOBODY
    return Owner.DISABLED if user.state == "disabled" else Owner.SOMEBODY


async def _mail(session: AsyncSession, identity: ProvenIdentity) -> Mail:
    """Whose a proven address is. For an unproven one nobody is asked, so that nobody can find out by claiming it."""
    if identity.email is None:
        return Mail.NONE
    if identity.proven_email is None:
        return Mail.UNPROVEN_FREE
    owner = await users.find_owner(session, identity.proven_email, clock.now())
    return Mail.PROVEN_FREE if owner is None else Mail.PROVEN_TAKEN
