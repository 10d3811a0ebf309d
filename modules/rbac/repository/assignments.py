"""Who was given which role: now, through an instance, and for later."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, RowMapping, func, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.models import Role, RoleAssignment, ScheduledGrant
from modules.shared.catalogue import AccessLevel
from modules.shared.ids import GroupId, InstanceId, MandateId, MembershipId, RoleId, UserId

_ACCESS = text(
    "SELECT id FROM instance_access WHERE mandate_id = :mandate AND instance_id = :instance AND user_id = :user"
)
_ROLES_OF_ACCESS = text("""
SELECT x.user_id, a.role_id FROM instance_access x
JOIN role_assignments a ON a.mandate_id = x.mandate_id AND a.instance_access_id = x.id
WHERE x.mandate_id = :mandate AND x.instance_id = :instance AND x.user_id = ANY(:users) ORDER BY a.role_id
""")
_MEMBER = text("SELECT user_id FROM memberships WHERE mandate_id = :mandate AND id = :membership")
_HOLDERS = text("""
SELECT a.id, ms.id AS membership_id, ms.user_id, x.instance_id, a.valid_from, a.valid_until, a.granted_by, a.created_at
FROM role_assignments a LEFT JOIN instance_access x ON x.mandate_id = a.mandate_id AND x.id = a.instance_access_id
JOIN memberships ms ON ms.mandate_id = a.mandate_id AND (ms.id = a.membership_id OR ms.user_id = x.user_id)
WHERE a.mandate_id = :mandate AND a.role_id = :role ORDER BY a.created_at, a.id
""")

_IN_GROUPS = text("""
SELECT DISTINCT user_id FROM group_members
WHERE mandate_id = :mandate AND group_id = ANY(:groups) AND user_id = ANY(:users)
""")
_NEARNESS = text("""
SELECT CASE WHEN ms.user_id = :granter THEN 1 WHEN EXISTS (SELECT FROM group_members own JOIN group_members theirs
    ON theirs.mandate_id = own.mandate_id AND theirs.group_id = own.group_id AND theirs.user_id = ms.user_id
    WHERE own.mandate_id = g.mandate_id AND own.user_id = :granter) THEN 2 ELSE 3 END
FROM scheduled_grants g JOIN memberships ms ON ms.mandate_id = g.mandate_id AND ms.id = g.membership_id
WHERE g.mandate_id = :mandate AND g.id = :grant
""")


async def roles_for_members(
    session: AsyncSession, mandate_id: MandateId, role_ids: Iterable[RoleId]
) -> dict[RoleId, Role]:
    """Those of the roles that a membership of this mandate can be given: its own and the global ones."""
    here = or_(Role.scope == "global", (Role.scope == "mandate") & (Role.mandate_id == mandate_id))
    return await _assignable(session, role_ids, here)


async def roles_for_access(
    session: AsyncSession, mandate_id: MandateId, instance_id: InstanceId, role_ids: Iterable[RoleId]
) -> dict[RoleId, Role]:
    """Those of the roles that an access to this instance can be given: the instance's own."""
    return await _assignable(session, role_ids, (Role.mandate_id == mandate_id) & (Role.instance_id == instance_id))


async def _assignable(
    session: AsyncSession, role_ids: Iterable[RoleId], here: ColumnElement[bool]
) -> dict[RoleId, Role]:
    """The roles `everyone` bind everybody and are given to nobody."""
    wanted = select(Role).where(Role.id.in_(list(role_ids)), Role.key.is_distinct_from("everyone"))
    found = await session.scalars(wanted.where(here))
    return {RoleId(role.id): role for role in found}


async def of_members(
    session: AsyncSession, mandate_id: MandateId, membership_ids: Iterable[MembershipId]
) -> Sequence[RoleAssignment]:
    """Roles given to these memberships."""
    wanted = RoleAssignment.membership_id.in_(list(membership_ids))
    rows = await session.scalars(
        select(RoleAssignment).where(RoleAssignment.mandate_id == mandate_id, wanted).order_by(RoleAssignment.role_id)
    )
    return rows.all()


async def of_access(session: AsyncSession, mandate_id: MandateId, access_id: UUID) -> Sequence[RoleAssignment]:
    """Roles given to one access to an instance."""
    rows = await session.scalars(
        select(RoleAssignment).where(
            RoleAssignment.mandate_id == mandate_id, RoleAssignment.instance_access_id == access_id
        )
    )
    return rows.all()


