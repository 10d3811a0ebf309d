"""What one person may do in one mandate at this instant, asked inside a transaction rather than by a request."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.evaluator import EffectiveTable
from modules.rbac.repository.holders import Bindings, binding_of, caps_of, compile_bound
from modules.shared.ids import MandateId, UserId

_HELD = text("""
SELECT r.id, r.version, a.role_scope, m.is_root
FROM memberships ms JOIN mandates m ON m.id = ms.mandate_id JOIN users u ON u.id = ms.user_id
JOIN role_assignments a ON a.membership_id = ms.id AND a.mandate_id = ms.mandate_id JOIN roles r ON r.id = a.role_id
WHERE ms.mandate_id = :mandate AND ms.user_id = :user AND m.enabled AND ms.enabled AND u.state <> 'disabled'
    AND (ms.valid_from IS NULL OR ms.valid_from <= now()) AND (ms.valid_until IS NULL OR ms.valid_until > now())
    AND (a.valid_from IS NULL OR a.valid_from <= now()) AND (a.valid_until IS NULL OR a.valid_until > now())
""")


async def standing_of(
    session: AsyncSession, mandate_id: MandateId, user_id: UserId, *, caps: Bindings | None = None
) -> EffectiveTable:
    """The rights of a member; empty for somebody who is none. `caps` stand in for those in force."""
    rows = await session.execute(_HELD, {"mandate": mandate_id, "user": user_id})
    held = {binding_of(row.id, row.version, row.role_scope, is_root=row.is_root) for row in rows}
    bound = await caps_of(session, mandate_id) if caps is None else caps
    return EffectiveTable(held, await compile_bound(session, held | bound, {}), bound)
