"""Notes that sessions were used, outside the request: the authorised request itself writes nothing."""

import asyncio

import structlog

from modules.auth.repository import activity as repository
from modules.shared import clock
from modules.shared.database import Database
from modules.shared.ids import SessionId, TokenId, UserId

_log = structlog.get_logger(__name__)
_PAUSE_SECONDS = 1.0
_MOST_NOTED = 50_000


class ActivityService:
    """Collects for a second, then writes one statement for all. A process that dies loses at most that second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._generations: dict[SessionId, int] = {}
        self._entered: set[UserId] = set()
        self._keys: set[TokenId] = set()

    def note(self, session_id: SessionId, generation: int) -> None:
        """The session was used with a token of this generation."""
        if len(self._generations) < _MOST_NOTED:
            self._generations[session_id] = max(generation, self._generations.get(session_id, 0))

    def note_entered(self, user_id: UserId) -> None:
        """A verified user entered a mandate."""
        if len(self._entered) < _MOST_NOTED:
            self._entered.add(user_id)

    def note_key(self, key_id: TokenId) -> None:
        """The API key was used."""
        if len(self._keys) < _MOST_NOTED:
            self._keys.add(key_id)

    async def run(self) -> None:
        """Write what was noted, forever."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what was noted. A database that is away costs the note, never the process."""
        generations, entered, keys = self._generations, self._entered, self._keys
        if not generations and not entered and not keys:
            return
        self._generations, self._entered, self._keys = {}, set(), set()
        try:
            async with self._database.system_session() as session:
                if generations:
                    await repository.mark_seen(session, generations, clock.now())
                if entered:
                    await repository.mark_entered(session, list(entered))
                if keys:
                    await repository.mark_keys_used(session, list(keys), clock.now())
        except Exception as error:  # noqa: BLE001 - noted again by the next request: the row still says it is due
            _log.warning("activity_not_written", error=type(error).__name__)
