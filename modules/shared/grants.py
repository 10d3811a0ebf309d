"""The seam through which features below RBAC change who may do what: rights are compared before and after, inside the
transaction.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.shared.catalogue import AccessLevel, Action, Item
from modules.shared.context import Login, RequestContext
from modules.shared.ids import GroupId, InstanceId, MandateId, MembershipId, RoleId, SessionId, UserId


class Need(NamedTuple):
    """What whoever makes a change must be allowed, and how far it must reach; `session_id` is the sign-in they act by,
    if they act now.
    """

    item: Item
    action: Action
    level: AccessLevel = AccessLevel.MY
    session_id: SessionId | None = None


RIGHTS_MAY_CHANGE: Final = "rights_may_change"
"""The key in a session's `info` while rights may change in it; the tests refuse every other write to these tables."""


class GrantGuard(Protocol):
    """Nobody grants what they do not have (authorization.md, section 6)."""

    def change(
        self, session: AsyncSession, mandate_id: MandateId, actor_id: UserId, *, needs: Need | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Wrap every insert, update and delete on memberships, groups, accesses, roles, rules and assignments, removals
        too.

        On entry the mandate row is locked and everybody's rights are read; on exit they are read again from the flushed
        changes. `needs` is what the actor must still be allowed then, and as far: rights may have changed since the
        request was authorised. Raises PermissionDenied (403), EscalationRefused (403) when a cell rose beyond the
        actor's own, LastAdministrator (409) when nobody is left to administer.
        """
        ...


class RoleGrants(Protocol):
    """Gives roles to members, for features that know members but not roles. Call inside `GrantGuard.change`."""

    async def set_member_roles(
        self,
        session: AsyncSession,
        mandate_id: MandateId,
        membership_id: MembershipId,
        role_ids: Iterable[RoleId],
        *,
        actor_id: UserId,
        valid_until: datetime | None = None,
        login: Login | None = None,
    ) -> None:
        """Make these exactly the member's roles; `valid_until` is the end of those newly given.

        Raises RoleNotAssignable (422) for a role that cannot be given in this mandate, and StepUpRequired (403) when
        a role that answers for the installation is given or taken without a recent `login` of the actor.
        """
        ...

    async def set_access_roles(
        self,
        session: AsyncSession,
        mandate_id: MandateId,
        instance_id: InstanceId,
        user_id: UserId,
        role_ids: Iterable[RoleId],
        *,
        actor_id: UserId,
    ) -> None:
        """Make these exactly the roles of a member's access to an instance. Raises RoleNotAssignable (422) for a role
        that is not of this instance, or when there is no such access.
        """
        ...

    async def roles_of_members(
        self, session: AsyncSession, mandate_id: MandateId, membership_ids: Iterable[MembershipId]
    ) -> dict[MembershipId, list[RoleId]]:
        """The roles of these members, for display."""
        ...

    async def roles_of_access(
        self, session: AsyncSession, mandate_id: MandateId, instance_id: InstanceId, user_ids: Iterable[UserId]
    ) -> dict[UserId, list[RoleId]]:
        """The roles these people hold in an instance, for display."""
        ...

    async def require_assignable(
        self, session: AsyncSession, mandate_id: MandateId, role_ids: Iterable[RoleId]
    ) -> None:
        """Check roles that are to be given to members later. Raises RoleNotAssignable (422) for one that cannot be
        given in this mandate, or answers for the installation and so takes a recent sign-in.
        """
        ...


class RoleOffers(Protocol):
    """Judges roles that people will be given later, without anybody looking."""

    async def require_offerable(
        self, session: AsyncSession, mandate_id: MandateId, role_id: RoleId, *, offered_by: UserId, needs: Need
    ) -> None:
        """Check a role for newcomers whom nobody has chosen; locks the mandate until the transaction ends.

        Raises RoleNotAssignable (422) for one that cannot be given here, RoleNotOfferable (422) for one that answers
        for who may do what, EscalationRefused (403) for rights that `offered_by` does not have (any more), and
        PermissionDenied (403) when they may not do what `needs` says.
        """
        ...


class RolePromise(NamedTuple):
    """Roles, and groups, that somebody who is no member yet will get together, on the word of whoever promised."""

    id: UUID
    role_ids: frozenset[RoleId]
    group_ids: frozenset[GroupId]


class RolePromises(Protocol):
    """A feature below RBAC that promises roles to newcomers. `GrantGuard.change` compares them as if they were kept."""

    async def of_mandate(self, session: AsyncSession, mandate_id: MandateId) -> list[RolePromise]:
        """Every promise in the mandate that can still be kept, as this transaction sees it."""
        ...


class Administrators(Protocol):
    """Who can put a mandate right again (authorization.md, section 6)."""

    async def of_mandate(self, session: AsyncSession, mandate_id: MandateId) -> frozenset[UserId]:
        """The members who count as administrators now, as this transaction sees it."""
        ...


class MandateProvisioning(Protocol):
    """What a mandate needs of the roles when it begins. These acts rest on an installation permission, not on rights in
    the mandate: they are for a mandate that has no administrator yet, and do not pass `GrantGuard.change`.
    """

    async def provision(self, session: AsyncSession, mandate_id: MandateId) -> None:
        """Give a new mandate its own `everyone`. `session` works across mandates."""
        ...

    async def appoint_administrator(
        self, session: AsyncSession, mandate_id: MandateId, membership_id: MembershipId, *, appointed_by: UserId
    ) -> None:
        """Give the global role `administrator` to this member, without end."""
        ...

    async def may_create_mandates(self, session: AsyncSession, user_id: UserId) -> bool:
        """Whether this person may (still) create mandates: `admin.mandates` create, by a role of the root mandate.
        `session` works across mandates.
        """
        ...


class MandateErasure(Protocol):
    """A feature that keeps rows of mandates and lets them go when one is erased."""

    async def erase(self, session: AsyncSession, mandate_id: MandateId) -> None:
        """Delete this feature's rows of the mandate. `session` works across mandates; nobody can enter the mandate any
        more.
        """
        ...


@contextmanager
def rights_may_change(session: AsyncSession, reason: str) -> Iterator[None]:
    """Mark the block in which `session` changes rights: `GrantGuard.change` does; so does what begins a mandate, before
    there is anybody to compare with. Flush inside the block.
    """
    outer = session.info.get(RIGHTS_MAY_CHANGE)
    session.info[RIGHTS_MAY_CHANGE] = reason
    try:
        yield
    finally:
        session.info[RIGHTS_MAY_CHANGE] = outer


def need_of(context: RequestContext) -> Need | None:
    """What the route of this context required, and how far it reached, to be asked again inside the writing
    transaction.
    """
    if context.item is None or context.action is None:
        return None
    level = context.permissions.level(context.item, context.action)
    return Need(context.item, context.action, level, context.login.session_id)
