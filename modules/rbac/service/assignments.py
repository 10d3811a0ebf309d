"""Giving roles to members and to their accesses to an instance: the `RoleGrants` of `modules.shared.grants`.

Where a role may be given follows from its scope. Whether the giver may give it is the guard's question: all of this
happens inside `GrantGuard.change`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac import errors
from modules.rbac.models import Role, RoleAssignment
from modules.rbac.repository import assignments as repository
from modules.rbac.service.installation_roles import InstallationRoles
from modules.shared import clock
from modules.shared.context import Login
from modules.shared.ids import InstanceId, MandateId, MembershipId, RoleId, UserId, new_id


@dataclass(frozen=True, slots=True)
class Given:
    """By whom a role is given, and until when; None is without end."""

    by: UserId
    until: datetime | None = None


class RoleAssignments:
    """Gives and takes roles; those that answer for the installation only after a recent sign-in."""

    def __init__(self, installation: InstallationRoles) -> None:
        self._installation = installation

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
        """Make these exactly the member's roles; one whose time was over is given anew."""
        wanted = set(role_ids)
        present = await repository.of_members(session, mandate_id, [membership_id])
        roles = await repository.roles_for_members(
            session, mandate_id, wanted | {RoleId(assignment.role_id) for assignment in present}
        )
        _require_all(wanted, roles)
        kept = {RoleId(assignment.role_id) for assignment in present if not _is_over(assignment)} & wanted
        given = wanted - kept
        taken = [assignment for assignment in present if assignment.role_id not in kept]
        changed = given | {RoleId(assignment.role_id) for assignment in taken}
        await self._installation.demand_recent(session, [roles[role_id] for role_id in changed & roles.keys()], login)
        await _replace(
            session,
            taken,
            [
                assignment_of_member(mandate_id, membership_id, roles[role_id], Given(actor_id, valid_until))
                for role_id in given
            ],
        )

    async def give(
        self,
        session: AsyncSession,
        mandate_id: MandateId,
        membership_id: MembershipId,
        role_id: RoleId,
        given: Given,
        login: Login | None = None,
    ) -> RoleAssignment:
        """One role more. Raises RoleNotAssignable, RoleHeldAlready, StepUpRequired."""
        roles = await repository.roles_for_members(session, mandate_id, [role_id])
        _require_all({role_id}, roles)
        await self._installation.demand_recent(session, roles.values(), login)
        present = await repository.of_members(session, mandate_id, [membership_id])
        same = [assignment for assignment in present if assignment.role_id == role_id]
        if any(not _is_over(assignment) for assignment in same):
            raise errors.RoleHeldAlready
        assignment = assignment_of_member(mandate_id, membership_id, roles[role_id], given)
        await _replace(session, same, [assignment])
        return assignment

    async def take(self, session: AsyncSession, assignment: RoleAssignment, role: Role, login: Login | None) -> None:
        """One role less. Raises StepUpRequired."""
        await self._installation.demand_recent(session, [role], login)
        await _replace(session, [assignment], [])

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
        """Make these exactly the roles of a member's access to an instance."""
        wanted = set(role_ids)
        access_id = await repository.find_access(session, mandate_id, instance_id, user_id)
        if access_id is None:
            raise errors.RoleNotAssignable(pointer="/role_ids")
        roles = await repository.roles_for_access(session, mandate_id, instance_id, wanted)
        _require_all(wanted, roles)
        present = await repository.of_access(session, mandate_id, access_id)
        kept = {RoleId(assignment.role_id) for assignment in present if not _is_over(assignment)} & wanted
        await _replace(
            session,
            [assignment for assignment in present if assignment.role_id not in kept],
            [
                _assignment(mandate_id, roles[role_id], Given(actor_id), access_id=access_id)
                for role_id in wanted - kept
            ],
        )

    async def roles_of_members(
        self, session: AsyncSession, mandate_id: MandateId, membership_ids: Iterable[MembershipId]
    ) -> dict[MembershipId, list[RoleId]]:
        """The roles these members hold; not those whose time is over."""
        held: defaultdict[MembershipId, list[RoleId]] = defaultdict(list)
        for assignment in await repository.of_members(session, mandate_id, membership_ids):
            if assignment.membership_id is not None and not _is_over(assignment):
                held[MembershipId(assignment.membership_id)].append(RoleId(assignment.role_id))
        return dict(held)

    async def roles_of_access(
        self, session: AsyncSession, mandate_id: MandateId, instance_id: InstanceId, user_ids: Iterable[UserId]
    ) -> dict[UserId, list[RoleId]]:
        """The roles these people hold in an instance."""
        held: defaultdict[UserId, list[RoleId]] = defaultdict(list)
        for row in await repository.roles_in_instance(session, mandate_id, instance_id, user_ids):
            held[UserId(row.user_id)].append(RoleId(row.role_id))
        return dict(held)

    async def require_assignable(
        self, session: AsyncSession, mandate_id: MandateId, role_ids: Iterable[RoleId]
    ) -> None:
        """Raises RoleNotAssignable for a role no membership of this mandate can be given, or only after a recent
        sign-in, which nobody has done yet.
        """
        wanted = set(role_ids)
        roles = await repository.roles_for_members(session, mandate_id, wanted)
        _require_all(wanted, roles)
        if await self._installation.are_among(session, roles.values()):
            raise errors.RoleNotAssignable(pointer="/role_ids")


def assignment_of_member(
    mandate_id: MandateId, membership_id: MembershipId, role: Role, given: Given
) -> RoleAssignment:
    """The row that gives `role` to a member."""
    return _assignment(mandate_id, role, given, membership_id=membership_id)


async def _replace(session: AsyncSession, taken: Sequence[RoleAssignment], given: Sequence[RoleAssignment]) -> None:
    for assignment in taken:
        await session.delete(assignment)
    await session.flush()  # a role given anew must not meet its old row
    session.add_all(given)
    await session.flush()


def _require_all(wanted: set[RoleId], roles: dict[RoleId, Role]) -> None:
    missing = wanted - roles.keys()
    if missing:
        raise errors.RoleNotAssignable(pointer="/role_ids", roles=sorted(map(str, missing)))


def _is_over(assignment: RoleAssignment) -> bool:
    return assignment.valid_until is not None and assignment.valid_until <= clock.now()


def _assignment(
    mandate_id: MandateId,
    role: Role,
    given: Given,
    *,
    membership_id: MembershipId | None = None,
    access_id: UUID | None = None,
) -> RoleAssignment:
    return RoleAssignment(
        id=new_id(),
        mandate_id=mandate_id,
        membership_id=membership_id,
        instance_access_id=access_id,
        role_id=role.id,
        role_mandate_id=role.mandate_id,
        role_scope=role.scope,
        valid_from=None,
        valid_until=given.until,
        granted_by=given.by,
        created_at=clock.now(),
    )
