"""What a person is shown of the context they are in: names of roles and groups, and the mandate's login policy."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.models import Role
from modules.shared.context import RequestContext
from modules.shared.ids import GroupId

_GROUPS = text("SELECT id, name FROM groups WHERE mandate_id = :mandate AND id = ANY(:groups) ORDER BY name, id")
_LOGIN_POLICY = text("SELECT login_policy::text FROM mandates WHERE id = :mandate")


async def find_roles(session: AsyncSession, role_ids: Iterable[UUID]) -> Sequence[Role]:
    """Those of the roles the session may see."""
    found = await session.scalars(select(Role).where(Role.id.in_(list(role_ids))).order_by(Role.scope, Role.name))
    return found.all()


async def list_groups(context: RequestContext) -> Sequence[Row[UUID, str]]:
    """The caller's groups with their names."""
    groups: list[GroupId] = list(context.groups)
    return (await context.db.execute(_GROUPS, {"mandate": context.mandate.id, "groups": groups})).all()


async def find_login_policy(context: RequestContext) -> str | None:
    """The mandate's login policy as stored."""
    document: str | None = await context.db.scalar(_LOGIN_POLICY, {"mandate": context.mandate.id})
    return document
