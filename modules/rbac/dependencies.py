"""From a request to its context: the credential, one SQL statement, the gates, the compiled rules, the decision.

The order is the contract: 401 before 400 before 403, gates before rules, and nothing remembered from one request to the
next but verified signatures and compiled rules, both keyed by what they depend on.
"""

from collections.abc import Callable
from functools import lru_cache
import re
from typing import Any, Protocol
from urllib.parse import parse_qs
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.types import Scope

from modules.auth.dependencies import Credential, Credentials, LocalCredential
from modules.auth.errors import (
    ApiKeyNotAccepted,
    ApiKeyPresented,
    ApiKeyRequired,
    CredentialConflict,
    InsufficientScope,
    InvalidToken,
    KeyOfAnotherMandate,
    TicketNotValid,
    UnknownKey,
)
from modules.auth.service.tickets import RedeemedTicket
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.mandates.login_policy import parse_login_policy
from modules.rbac import errors
from modules.rbac.evaluator import CompiledRole, CompiledRoles, EffectiveTable
from modules.rbac.lru import LruByBytes
from modules.rbac.repository.authorisation import Authorisation, AuthorisationRow, Question, parse_bindings
from modules.rbac.scoped_table import ScopedTable
from modules.shared.catalogue import AccessLevel, Action, Item, ItemCatalogue, Reach
from modules.shared.context import (
    Caller,
    Client,
    CurrentInstance,
    CurrentMandate,
    CurrentUser,
    Login,
    RequestContext,
    UnitOfWork,
    UsedKey,
    Via,
    Visitor,
)
from modules.shared.database import Database, Tenant
from modules.shared.errors import DomainError
from modules.shared.guards import Requirement
from modules.shared.ids import GroupId, InstanceId, MandateId, MembershipId, SessionId, TokenId, UserId
from modules.shared.key_scopes import includes

_TableKey = tuple[str | None, str | None, str]
_SYSADMIN_MARK = re.compile(r"s(,|$)")
_MOST_VISITORS = 1_000
_MOST_HEADER_VALUES = 4_096
_MEMO = "mandate_gateway.contexts"
_TICKET_MEMO = "mandate_gateway.tickets"
_LONGEST_TICKET = 200
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Activity(Protocol):
    """Notes, outside the request, that a session was used."""

    def note(self, session_id: SessionId, generation: int) -> None:
        """The session was used; at most once a minute, or when the token's generation is new."""
        ...

    def note_entered(self, user_id: UserId) -> None:
        """A verified user entered a mandate for the first time."""
        ...

    def note_key(self, key_id: TokenId) -> None:
        """The API key was used; at most once a minute."""
        ...


class Entries(Protocol):
    """Opens a sysadmin's entry into a mandate they are no member of."""

    async def open(self, caller: Caller, mandate: CurrentMandate) -> bool:
        """Whether the visitor may be there now; the first request of a visit makes the entry, audited."""
        ...

    def note_act(self, context: RequestContext, method: str, path: str) -> None:
        """Audit in the mandate that a visitor is about to change something."""
        ...


class Uses(Protocol):
    """Audits each use of a sysadmin's powers."""

    def used(self, caller: Caller, guard: str, method: str, path: str, *, safe: bool) -> None:
        """A request passed `guard`."""
        ...


class Refusals(Protocol):
    """Audits refusals outside the request's transaction."""

    def refused(
        self, error: DomainError, *, user_id: UserId | None, mandate_id: MandateId | None, client: Client
    ) -> None:
        """Note one refusal; repeated ones are joined."""
        ...


class Tickets(Protocol):
    """Takes single-use tickets back."""

    async def redeem(self, secret: str, method: str, path: str) -> RedeemedTicket:
        """For whom and where the ticket stands; it is used up. Raises TicketNotValid."""
        ...


class KeyReload(Protocol):
    """Loads the key ring again."""

    async def __call__(self, *, wanted: int | None) -> None:
        """Reload unless the ring in use already has the number `wanted`."""
        ...


class Visit:
    """What the statement said about this request, and the caller made of it."""

    __slots__ = ("caller", "mandate_id", "row")

    def __init__(self, row: AuthorisationRow, caller: Caller) -> None:
        self.row = row
        self.caller = caller


