"""Connecting an account: to the provider, and back with its tokens.

The flow is the one of sign-ins, with rows, scopes and a redirect URI of its own: an answer for the one is unknown to
the other. What comes back must fit to the browser that began, to the session in which the person asked, and to a person
who still stands in the mandate; nobody is signed in by it.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog

from modules.audit.service import AuditLog, RefusalLog, Subject
from modules.auth.identity_providers.data_flow import DataClient, GivenTokens, RevocationRefused
from modules.auth.identity_providers.flow import AuthorizationAnswer, Refused
from modules.auth.identity_providers.provider import ProvenIdentity
from modules.auth.provider_errors import ProviderUnavailable, SignInFlowEnded
from modules.auth.service.issued_tokens import IssuedTokens
from modules.auth.service.limits import AuthLimits
from modules.auth.service.provider_flows import BegunFlow, FoundFlow, ProviderFlows, new_flow, secrets_of
from modules.connections import repository
from modules.connections.errors import ConnectionNeedsMembership, ConnectionProviderNotFound, ConnectionSuspended
from modules.connections.models import Connection
from modules.connections.schemas import ConnectionState
from modules.connections.sealing import ProviderTokens, TokenSeals, associated_with
from modules.connections.service.endings import revoke_soon
from modules.shared import clock
from modules.shared.context import Caller, RequestContext, Via, Visitor
from modules.shared.database import Database, Tenant
from modules.shared.errors import DomainError
from modules.shared.ids import MandateId, UserId, new_id

DATA_CONNECTION = "data_connection"
"""The purpose of the rows of providers' tokens."""
_DONE = "/console/#/connections"
_log = structlog.get_logger(__name__)


class Connecting:
    """Takes people to a provider and back with access to their data."""

    def __init__(
        self,
        database: Database,
        flows: ProviderFlows,
        clients: Mapping[str, DataClient],
        seals: TokenSeals,
        tokens: IssuedTokens,
        limits: AuthLimits,
        audit: AuditLog,
        refusals: RefusalLog,
    ) -> None:
        self._database = database
        self._flows = flows
        self._clients = clients
        self._seals = seals
        self._tokens = tokens
        self._limits = limits
        self._audit = audit
        self._refusals = refusals

    async def begin(self, context: RequestContext, provider: str, *, offline: bool) -> BegunFlow:
        """Begin to connect an account of the caller to the mandate.

        Raises ConnectionProviderNotFound, ConnectionNeedsMembership, ProviderUnavailable, TooManyRequests.
        """
        client = self._client(provider)
        if context.via is not Via.MEMBERSHIP:
            raise ConnectionNeedsMembership
        await self._limits.attempt_from(context.client)
        secret, public_id = new_flow()
        url = await client.authorization_url(secrets_of(secret, public_id))
        about = {"mandate_id": str(context.mandate.id), "offline": offline}
        return await self._flows.begin(
            context.db, provider, url, secret, public_id, _DONE, caller=context, invitation=None, about=about
        )

    async def complete(
        self,
        visitor: Visitor,
        here: Caller | None,
        provider: str,
        state: str | None,
        answer: AuthorizationAnswer,
        *,
        cookie: str | None,
    ) -> str:
        """Keep what the provider gives; where to go on. `here` is who is signed in in this browser, as far as known.

        That the person may connect accounts was decided when they began. Every refusal is audited and leaves nothing
        behind, neither here nor at the provider. Raises ConnectionProviderNotFound, SignInFlowEnded, ProviderRefused,
        ProviderAnswerInvalid, ProviderUnavailable, ConnectionSuspended.
        """
        client = self._client(provider)
        try:
            flow = await self._flows.take(provider, state, cookie)
            if here is not None and here.user.id != flow.user_id:
                raise SignInFlowEnded
            identity, given = await client.accept(flow.secrets, answer, flow.begun_at.timestamp())
            await self._keep_or_return(client, visitor, flow, identity, given)
        except Refused as refused:
            raise self._noted(visitor, here, provider, refused.refusal, refused.reason) from refused
        except DomainError as error:
            self._noted(visitor, here, provider, error, "")
            raise
        return flow.return_to

    def _client(self, provider: str) -> DataClient:
        found = self._clients.get(provider)
        if found is None:
            raise ConnectionProviderNotFound
        return found

    async def _keep_or_return(
        self, client: DataClient, visitor: Visitor, flow: FoundFlow, identity: ProvenIdentity, given: GivenTokens
    ) -> None:
        """What is not kept is given back: nobody would ever end it."""
        try:
            await self._keep(client, visitor, flow, identity, given)
        except DomainError:
            await self._give_back(client, identity, given)
            raise

    async def _give_back(self, client: DataClient, identity: ProvenIdentity, given: GivenTokens) -> None:
        """Unless the same account is connected elsewhere: a revocation could end that too."""
        account = identity.authority, identity.issuer, identity.subject
        async with self._database.system_session() as session:
            if await repository.is_connected_elsewhere(session, *account):
                return
        try:
            await client.revoke(given.access, given.refresh)
        except (ProviderUnavailable, RevocationRefused):
            _log.warning("connection_not_revoked", provider=identity.authority)

    async def _keep(
        self, client: DataClient, visitor: Visitor, flow: FoundFlow, identity: ProvenIdentity, given: GivenTokens
    ) -> None:
        if flow.user_id is None:
            raise SignInFlowEnded
        mandate_id, user_id = MandateId(UUID(flow.about["mandate_id"])), UserId(flow.user_id)
        provider, now, connection_id = identity.authority, clock.now(), new_id()
        async with self._database.session(Tenant(mandate_id, None, user_id)) as session:
            if not await self._flows.is_still_asked(session, flow):
                raise SignInFlowEnded
            if not await repository.owner_stands(session, mandate_id, user_id):
                raise ConnectionSuspended
            await repository.delete_own(session, mandate_id, user_id, provider)
            whose = associated_with(connection_id, mandate_id, user_id)
            made = Connection(
                id=connection_id,
                mandate_id=mandate_id,
                user_id=user_id,
                provider=provider,
                issuer=identity.issuer,
                subject=identity.subject,
                account=identity.email,
                scopes=list(given.scopes or client.provider.client.scopes.split()),
                offline=bool(flow.about["offline"]),
                state=ConnectionState.ACTIVE,
                sealed_tokens=self._seals.seal(whose, ProviderTokens(given.access, given.refresh)),
                token_id=await self._tokens.note(
                    session,
                    DATA_CONNECTION,
                    authority=provider,
                    user_id=user_id,
                    payload={"connection_id": str(connection_id), "mandate_id": str(mandate_id)},
                    expires_at=now + given.lifetime,
                ),
                expires_at=now + given.lifetime,
                created_at=now,
                refreshed_at=now,
            )
            session.add(made)
            await session.flush()
            await revoke_soon(session)
            self._audit.record(
                session,
                "connection_made",
                by=visitor,
                user_id=user_id,
                mandate_id=mandate_id,
                subject=Subject("connection", connection_id),
                details={"provider": provider, "scopes": made.scopes, "offline": made.offline},
            )

    def _noted(
        self, visitor: Visitor, here: Caller | None, provider: str, error: DomainError, reason: str
    ) -> DomainError:
        """Audit a refusal with its reason, which the person is not told."""
        details: dict[str, Any] = {"provider": provider, **({"reason": reason} if reason else {})}
        caller = here.user.id if here else None
        self._refusals.refused(type(error)(**details), user_id=caller, mandate_id=None, client=visitor.client)
        _log.warning("connection_refused", provider=provider, code=error.code, reason=reason)
        return error
