"""Whoever changes rights by an API key has no more to give than the key leaves of what they hold."""

from sqlalchemy.ext.asyncio import AsyncSession

from modules.rbac.evaluator import EffectiveTable
from modules.rbac.scoped_table import ScopedTable
from modules.shared.scoping import rights_of


def within_key(session: AsyncSession, held: EffectiveTable) -> EffectiveTable:
    """`held`, lowered by the scopes of the API key whose request this session works for, if it is one's."""
    rights = rights_of(session.sync_session)
    scoped = rights.levels if rights else None
    return scoped.cut(held) if isinstance(scoped, ScopedTable) else held
