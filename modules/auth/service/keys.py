"""The keys of this installation as this process holds them.

Keys are rows, sealed by the master key file. The authorisation statement tells every request the number of the key set;
a newer one makes the process load them again.
"""

import asyncio
import time

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import KeyAlgorithm, KeyPurpose, KeyRing, KeyState, generate_key
from modules.auth.models import StoredKey
from modules.auth.repository import keys as repository
from modules.auth.sealing import MasterKey
from modules.auth.signed_tokens import SignedTokens
from modules.shared import clock
from modules.shared.database import Database

_SHORTEST_SECONDS_BETWEEN_UNWANTED_RELOADS = 1.0


async def has_keys(database: Database) -> bool:
    """Whether the database holds keys already, sealed by the master key of then."""
    async with database.system_session() as session:
        return await repository.any_key(session)


class KeyStore:
    """Loads the key ring, keeps those signing with it who are served, and makes the first keys."""

    def __init__(self, database: Database, master: MasterKey, *, algorithm: KeyAlgorithm) -> None:
        self._database = database
        self._master = master
        self._algorithm = algorithm
        self._loading = asyncio.Lock()
        self._unwanted_reload_at = 0.0
        self._users: list[SignedTokens] = []
        self.ring = KeyRing(-1, ())

    async def load(self) -> KeyRing:
        """Load the keys, making the first of each purpose if there is none. Several processes may start at once."""
        async with self._database.system_session() as session:
            await repository.lock_keys(session)
            known = {record.purpose for record in await repository.list_keys(session)}
            missing = [purpose for purpose in KeyPurpose if purpose.value not in known]
            if missing:
                session.add_all(self.new_row(purpose, KeyState.SIGNING) for purpose in missing)
                await session.flush()
                await repository.renew_number(session)
            self.ring = await self._read(session)
        for tokens in self._users:
            tokens.use_keys(self.ring)
        return self.ring

    def serve(self, tokens: SignedTokens) -> SignedTokens:
        """Give `tokens` every newer ring."""
        self._users.append(tokens)
        return tokens

    async def reload(self, *, wanted: int | None) -> None:
        """Load the keys again unless the ring in use has the number `wanted`.

        Without a number (a token named an unknown key, which anybody can provoke) at most once a second.
        """
        async with self._loading:
            if wanted is not None and self.ring.number >= wanted:
                return
            if wanted is None:
                if time.monotonic() < self._unwanted_reload_at:
                    return
                self._unwanted_reload_at = time.monotonic() + _SHORTEST_SECONDS_BETWEEN_UNWANTED_RELOADS
            async with self._database.system_session() as session:
                self.ring = await self._read(session)
            for tokens in self._users:
                tokens.use_keys(self.ring)

    def new_row(self, purpose: KeyPurpose, state: KeyState) -> StoredKey:
        """A new random key, sealed, for a transaction that holds the lock on the keys."""
        algorithm = self._algorithm if purpose is KeyPurpose.ACCESS else None
        return repository.sealed(generate_key(purpose, state, algorithm), self._master, clock.now())

    async def _read(self, session: AsyncSession) -> KeyRing:
        number = await repository.key_set_number(session)
        records = await repository.list_keys(session)
        return KeyRing(number, (repository.opened(record, self._master) for record in records))