class ContextAuthorizer:
    """The `Authorizer` of `gateway.mount`."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        local_credential: LocalCredential | None,
        tokens: SignedTokens,
        reload_keys: KeyReload,
        authorisation: Authorisation,
        database: Database,
        catalogue: ItemCatalogue,
        client_of: Callable[[Scope], Client],
        tickets: Tickets,
        activity: Activity,
        entries: Entries,
        refusals: Refusals,
        uses: Uses,
        root_mandate_id: MandateId,
        compiled_rules_memory: int,
    ) -> None:
        self._credentials = credentials
        self._local_credential = local_credential
        self._tokens = tokens
        self._reload_keys = reload_keys
        self._authorisation = authorisation
        self._database = database
        self.catalogue = catalogue
        self._client_of = client_of
        self._tickets = tickets
        self._activity = activity
        self._entries = entries
        self._refusals = refusals
        self._uses = uses
        self._root_mandate_id = root_mandate_id
        self._visitors: dict[tuple[SessionId, UUID], None] = {}
        self._roles = CompiledRoles(compiled_rules_memory)
        self._tables: LruByBytes[_TableKey, EffectiveTable] = LruByBytes(compiled_rules_memory)
        self._items: dict[Requirement, Item] = {}

    def settle(self, requirement: Requirement) -> None:
        """Look the item up once, at start-up. Raises InvalidDeclaration with the nearest names."""
        self._items[requirement] = requirement.resolve(self.catalogue)

    # ── the four questions a guard asks
    # ──────────────────────────────────────────────────────────────────────────────────────────

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

    async def caller(self, connection: HTTPConnection, *, accepts_keys: bool = False) -> Caller:
        """The signed-in person, or the owner of an API key where keys are accepted."""
        caller = (await self._visit(connection, None, None)).caller
        if caller.login.key is not None and not accepts_keys:
            raise self._refuse(ApiKeyNotAccepted(), caller, None)
        return caller

    async def key(self, connection: HTTPConnection, scope: str) -> Caller:
        """The owner of an API key with this scope."""
        caller = (await self._visit(connection, None, None)).caller
        if caller.login.key is None:
            raise self._refuse(ApiKeyRequired(scope=scope), caller, None)
        if scope not in caller.login.key.scopes:
            raise self._refuse(InsufficientScope(scope=scope), caller, None)
        return caller

    async def sysadmin(self, connection: HTTPConnection) -> Caller:
        """The caller, if they hold the flag."""
        caller = await self.caller(connection)
        if not caller.user.is_sysadmin:
            raise self._refuse(errors.SysadminRequired(), caller, None)
        self._note_use(connection, caller, "sysadmin flag")
        return caller

    async def context(
        self, connection: HTTPConnection, requirement: Requirement | None, *, accepts_keys: bool = True
    ) -> RequestContext:
        """The context the headers name, if the requirement is met in it."""
        mandate_id, instance_id, malformed = _tenant_headers(connection.scope)
        if requirement is not None and requirement.tickets and (secret := _ticket_in(connection.scope)):
            visit, mandate_id, instance_id = await self._visit_by_ticket(connection, secret)
            malformed = None
        else:
            visit = await self._visit(connection, mandate_id, instance_id)
        if not accepts_keys and visit.caller.login.key is not None:
            raise self._refuse(ApiKeyNotAccepted(), visit.caller, None)
        if malformed is not None:
            raise errors.MalformedHeader(pointer=malformed, header=malformed)
        if mandate_id is None:
            raise errors.InstanceRequired if instance_id else errors.MandateRequired
        context = await self._decide(visit, mandate_id, instance_id, requirement)
        scope = connection.scope
        if context.via is Via.ENTRY and not _is_safe(scope):
            self._entries.note_act(context, scope.get("method", "WEBSOCKET"), scope["path"])
        return context

    async def administration(self, connection: HTTPConnection, requirement: Requirement) -> RequestContext:
        """The context in the root mandate, whatever the headers name."""
        visit = await self._visit(connection, self._root_mandate_id, None)
        if visit.row.membership_id is None:
            raise self._refuse(
                errors.PermissionDenied(context="RESOURCE", item=requirement.path, action=requirement.action),
                visit.caller,
                None,
            )
        context = await self._decide(visit, self._root_mandate_id, None, requirement)
        self._note_use(connection, context, requirement.describe())
        return context

    # ── the steps
    # ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note_use(self, connection: HTTPConnection, caller: Caller, guard: str) -> None:
        scope = connection.scope
        self._uses.used(caller, guard, scope.get("method", "WEBSOCKET"), scope["path"], safe=_is_safe(scope))

    async def _visit(self, connection: HTTPConnection, mandate_id: UUID | None, instance_id: UUID | None) -> Visit:
        memo: dict[Any, Visit] = connection.scope.setdefault(_MEMO, {})
        key = (mandate_id, instance_id)
        visit = memo.get(key)
        if visit is None:
            visit = memo[key] = await self._ask(connection, mandate_id, instance_id)
        return visit

    async def _visit_by_ticket(self, connection: HTTPConnection, secret: str) -> tuple[Visit, UUID | None, UUID | None]:
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
            visit = await self._judge(connection, credential, ticket.mandate_id, ticket.instance_id)
            memo[secret] = (visit, ticket.mandate_id, ticket.instance_id)
        return memo[secret]

    async def _ask(self, connection: HTTPConnection, mandate_id: UUID | None, instance_id: UUID | None) -> Visit:
        try:
            credential = await self.credential(connection)
        except ApiKeyPresented as presented:
            return await self._judge_key(connection, presented.secret_hash, mandate_id, instance_id)
        try:
            return await self._judge(connection, credential, mandate_id, instance_id)
        except InvalidToken:
            if self._local_credential is None or not credential.local:
                raise
        renewed = await self._local_credential.replace(credential)
        return await self._judge(connection, renewed, mandate_id, instance_id)

    async def _judge(
        self, connection: HTTPConnection, credential: Credential, mandate_id: UUID | None, instance_id: UUID | None
    ) -> Visit:
        """What the database says of the credential now. Raises InvalidToken."""
        row = await self._row(credential.claims, mandate_id, instance_id)
        if row.key_set_number != self._tokens.key_set_number:
            await self._reload_keys(wanted=row.key_set_number)
            if credential.token:
                self._tokens.verify(credential.token)
        claims = credential.claims
        if (
            not row.credential_stands
            or row.state == "disabled"
            or row.user_id != claims.user_id
            or row.session_id != claims.session_id
            or row.ver != claims.ver
        ):
            raise InvalidToken
        if row.touch:
            self._activity.note(claims.session_id, row.generation or 0)
        return Visit(row, self._caller(connection, row, claims))

    async def _judge_key(
        self, connection: HTTPConnection, secret_hash: bytes, mandate_id: UUID | None, instance_id: UUID | None
    ) -> Visit:
        """What the database says of an API key now. Raises InvalidToken."""
        key, row = await self._authorisation.ask_key(secret_hash, mandate_id, instance_id)
        if not row.credential_stands or row.state == "disabled":
            raise InvalidToken
        if row.touch:
            self._activity.note_key(key.id)
        claims = AccessTokenClaims(UserId(row.user_id), SessionId(key.id), key.id, 0, 0, 0, (), row.ver)
        return Visit(row, self._caller(connection, row, claims, key))

    async def _row(
        self, claims: AccessTokenClaims, mandate_id: UUID | None, instance_id: UUID | None
    ) -> AuthorisationRow:
        """One statement, in the narrowest form that will do. Who turned out to be a visitor is asked for as one from
        then on.
        """
        ask, token_id = self._authorisation.ask, claims.token_id
        if mandate_id is None:
            return await ask(Question.CALLER, token_id)
        visit = (claims.session_id, mandate_id)
        if visit not in self._visitors:
            row = await (
                ask(Question.MEMBER, token_id, mandate_id)
                if instance_id is None
                else ask(Question.INSTANCE, token_id, mandate_id, instance_id)
            )
            if row.membership_id is not None or not row.is_sysadmin:
                return row
            self._visitors[visit] = None
            if len(self._visitors) > _MOST_VISITORS:
                del self._visitors[next(iter(self._visitors))]
        return await ask(Question.VISITOR, token_id, mandate_id, instance_id)

    def _caller(
        self, connection: HTTPConnection, row: AuthorisationRow, claims: AccessTokenClaims, key: UsedKey | None = None
    ) -> Caller:
        scope = connection.scope
        user_id = claims.user_id
        scope["state"]["language"] = row.language
        tenant = Tenant(
            MandateId(row.mandate_id) if row.mandate_id else None,
            InstanceId(row.instance_id) if row.instance_id else None,
            user_id,
        )
        read_only = _is_safe(scope)
        return Caller(
            self._client_of(scope),
            UnitOfWork(lambda: self._database.open(tenant, read_only=read_only), scope["fastapi_function_astack"]),
            CurrentUser(user_id, row.slug, row.email, row.display_name, row.language, row.is_sysadmin),
            Login(
                claims.session_id,
                claims.token_id,
                row.authority,
                tuple(row.amr),
                row.authenticated_at,
                row.tenant,
                row.proven_email,
                key,
            ),
        )

    async def _decide(
        self,
        visit: Visit,
        mandate_id: UUID,
        instance_id: UUID | None,
        requirement: Requirement | None,
    ) -> RequestContext:
        row, caller = visit.row, visit.caller
        mandate = self._enter_gates(row, caller, mandate_id)
        arriving = row.membership_id is None and row.entry_mode is None
        if arriving and not await self._entries.open(caller, mandate):
            raise self._refuse(errors.NotAMember(), caller, mandate_id)
        instance = self._instance(row, caller, mandate, instance_id)
        key = (row.travelling_roles if row.membership_id is None else row.roles, row.instance_roles, row.caps)
        table = self._tables.find(key) or await self._table(key)
        if caller.login.key is not None:
            table = self._cut(key, table, caller.login.key.scopes)
        if row.state == "verified":
            self._activity.note_entered(caller.user.id)
        item = action = None
        if requirement is not None:
            item, action = self._items[requirement], requirement.action
            self._demand(table, item, action, instance, caller, mandate)
        context = RequestContext(
            caller.client,
            caller.unit,
            caller.user,
            caller.login,
            mandate,
            instance,
            Via.ENTRY if row.membership_id is None else Via.MEMBERSHIP,
            MembershipId(row.membership_id) if row.membership_id else None,
            frozenset(map(GroupId, row.group_ids)) if row.group_ids else frozenset(),
            key[0] is not None and _SYSADMIN_MARK.search(key[0]) is not None and caller.login.key is None,
            table,
            self.catalogue,
            item,
            action,
        )
        caller.unit.bind(context)
        return context

    def _enter_gates(self, row: AuthorisationRow, caller: Caller, mandate_id: UUID) -> CurrentMandate:
        # Compared although it was asked for: rows of several requests arrive together.
        if row.mandate_id != mandate_id or not row.mandate_enabled or not (row.membership_id or row.is_sysadmin):
            raise self._refuse(errors.NotAMember(), caller, mandate_id if row.mandate_id else None)
        if (key := caller.login.key) is not None and key.mandate_id not in {None, mandate_id}:
            raise self._refuse(KeyOfAnotherMandate(), caller, mandate_id)
        if row.membership_id is not None and not row.membership_active:
            raise self._refuse(errors.MembershipDisabled(), caller, mandate_id)
        if row.login_policy is not None:
            wanted = parse_login_policy(row.login_policy).unmet(caller.login, caller.user.email)
            if wanted is not None:
                refusal = errors.LoginMethodNotAllowed(wanted=wanted.what, accepted=list(wanted.accepted))
                raise self._refuse(refusal, caller, mandate_id)
        return CurrentMandate(
            MandateId(row.mandate_id), row.mandate_slug, row.mandate_name, row.mandate_language, row.is_root
        )

    def _instance(
        self, row: AuthorisationRow, caller: Caller, mandate: CurrentMandate, instance_id: UUID | None
    ) -> CurrentInstance | None:
        if instance_id is None:
            return None
        if row.instance_id != instance_id:
            raise errors.InstanceNotFound
        visiting = row.membership_id is None
        if not row.instance_enabled or not (row.access_active or visiting):
            raise self._refuse(errors.InstanceAccessDisabled(), caller, mandate.id)
        return CurrentInstance(InstanceId(row.instance_id), row.feature, row.instance_name)

    def _demand(
        self,
        table: EffectiveTable,
        item: Item,
        action: Action,
        instance: CurrentInstance | None,
        caller: Caller,
        mandate: CurrentMandate,
    ) -> None:
        if item.reach is Reach.INSTANCE and instance is None:
            raise errors.InstanceRequired
        if table.level(item, action) is AccessLevel.NONE:
            if (key := caller.login.key) is not None and not includes(key.scopes, item, action):
                raise self._refuse(InsufficientScope(scope=f"{item.path}:{action}"), caller, mandate.id)
            raise self._refuse(
                errors.PermissionDenied(context=item.kind, item=item.path, action=action), caller, mandate.id
            )

    async def _table(self, key: _TableKey) -> EffectiveTable:
        held = [*parse_bindings(key[0]), *parse_bindings(key[1])]
        caps = parse_bindings(key[2])
        compiled = self._roles.find([*held, *caps])
        missing = {(binding.role_id, binding.version) for binding in (*held, *caps)} - compiled.keys()
        if not missing:
            return self._keep(key, EffectiveTable(held, compiled, caps))
        read = await self._authorisation.compile({role_id for role_id, _ in missing})
        for role in read.values():
            self._roles.keep(role)
        if missing <= read.keys():
            return self._keep(key, EffectiveTable(held, compiled | read, caps))
        # A rule changed between the two statements: what was read now is newer, so it decides, but is not kept under
        # the older name.
        newest = {role.role_id: role for role in read.values()}
        current = {key: newest.get(key[0]) or CompiledRole(*key, ()) for key in missing}
        return EffectiveTable(held, compiled | current, caps)

    def _cut(self, key: _TableKey, whole: EffectiveTable, scopes: tuple[str, ...]) -> EffectiveTable:
        """The owner's table as far as the scopes of an API key go; kept only if the whole one is."""
        name = (key[0], key[1], f"{key[2]}#{' '.join(scopes)}")
        if self._tables.find(key) is not whole:
            return ScopedTable(whole, scopes, self.catalogue)
        return self._tables.find(name) or self._keep(name, ScopedTable(whole, scopes, self.catalogue))

    def _keep(self, key: _TableKey, table: EffectiveTable) -> EffectiveTable:
        self._tables.keep(key, table)
        return table

    def _refuse(self, error: DomainError, caller: Caller, mandate_id: UUID | None) -> DomainError:
        self._refusals.refused(
            error,
            user_id=caller.user.id,
            mandate_id=MandateId(mandate_id) if mandate_id else None,
            client=caller.client,
        )
        return error


def _is_safe(scope: Scope) -> bool:
    """Whether the request changes nothing (RFC 9110, section 9.2.1)."""
    return scope.get("method") in _SAFE_METHODS


def _tenant_headers(scope: Scope) -> tuple[UUID | None, UUID | None, str | None]:
    """The two tenant headers, and the name of the first malformed one."""
    mandate_id = instance_id = malformed = None
    for name, value in scope["headers"]:
        if name == b"x-mandate-id":
            if (mandate_id := _canonical_uuid(value)) is None:
                malformed = malformed or "X-Mandate-Id"
        elif name == b"x-instance-id" and (instance_id := _canonical_uuid(value)) is None:
            malformed = malformed or "X-Instance-Id"
    return mandate_id, instance_id, malformed


def _ticket_in(scope: Scope) -> str | None:
    """The ticket in the query, if there is exactly one."""
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=50)
    given = query.get("ticket", [])
    return given[0] if len(given) == 1 and 0 < len(given[0]) <= _LONGEST_TICKET else None


@lru_cache(_MOST_HEADER_VALUES)  # the same few mandates and instances are named again and again
def _canonical_uuid(value: bytes) -> UUID | None:
    text = value.decode("latin-1")
    if len(text) != 36:
        return None
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
