"""The guards a route puts in its signature. Each names who may call; a route without one stops the start.

`require("invoices", "read")` works as a default value, inside `Annotated`, and in `dependencies=[…]`. What a guard
needs of the features (verifying a credential, loading rules) it asks of the `Authorizer` that `gateway.mount` put on
the application.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Depends
from starlette.requests import HTTPConnection

from modules.shared.catalogue import Action, InvalidDeclaration, Item, ItemCatalogue, ItemKind
from modules.shared.context import Caller, RequestContext, Visitor
from modules.shared.errors import Forbidden, Unauthenticated

STATE = "mandate_gateway"


class Authorizer(Protocol):
    """Turns a request into a context, asking the database once, and refuses what the gates refuse."""

    def visitor(self, connection: HTTPConnection) -> Visitor:
        """Whoever calls, with a transaction that sees no mandate's rows."""
        ...

    async def credential(self, connection: HTTPConnection) -> Any:  # noqa: ANN401 - its type belongs to a feature above
        """The credential in force, verified without asking the database. Raises Unauthenticated."""
        ...

    async def caller(self, connection: HTTPConnection, *, accepts_keys: bool = False) -> Caller:
        """The signed-in person, without a mandate. Raises Unauthenticated, and refuses API keys unless accepted."""
        ...

    async def key(self, connection: HTTPConnection, scope: str) -> Caller:
        """The owner of the API key presented, if `scope` is among its scopes."""
        ...

    async def context(
        self, connection: HTTPConnection, requirement: "Requirement | None", *, accepts_keys: bool = True
    ) -> RequestContext:
        """The context of this request if `requirement` is met in it; without one, of anyone who passes the gates."""
        ...

    async def sysadmin(self, connection: HTTPConnection) -> Caller:
        """The caller if they hold the sysadmin flag and signed in recently enough for what they ask; audited."""
        ...

    async def administration(self, connection: HTTPConnection, requirement: "Requirement") -> RequestContext:
        """The context in the root mandate if `requirement` is met by the root mandate's own roles; audited."""
        ...

    def settle(self, requirement: "Requirement") -> None:
        """Look the required item up once, at start-up. Raises InvalidDeclaration with the nearest names."""
        ...


@dataclass(frozen=True, slots=True, eq=False)  # FastAPI looks it up by hash several times per request
class Requirement:
    """The caller needs `action` on `item` in the mandate (and instance) the headers name.

    With `tickets` a single-use ticket in the query stands for the headers, credential included: for what a browser
    loads by itself.
    """

    path: str
    action: Action
    kind: ItemKind | None = None
    tickets: bool = False

    async def __call__(self, connection: HTTPConnection) -> RequestContext:
        """The bound context. Raises 401, 400, 403 and 404 as the gates say, 403 `permission_denied` otherwise."""
        return await authorizer(connection).context(connection, self)

    def resolve(self, catalogue: ItemCatalogue) -> Item:
        """The declared item this names; the action must be one it declares."""
        item = catalogue.resolve(self.path, self.kind)
        if self.action not in item.actions:
            raise InvalidDeclaration(
                f"item {self.path!r} has no action {self.action}; it has {', '.join(sorted(item.actions))}"
            )
        return item

    def describe(self) -> str:
        """As shown in the OpenAPI document."""
        return f"{self.path}:{self.action}"


@dataclass(frozen=True, slots=True, eq=False)
class SysadminRoleRequirement(Requirement):
    """The caller needs `action` on an installation item through a role of the root mandate."""

    async def __call__(self, connection: HTTPConnection) -> RequestContext:
        """The context in the root mandate, whatever the headers say."""
        return await authorizer(connection).administration(connection, self)

    def describe(self) -> str:
        """As shown in the OpenAPI document."""
        return f"sysadmin role: {self.path}:{self.action}"


@dataclass(frozen=True, slots=True)
class SysadminRequirement:
    """The caller needs the sysadmin flag."""

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """The flag holder."""
        return await authorizer(connection).sysadmin(connection)

    def describe(self) -> str:
        """As shown in the OpenAPI document."""
        return "sysadmin flag"


