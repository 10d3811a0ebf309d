"""What a handler knows about the request it answers: who calls, from which sign-in, in which mandate, and what they may
do there.

`Caller` is a signed-in person without a mandate. `RequestContext` adds the mandate (and instance) and the permissions
loaded for this very request; holding one proves that the gates were passed and that the item and action it is bound to
were allowed. The parts are named tuples, because a
frozen dataclass takes three times as long to make and every request makes five.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from modules.shared.catalogue import AccessLevel, Action, Item, ItemCatalogue, ItemKind
import modules.shared.flush_checks  # noqa: F401 - whoever can bind a session to a context gets its flushes checked
from modules.shared.i18n import Language
from modules.shared.ids import GroupId, InstanceId, MandateId, MembershipId, RoleId, SessionId, TokenId, UserId
from modules.shared.ownership import MandateOwned
from modules.shared.row_rights import RowRights
from modules.shared.rules import AccessRule, Priority
from modules.shared.scoping import Statement, bind_session, scope_statement, unscoped

_OWN_WAYS_IN = frozenset({"local", "magic_link"})


class CurrentUser(NamedTuple):
    """The person who calls. `is_sysadmin` is the flag, never the role."""

    id: UserId
    slug: str
    email: str
    display_name: str
    language: Language | None
    is_sysadmin: bool


class UsedKey(NamedTuple):
    """The API key a request came with; usable in one mandate alone if it names one."""

    id: TokenId
    scopes: tuple[str, ...]
    mandate_id: MandateId | None


class Login(NamedTuple):
    """The sign-in session the credential belongs to. `amr` as in RFC 8176.

    `tenant` (a directory of Microsoft's) and `proven_email` are what the sign-in itself proved. Of an API key (`key`),
    which has no session, both ids are its own, and the rest tells of the sign-in that made it. `proven_at` is when the
    authority vouched for the person; None: at `authenticated_at`.
    """

    session_id: SessionId
    token_id: TokenId
    authority: str
    amr: tuple[str, ...]
    authenticated_at: datetime
    tenant: str | None = None
    proven_email: str | None = None
    key: UsedKey | None = None
    proven_at: datetime | None = None

    @property
    def vouched_at(self) -> datetime:
        """When the authority last vouched for the person. A step-up proves who they are to this installation alone."""
        return self.proven_at or self.authenticated_at

    def proven_address(self, own_address: str) -> str | None:
        """The mail address this sign-in stands for; `own_address` is the account's.

        A way in of this installation stands for the address the account has now, which is always a proven one. A
        provider's stands for the address its token proved and for no other, and a key for what its maker's did.
        """
        return own_address if self.authority in _OWN_WAYS_IN else self.proven_email

    def itself_proved(self, own_address: str) -> str | None:
        """The mail address that this very sign-in proved, if any.

        A password proves none. A mail of ours proves the account's, as long as the account keeps it.
        """
        left = self.authority in _OWN_WAYS_IN and self.proven_email != own_address
        return None if left else self.proven_email

    def is_recent(self, within: timedelta, now: datetime | None = None) -> bool:
        """Whether the person proved themselves at most `within` ago; a refresh does not count, nor does an API key."""
        return self.key is None and (now or datetime.now(UTC)) - self.authenticated_at <= within


class CurrentMandate(NamedTuple):
    """The mandate this request works in; its id can only come from the context resolver."""

    id: MandateId
    slug: str
    name: str
    language: Language
    is_root: bool


class CurrentInstance(NamedTuple):
    """The feature instance this request works in."""

    id: InstanceId
    feature: str
    name: str


class Via(StrEnum):
    """How the caller came into the mandate."""

    MEMBERSHIP = "membership"
    ENTRY = "entry"


class Permissions(Protocol):
    """The caller's compiled rules in one context."""

    def level(self, item: Item, action: Action, field: str | None = None) -> AccessLevel:
        """How far `action` on `item` reaches."""
        ...

    def rules(self) -> list[tuple[Priority, AccessRule]]:
        """Every rule of every active role, with the priority of its scope."""
        ...

    def roles(self) -> list[tuple[Priority, RoleId]]:
        """Every active role, with the priority of its scope."""
        ...

    def explain(self, item: Item, action: Action, field: str | None = None) -> Any:  # noqa: ANN401 - an Explanation, of a feature above
        """Why the decision is what it is."""
        ...


class UnitOfWork:
    """The one transaction of a request: opened when first used, committed before the answer leaves, rolled back when
    the handler raises.

    The exit stack is the one that ends before the response starts; a commit that fails therefore becomes the answer.
    """

    __slots__ = ("_open", "_rights", "_session", "_stack")

    def __init__(self, open_session: Callable[[], AsyncSession], stack: AsyncExitStack) -> None:
        self._open = open_session
        self._stack = stack
        self._session: AsyncSession | None = None
        self._rights: RowRights | None = None

    @property
    def session(self) -> AsyncSession:
        """The request's database session, narrowed to what its context may do."""
        if self._session is None:
            self._session = self._open()
            if self._rights is not None:
                bind_session(self._session, self._rights)
            self._stack.push_async_exit(self._finish)
        return self._session

    def bind(self, rights: RowRights) -> None:
        """Narrow the session to `rights` from now on; the first ones stay: what it loaded is within their reach.

        Not to the context itself, which holds this unit: a request would end in a circle for the garbage collector.
        """
        self._rights = self._rights or rights
        if self._session is not None:
            bind_session(self._session, self._rights)

    async def _finish(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        session = self._session
        if session is None:
            return
        self._session = None
        try:
            if kind is None:
                await session.commit()
        finally:
            await session.close()


class Client(NamedTuple):
    """Where the request came from, for audit and the session list only; decides nothing."""

    address: str
    user_agent: str
    request_id: str
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """Anyone at all: what a public route knows of its caller."""

    client: Client
    unit: UnitOfWork

    @property
    def db(self) -> AsyncSession:
        """The request's transaction; committed before the answer leaves."""
        return self.unit.session


@dataclass(frozen=True, slots=True)
class Caller(Visitor):
    """A signed-in person, outside any mandate."""

    user: CurrentUser
    login: Login


@dataclass(frozen=True, slots=True)
class RequestContext(Caller):
    """One request in one mandate, bound to the item and action its route required.

    `can`, `level` and `explain` answer for any declared item; `scope` narrows a statement to the rows the bound pair
    reaches.
    """

    mandate: CurrentMandate
    instance: CurrentInstance | None
    via: Via
    membership_id: MembershipId | None
    groups: frozenset[GroupId]
    has_sysadmin_role: bool
    permissions: Permissions
    catalogue: ItemCatalogue
    item: Item | None = None
    action: Action | None = None

    @property
    def is_sysadmin(self) -> bool:
        """The flag. It answers no DATA question."""
        return self.user.is_sysadmin

    def get_rules(self) -> list[tuple[Priority, AccessRule]]:
        """The caller's rules in this context with their priority (1 global, 2 mandate, 3 instance); loaded for this
        request.
        """
        return self.permissions.rules()

    def level(
        self, item: str, action: Action | str, *, field: str | None = None, kind: ItemKind | None = None
    ) -> AccessLevel:
        """How far `action` on `item` reaches here. Raises InvalidDeclaration for an undeclared item or action."""
        return self.permissions.level(self.catalogue.resolve(item, kind), Action(action), field)

    def can(self, item: str, action: Action | str, *, field: str | None = None, kind: ItemKind | None = None) -> bool:
        """Whether `action` on `item` reaches anything here."""
        return self.level(item, action, field=field, kind=kind) > AccessLevel.NONE

    def explain(
        self, item: str, action: Action | str, *, field: str | None = None, kind: ItemKind | None = None
    ) -> Any:  # noqa: ANN401 - an Explanation, of a feature above
        """Why `level` answers what it answers: the winning and the shadowed rules, caps, and the smallest grant that
        would change it.
        """
        return self.permissions.explain(self.catalogue.resolve(item, kind), Action(action), field)

    @property
    def rights(self) -> RowRights:
        """How far this context reaches among the rows of protected tables."""
        instance_id = None if self.instance is None else self.instance.id
        bound = (self.item, self.action) if self.item is not None and self.action is not None else None
        return RowRights(
            self.mandate.id, instance_id, self.user.id, self.groups, self.permissions, self.catalogue, bound
        )

    def scope(self, statement: Statement, action: Action | str | None = None) -> Statement:
        """`statement`, narrowed to the rows this context reaches: by the bound pair (or `action`) for the bound item's
        table, by read for every other protected one. Raises UnscopedStatement for what cannot be narrowed or needs no
        narrowing, PermissionDenied for an unreadable column.
        """
        return scope_statement(self.rights, statement, action)

    def unscoped(self, statement: Statement, reason: str) -> Statement:
        """`statement`, allowed to reach every row of the mandate; `reason` says why that is right."""
        return unscoped(statement, reason)

    def readable_fields(self, model: type[MandateOwned]) -> frozenset[str]:
        """The columns of `model` that may be read in every row this context may read."""
        return self.rights.readable_fields(model)

    def field(self, attribute: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
        """A column with a narrower rule than its table: its value where it may be read, NULL elsewhere. Raises
        PermissionDenied when it may be read nowhere.
        """
        return self.rights.readable_part(attribute)
