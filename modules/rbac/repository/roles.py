"""Roles and their rules. A session sees its mandate's roles and the global ones; row-level security hides the rest."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.models import Role, RoleAssignment, RoleRule, ScheduledGrant, SysadminEntry
from modules.shared.ids import MandateId, RoleId


async def list_roles(session: AsyncSession, mandate_id: MandateId, *, with_global: bool = True) -> Sequence[Role]:
    """The mandate's own roles and those of its instances, and (if asked) the global ones; by scope and name."""
    wanted = Role.mandate_id == mandate_id
    if with_global:
        wanted = wanted | (Role.scope == "global")
    rows = await session.scalars(select(Role).where(wanted).order_by(Role.scope, Role.name, Role.id))
    return rows.all()


async def find_role(session: AsyncSession, mandate_id: MandateId, role_id: RoleId) -> Role | None:
    """A role of this mandate or a global one."""
    return await session.scalar(
        select(Role).where(Role.id == role_id, (Role.mandate_id == mandate_id) | (Role.scope == "global"))
    )


async def find_global_role_by_key(session: AsyncSession, key: str) -> Role | None:
    """A built-in global role."""
    return await session.scalar(select(Role).where(Role.scope == "global", Role.key == key))


async def find_role_by_key(session: AsyncSession, mandate_id: MandateId, key: str) -> Role | None:
    """A built-in role of this mandate."""
    return await session.scalar(
        select(Role).where(Role.mandate_id == mandate_id, Role.scope == "mandate", Role.key == key)
    )


async def list_rules(session: AsyncSession, role_ids: Iterable[UUID]) -> Sequence[RoleRule]:
    """The rules of these roles, by kind and item."""
    rows = await session.scalars(
        select(RoleRule).where(RoleRule.role_id.in_(list(role_ids))).order_by(RoleRule.kind, RoleRule.item)
    )
    return rows.all()


async def count_rules(session: AsyncSession, role_ids: Iterable[UUID]) -> dict[UUID, int]:
    """How many rules each of these roles has."""
    rows = await session.execute(
        select(RoleRule.role_id, func.count().label("number"))
        .where(RoleRule.role_id.in_(list(role_ids)))
        .group_by(RoleRule.role_id)
    )
    return {row.role_id: row.number for row in rows}


async def erase(session: AsyncSession, mandate_id: MandateId) -> None:
    """Delete everything about roles in a mandate: who holds them, their rules, they themselves, and visits."""
    for rows in (ScheduledGrant, RoleAssignment, RoleRule, Role, SysadminEntry):
        await session.execute(delete(rows).where(rows.mandate_id == mandate_id))


async def delete_rules(session: AsyncSession, mandate_id: MandateId, role_id: RoleId) -> None:
    """Remove every rule of a role."""
    await session.execute(delete(RoleRule).where(RoleRule.mandate_id == mandate_id, RoleRule.role_id == role_id))


async def list_global_roles(session: AsyncSession, root_mandate_id: MandateId) -> Sequence[Role]:
    """The global roles, by name."""
    wanted = select(Role).where(Role.mandate_id == root_mandate_id, Role.scope == "global")
    return (await session.scalars(wanted.order_by(Role.name, Role.id))).all()


async def list_global_rules(session: AsyncSession, root_mandate_id: MandateId) -> Sequence[RoleRule]:
    """The rules of all global roles, as the database has them now."""
    globally = select(Role.id).where(Role.mandate_id == root_mandate_id, Role.scope == "global")
    wanted = select(RoleRule).where(RoleRule.mandate_id == root_mandate_id, RoleRule.role_id.in_(globally))
    return (await session.scalars(wanted.execution_options(populate_existing=True))).all()
