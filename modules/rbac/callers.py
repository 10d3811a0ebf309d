"""How the credential of a request becomes a caller: who they are, how they signed in, and their transaction.

Three things can stand for a person: an access token, an API key, a ticket. Each leads to the same row of the one
statement and the same caller, so nothing after this asks which it was, but for what an API key may not do.
"""

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.types import Scope

from modules.auth.api_key_errors import ApiKeyPresented
from modules.auth.dependencies import Credential, Credentials, LocalCredential
from modules.auth.errors import CredentialConflict, InvalidToken, TicketNotValid, UnknownKey
from modules.auth.service.tickets import RedeemedTicket
from modules.rbac.repository.authorisation import AuthorisationRow
from modules.rbac.service.credential_standing import CredentialStanding, KeyReload
from modules.rbac.service.refusals import Refusals
from modules.shared.context import Caller, Client, CurrentUser, Login, UnitOfWork, UsedKey, Visitor
from modules.shared.database import Database, Tenant
from modules.shared.ids import InstanceId, MandateId, SessionId, TokenId, UserId

_MEMO = "mandate_gateway.contexts"
_TICKET_MEMO = "mandate_gateway.tickets"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Tickets(Protocol):
    """Takes single-use tickets back."""

    async def redeem(self, secret: str, method: str, path: str) -> RedeemedTicket:
        """For whom and where the ticket stands; it is used up. Raises TicketNotValid."""
        ...


class Visit:
    """What the statement said about this request, and the caller made of it."""

    __slots__ = ("caller", "row")

    def __init__(self, row: AuthorisationRow, caller: Caller) -> None:
        self.row = row
        self.caller = caller


class Callers:
    """Finds who calls. A request with several guards is asked about once for each mandate and instance."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        local_credential: LocalCredential | None,
        reload_keys: KeyReload,
        standing: CredentialStanding,
        tickets: Tickets,
        database: Database,
        client_of: Callable[[Scope], Client],
        refusals: Refusals,
    ) -> None:
        self._credentials = credentials
        self._local_credential = local_credential
        self._reload_keys = reload_keys
        self._standing = standing
        self._tickets = tickets
        self._database = database
        self._client_of = client_of
        self._refusals = refusals

    def visitor(self, connection: HTTPConnection) -> Visitor:
        """Whoever calls."""
        scope = connection.scope
        return Visitor(
            self._client_of(scope), UnitOfWork(lambda: self._database.open(Tenant()), scope["fastapi_function_astack"])
        )

    async def credential(self, connection: HTTPConnection) -> Credential:
        """The credential in force, its keys loaded if they were new to this process."""
        if self._local_credential is not None:
            local = await self._local_credential.of(connection.scope)
            if local is not None:
                return local
        try:
            return self._credentials.read(connection.scope)
        except UnknownKey:
            await self._reload_keys(wanted=None)
            return self._credentials.read(connection.scope)
        except CredentialConflict as error:
            self._refusals.refused(error, user_id=None, mandate_id=None, client=self._client_of(connection.scope))
            raise

    async def visit(self, connection: HTTPConnection, mandate_id: UUID | None, instance_id: UUID | None) -> Visit:
        """By the credential of the request, in the mandate and instance named. Raises Unauthenticated."""
        memo: dict[Any, Visit] = connection.scope.setdefault(_MEMO, {})
        key = (mandate_id, instance_id)
        visit = memo.get(key)
        if visit is None:
            visit = memo[key] = await self._by_credential(connection, mandate_id, instance_id)
        return visit

    async def visit_by_ticket(self, connection: HTTPConnection, secret: str) -> tuple[Visit, UUID | None, UUID | None]:
        """The ticket decides alone: a browser sends its cookies along, whoever is signed in there."""
        scope = connection.scope
        memo: dict[Any, tuple[Visit, UUID | None, UUID | None]] = scope.setdefault(_TICKET_MEMO, {})
        if secret not in memo:
            try:
                ticket = await self._tickets.redeem(secret, scope.get("method", "WEBSOCKET"), scope["path"])
            except TicketNotValid as error:
                self._refusals.refused(error, user_id=None, mandate_id=None, client=self._client_of(scope))
                raise
            credential = Credential("", ticket.claims)
            visit = await self._by_token(scope, credential, ticket.mandate_id, ticket.instance_id)
            memo[secret] = (visit, ticket.mandate_id, ticket.instance_id)
        return memo[secret]

    async def _by_credential(
        self, connection: HTTPConnection, mandate_id: UUID | None, instance_id: UUID | None
    ) -> Visit:
        scope = connection.scope
        try:
            credential = await self.credential(connection)
        except ApiKeyPresented as presented:
            return await self._by_key(scope, presented.secret_hash, mandate_id, instance_id)
        try:
            return await self._by_token(scope, credential, mandate_id, instance_id)
        except InvalidToken:
            if self._local_credential is None or not credential.local:
                raise
        renewed = await self._local_credential.replace(credential)
        return await self._by_token(scope, renewed, mandate_id, instance_id)

    async def _by_token(
        self, scope: Scope, credential: Credential, mandate_id: UUID | None, instance_id: UUID | None
    ) -> Visit:
        row = await self._standing.of_token(credential, mandate_id, instance_id)
        claims = credential.claims
        return Visit(row, self._caller(scope, row, claims.user_id, claims.session_id, claims.token_id))

    async def _by_key(
        self, scope: Scope, secret_hash: bytes, mandate_id: UUID | None, instance_id: UUID | None
    ) -> Visit:
        key, row = await self._standing.of_key(secret_hash, mandate_id, instance_id)
        return Visit(row, self._caller(scope, row, UserId(row.user_id), SessionId(key.id), key.id, key))

    def _caller(
        self,
        scope: Scope,
        row: AuthorisationRow,
        user_id: UserId,
        session_id: SessionId,
        token_id: TokenId,
        key: UsedKey | None = None,
    ) -> Caller:
        scope["state"]["language"] = row.language
        tenant = Tenant(
            MandateId(row.mandate_id) if row.mandate_id else None,
            InstanceId(row.instance_id) if row.instance_id else None,
            user_id,
        )
        read_only = is_safe(scope)
        return Caller(
            self._client_of(scope),
            UnitOfWork(lambda: self._database.open(tenant, read_only=read_only), scope["fastapi_function_astack"]),
            CurrentUser(user_id, row.slug, row.email, row.display_name, row.language, row.is_sysadmin),
            Login(
                session_id,
                token_id,
                row.authority,
                tuple(row.amr),
                row.authenticated_at,
                row.tenant,
                row.proven_email,
                key,
                row.proven_at,
            ),
        )


def is_safe(scope: Scope) -> bool:
    """Whether the request changes nothing (RFC 9110, section 9.2.1)."""
    return scope.get("method") in _SAFE_METHODS
