"""Writing down that sessions were used, many at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from modules.shared.ids import SessionId, TokenId, UserId

# A row that a refresh or a logout holds is passed over: its next request is noted again, and nobody waits for anybody.
_SEEN = text("""
WITH used AS (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:generations AS int[])) AS u (id, generation)),
free AS (SELECT s.id FROM sessions s WHERE s.id IN (SELECT id FROM used) ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED)
UPDATE sessions s
SET last_seen_at = CASE WHEN s.last_seen_at < CAST(:now AS timestamptz) - interval '1 minute'
        THEN :now ELSE s.last_seen_at END,
    confirmed_generation = greatest(s.confirmed_generation, used.generation)
FROM used JOIN free USING (id) WHERE s.id = used.id
""")
_ENTERED = text("UPDATE users SET state = 'active' WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'verified'")
_KEYS_USED = text("""
WITH free AS (
    SELECT k.id FROM api_keys k WHERE k.id = ANY(CAST(:ids AS uuid[]))
        AND (k.last_used_at IS NULL OR k.last_used_at < CAST(:now AS timestamptz) - interval '1 minute')
    ORDER BY k.id FOR NO KEY UPDATE SKIP LOCKED)
UPDATE api_keys k SET last_used_at = :now FROM free WHERE k.id = free.id
""")


async def mark_seen(session: AsyncSession, generations: Mapping[SessionId, int], now: datetime) -> None:
    """Set `last_seen_at`, at most once a minute, and remember the newest generation a session was used with."""
    ids = sorted(generations)
    parameters = {"now": now, "ids": ids, "generations": [generations[each] for each in ids]}
    await session.execute(_SEEN, parameters)


async def mark_entered(session: AsyncSession, user_ids: Sequence[UserId]) -> None:
    """Verified users become active."""
    await session.execute(_ENTERED, {"ids": sorted(user_ids)})


async def mark_keys_used(session: AsyncSession, key_ids: Sequence[TokenId], now: datetime) -> None:
    """Set when API keys were last used, at most once a minute."""
    await session.execute(_KEYS_USED, {"ids": sorted(key_ids), "now": now})