@dataclass(frozen=True, slots=True)
class MembershipRequirement:
    """The caller needs to be in the mandate the header names; nothing more.

    No scope of an API key can speak of such a route, so it takes keys only if it says so.
    """

    accepts_keys: bool = False

    async def __call__(self, connection: HTTPConnection) -> RequestContext:
        """The context, bound to no item."""
        return await authorizer(connection).context(connection, None, accepts_keys=self.accepts_keys)

    def describe(self) -> str:
        """As shown in the OpenAPI document."""
        return "any member of the mandate" + (", also by API key" if self.accepts_keys else "")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The caller needs to be signed in; the route concerns only themselves. API keys are taken only if it says so."""

    accepts_keys: bool = False

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """The caller."""
        return await authorizer(connection).caller(connection, accepts_keys=self.accepts_keys)

    def describe(self) -> str:
        """As shown in the OpenAPI document."""
        return "signed in, also by API key" if self.accepts_keys else "signed in"


@dataclass(frozen=True, slots=True)
class KeyRequirement:
    """The caller needs an API key with this very scope; a person's sign-in does not do."""

    scope: str

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """The key's owner."""
        return await authorizer(connection).key(connection, self.scope)

    def describe(self) -> str:
        """As shown in the OpenAPI document."""
        return f"API key with scope {self.scope}"


@dataclass(frozen=True, slots=True)
class Public:
    """Anyone may call; `reason` says why this is right."""

    reason: str

    async def __call__(self, connection: HTTPConnection) -> Visitor:
        """Whoever calls."""
        return authorizer(connection).visitor(connection)

    def describe(self) -> str:
        """As shown in the OpenAPI document."""
        return f"public: {self.reason}"


def authorizer(connection: HTTPConnection) -> Authorizer:
    """The authorizer `gateway.mount` put on this application."""
    found: Authorizer = getattr(connection.app.state, STATE)
    return found


def require(item: str, action: Action | str, *, kind: ItemKind | None = None, tickets: bool = False) -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """A dependency that yields the RequestContext if the caller may do `action` on `item` in the active mandate.

    With `tickets` it also takes a ticket of `POST /auth/tickets` as `?ticket=`.
    """
    return Depends(Requirement(item, Action(action), kind, tickets), scope="function")


def require_sysadmin_role(item: str, action: Action | str) -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """A dependency that yields the root mandate's RequestContext for administration of the installation."""
    return Depends(SysadminRoleRequirement(item, Action(action)), scope="function")


def require_sysadmin() -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """A dependency that yields the Caller if they hold the sysadmin flag: for system operations, never for data."""
    return Depends(SysadminRequirement(), scope="function")


def require_membership(*, accepts_keys: bool = False) -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """A dependency that yields the RequestContext of anyone who is in the mandate; of API keys only if accepted."""
    return Depends(MembershipRequirement(accepts_keys), scope="function")


def require_sign_in(*, accepts_keys: bool = False) -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """A dependency that yields the Caller, signed in, outside any mandate; by API key only if accepted."""
    return Depends(SignedIn(accepts_keys), scope="function")


def require_key(scope: str) -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """A dependency that yields the Caller whose API key has this scope."""
    return Depends(KeyRequirement(scope), scope="function")


def whoever_is_here() -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """A dependency of a public route that yields the Caller who is signed in in this browser just now, or None: also
    for an API key, which is nobody there.
    """

    async def caller(connection: HTTPConnection) -> Caller | None:
        try:
            return await authorizer(connection).caller(connection)
        except (Unauthenticated, Forbidden):
            return None

    return Depends(caller, scope="function")


def public(reason: str) -> Any:  # noqa: ANN401 - stands where a handler's parameter has its own type
    """A dependency that yields the Visitor of a route open to anyone, and says why it is."""
    return Depends(Public(reason), scope="function")