async def find_access(
    session: AsyncSession, mandate_id: MandateId, instance_id: InstanceId, user_id: UserId
) -> UUID | None:
    """The access of a member to an instance."""
    found: UUID | None = await session.scalar(
        _ACCESS, {"mandate": mandate_id, "instance": instance_id, "user": user_id}
    )
    return found


async def roles_in_instance(
    session: AsyncSession, mandate_id: MandateId, instance_id: InstanceId, user_ids: Iterable[UserId]
) -> Sequence[Row[UUID, UUID]]:
    """(user, role) for these people's accesses to an instance."""
    users: list[UserId] = list(user_ids)
    return (
        await session.execute(_ROLES_OF_ACCESS, {"mandate": mandate_id, "instance": instance_id, "users": users})
    ).all()


async def find_member(session: AsyncSession, mandate_id: MandateId, membership_id: MembershipId) -> UserId | None:
    """Whose membership it is."""
    found: UserId | None = await session.scalar(_MEMBER, {"mandate": mandate_id, "membership": membership_id})
    return found


async def holders(session: AsyncSession, mandate_id: MandateId, role_id: RoleId) -> Sequence[RowMapping]:
    """Everybody in the mandate who was given the role, through which instance, and for how long."""
    return (await session.execute(_HOLDERS, {"mandate": mandate_id, "role": role_id})).mappings().all()


async def scheduled(session: AsyncSession, mandate_id: MandateId, role_id: RoleId) -> Sequence[ScheduledGrant]:
    """Who will be given the role."""
    rows = await session.scalars(
        select(ScheduledGrant)
        .where(
            ScheduledGrant.mandate_id == mandate_id,
            ScheduledGrant.role_id == role_id,
            ScheduledGrant.settled_at.is_(None),
        )
        .order_by(ScheduledGrant.valid_from, ScheduledGrant.id)
    )
    return rows.all()


async def find_scheduled(session: AsyncSession, mandate_id: MandateId, grant_id: UUID) -> ScheduledGrant | None:
    """A grant that waits, locked."""
    return await session.scalar(
        select(ScheduledGrant)
        .where(
            ScheduledGrant.mandate_id == mandate_id,
            ScheduledGrant.id == grant_id,
            ScheduledGrant.settled_at.is_(None),
        )
        .with_for_update()
    )


async def list_due(
    session: AsyncSession, limit: int, after: tuple[datetime, UUID] | None = None
) -> Sequence[Row[UUID, UUID, UUID, datetime]]:
    """(id, mandate, granter, valid from) of grants whose time has come, in any mandate, those due first first; of
    those behind `after` (valid from, id), if given. Needs a system session.
    """
    place = tuple_(ScheduledGrant.valid_from, ScheduledGrant.id)
    due = (
        select(ScheduledGrant.id, ScheduledGrant.mandate_id, ScheduledGrant.granted_by, ScheduledGrant.valid_from)
        .where(ScheduledGrant.settled_at.is_(None), ScheduledGrant.valid_from <= func.now())
        .order_by(ScheduledGrant.valid_from, ScheduledGrant.id)
        .limit(limit)
    )
    rows = await session.execute(due if after is None else due.where(place > after))
    return rows.all()


async def level_to_reach(
    session: AsyncSession, mandate_id: MandateId, grant_id: UUID, granter_id: UserId
) -> AccessLevel:
    """How far the granter's rights must reach for the member a grant is promised to: themselves, a fellow, or all."""
    found: int | None = await session.scalar(
        _NEARNESS, {"mandate": mandate_id, "grant": grant_id, "granter": granter_id}
    )
    return AccessLevel.ALL if found is None else AccessLevel(found)


async def find_assignment(
    session: AsyncSession, mandate_id: MandateId, role_id: RoleId, assignment_id: UUID
) -> RoleAssignment | None:
    """One assignment of a role in this mandate."""
    return await session.scalar(
        select(RoleAssignment).where(
            RoleAssignment.mandate_id == mandate_id,
            RoleAssignment.role_id == role_id,
            RoleAssignment.id == assignment_id,
        )
    )


async def members_within(
    session: AsyncSession, mandate_id: MandateId, groups: Iterable[GroupId], user_ids: Iterable[UserId]
) -> set[UserId]:
    """Those of the people who are in one of the groups."""
    wanted: dict[str, object] = {"mandate": mandate_id, "groups": list(groups), "users": list(user_ids)}
    return set(await session.scalars(_IN_GROUPS, wanted))
