"""From a request to its context: the caller, the gates, the rules, the decision, in the order that is the contract.

401 before 400 before 403, gates before rules; nothing is remembered from one request to the next but verified
signatures and compiled rules, both keyed by what they depend on.
"""

from collections.abc import Callable
import re
from typing import Protocol
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.types import Scope

from modules.auth.api_key_errors import ApiKeyNotAccepted, ApiKeyRequired, InsufficientScope
from modules.auth.dependencies import Credential, Credentials, LocalCredential
from modules.auth.signed_tokens import SignedTokens
from modules.rbac import errors
from modules.rbac.callers import Callers, Tickets, Visit, is_safe
from modules.rbac.named_tenant import tenant_headers, ticket_in
from modules.rbac.repository.authorisation import Authorisation
from modules.rbac.service import credential_standing
from modules.rbac.service.credential_standing import CredentialStanding, KeyReload
from modules.rbac.service.effective_tables import EffectiveTables
from modules.rbac.service.gates import Gates
from modules.rbac.service.refusals import NotedRefusals, Refusals
from modules.shared.catalogue import Item, ItemCatalogue
from modules.shared.context import Caller, Client, CurrentMandate, RequestContext, Via, Visitor
from modules.shared.database import Database
from modules.shared.guards import Requirement
from modules.shared.ids import GroupId, MandateId, MembershipId, UserId

_SYSADMIN_MARK = re.compile(r"s(,|$)")


class Activity(credential_standing.Activity, Protocol):
    """Notes, outside the request, that a credential was used, and who came in for the first time."""

    def note_entered(self, user_id: UserId) -> None:
        """A verified user entered a mandate for the first time."""
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
        self.catalogue = catalogue
        self._callers = Callers(
            credentials=credentials,
            local_credential=local_credential,
            reload_keys=reload_keys,
            standing=CredentialStanding(authorisation, tokens, reload_keys, activity),
            tickets=tickets,
            database=database,
            client_of=client_of,
            refusals=refusals,
        )
        self._refusals = NotedRefusals(refusals)
        self._gates = Gates(self._refusals)
        self._tables = EffectiveTables(authorisation.compile, catalogue, compiled_rules_memory)
        self._activity = activity
        self._entries = entries
        self._uses = uses
        self._root_mandate_id = root_mandate_id
        self._items: dict[Requirement, Item] = {}

    def settle(self, requirement: Requirement) -> None:
        """Look the item up once, at start-up. Raises InvalidDeclaration with the nearest names."""
        self._items[requirement] = requirement.resolve(self.catalogue)

    def visitor(self, connection: HTTPConnection) -> Visitor:
        """Whoever calls."""
        return self._callers.visitor(connection)

    async def credential(self, connection: HTTPConnection) -> Credential:
        """The credential in force, its keys loaded if they were new to this process."""
        return await self._callers.credential(connection)

    async def caller(self, connection: HTTPConnection, *, accepts_keys: bool = False) -> Caller:
        """The signed-in person, or the owner of an API key where keys are accepted."""
        caller = (await self._callers.visit(connection, None, None)).caller
        if caller.login.key is not None and not accepts_keys:
            raise self._refusals.noted(ApiKeyNotAccepted(), caller, None)
        return caller

    async def key(self, connection: HTTPConnection, scope: str) -> Caller:
        """The owner of an API key with this scope."""
        caller = (await self._callers.visit(connection, None, None)).caller
        if caller.login.key is None:
            raise self._refusals.noted(ApiKeyRequired(scope=scope), caller, None)
        if scope not in caller.login.key.scopes:
            raise self._refusals.noted(InsufficientScope(scope=scope), caller, None)
        return caller

    async def sysadmin(self, connection: HTTPConnection) -> Caller:
        """The caller, if they hold the flag."""
        caller = await self.caller(connection)
        if not caller.user.is_sysadmin:
            raise self._refusals.noted(errors.SysadminRequired(), caller, None)
        self._note_use(connection, caller, "sysadmin flag")
        return caller

    async def context(
        self, connection: HTTPConnection, requirement: Requirement | None, *, accepts_keys: bool = True
    ) -> RequestContext:
        """The context the headers name, if the requirement is met in it."""
        scope = connection.scope
        mandate_id, instance_id, malformed = tenant_headers(scope)
        if requirement is not None and requirement.tickets and (secret := ticket_in(scope)):
            visit, mandate_id, instance_id = await self._callers.visit_by_ticket(connection, secret)
            malformed = None
        else:
            visit = await self._callers.visit(connection, mandate_id, instance_id)
        if not accepts_keys and visit.caller.login.key is not None:
            raise self._refusals.noted(ApiKeyNotAccepted(), visit.caller, None)
        if malformed is not None:
            raise errors.MalformedHeader(pointer=malformed, header=malformed)
        if mandate_id is None:
            raise errors.InstanceRequired if instance_id else errors.MandateRequired
        context = await self._decide(visit, mandate_id, instance_id, requirement)
        if context.via is Via.ENTRY and not is_safe(scope):
            self._entries.note_act(context, scope.get("method", "WEBSOCKET"), scope["path"])
        return context

    async def administration(self, connection: HTTPConnection, requirement: Requirement) -> RequestContext:
        """The context in the root mandate, whatever the headers name."""
        visit = await self._callers.visit(connection, self._root_mandate_id, None)
        if visit.row.membership_id is None:
            raise self._refusals.noted(
                errors.PermissionDenied(context="RESOURCE", item=requirement.path, action=requirement.action),
                visit.caller,
                None,
            )
        context = await self._decide(visit, self._root_mandate_id, None, requirement)
        self._note_use(connection, context, requirement.describe())
        return context

    async def _decide(
        self, visit: Visit, mandate_id: UUID, instance_id: UUID | None, requirement: Requirement | None
    ) -> RequestContext:
        """Through the gates, then by the rules. What the context holds is bound to the transaction, too."""
        row, caller = visit.row, visit.caller
        mandate = self._gates.enter_mandate(row, caller, mandate_id)
        arriving = row.membership_id is None and row.entry_mode is None
        if arriving and not await self._entries.open(caller, mandate):
            raise self._refusals.noted(errors.NotAMember(), caller, mandate_id)
        instance = None if instance_id is None else self._gates.enter_instance(row, caller, mandate, instance_id)
        held = (row.travelling_roles if row.membership_id is None else row.roles, row.instance_roles, row.caps)
        table = self._tables.find(held) or await self._tables.make(held)
        if caller.login.key is not None:
            table = self._tables.cut(held, table, caller.login.key.scopes)
        if row.state == "verified":
            self._activity.note_entered(caller.user.id)
        item = action = None
        if requirement is not None:
            item, action = self._items[requirement], requirement.action
            self._gates.demand(table, item, action, instance, caller, mandate)
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
            held[0] is not None and _SYSADMIN_MARK.search(held[0]) is not None and caller.login.key is None,
            table,
            self.catalogue,
            item,
            action,
        )
        caller.unit.bind(context.rights)
        return context

    def _note_use(self, connection: HTTPConnection, caller: Caller, guard: str) -> None:
        scope = connection.scope
        self._uses.used(caller, guard, scope.get("method", "WEBSOCKET"), scope["path"], safe=is_safe(scope))
