"""What newcomers of a mandate were promised: by invitations and by domains."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.models import Invitation, MandateDomain
from modules.shared.grants import RolePromise
from modules.shared.ids import GroupId, MandateId, RoleId


async def of_invitations(session: AsyncSession, mandate_id: MandateId) -> list[RolePromise]:
    """Those of invitations neither accepted nor withdrawn. One that has expired counts: it can be sent again."""
    rows = await session.execute(
        select(Invitation.id, Invitation.role_ids, Invitation.group_ids).where(
            Invitation.mandate_id == mandate_id,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
            Invitation.role_ids != [],
        )
    )
    return [
        RolePromise(row.id, frozenset(map(RoleId, row.role_ids)), frozenset(map(GroupId, row.group_ids)))
        for row in rows
    ]


async def of_domains(session: AsyncSession, mandate_id: MandateId) -> list[RolePromise]:
    """Those of domains, proven or not: each can be proven any time without another word about its role."""
    rows = await session.execute(
        select(MandateDomain.id, MandateDomain.role_id).where(
            MandateDomain.mandate_id == mandate_id, MandateDomain.role_id.is_not(None)
        )
    )
    return [RolePromise(row.id, frozenset({RoleId(row.role_id)}), frozenset()) for row in rows]
