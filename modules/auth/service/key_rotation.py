"""Rotating the keys: published first, signing a moment later, verifying for as long as what they signed lasts.

No process meets a key it cannot know, and nobody notices. Keys that somebody else may have are retired at once instead,
and every session of the installation ends with them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from modules.audit.service import AuditLog
from modules.auth.key_errors import RotationUnderWay
from modules.auth.keys import KeyPurpose, KeyState
from modules.auth.models import StoredKey
from modules.auth.repository import keys as repository
from modules.auth.repository import sessions, users
from modules.auth.schemas.administration import KeyRead
from modules.auth.service.keys import KeyStore
from modules.auth.service.recent import demand_recent
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller
from modules.shared.database import Database

PUBLISHED_FOR: Final = timedelta(minutes=1)
"""How long a key is known everywhere before it signs."""
_SLACK: Final = timedelta(minutes=5)
_SHORT_PROOFS: Final = timedelta(days=1)
"""Longer than a ticket, a hand-over or a code lives."""


class KeyRotation:
    """Moves keys on: `next → signing → verify → retired`."""

    def __init__(self, database: Database, store: KeyStore, audit: AuditLog, settings: AuthSettings) -> None:
        self._database = database
        self._store = store
        self._audit = audit
        self._settings = settings

    async def list_keys(self) -> list[KeyRead]:
        """All keys, the oldest first; never their secrets."""
        async with self._database.system_session() as session:
            return [KeyRead.model_validate(record) for record in await repository.list_keys(session)]

    async def rotate(self, by: Caller | None, *, compromised: bool = False) -> list[KeyRead]:
        """Begin a rotation, which `advance` completes; or, `compromised`, do it at once and end all sessions.

        Raises StepUpRequired, RotationUnderWay. `by` is None for the operator at the command line.
        """
        if by is not None:
            await demand_recent(by, self._settings.recent_login)
        async with self._database.system_session() as session:
            await repository.lock_keys(session)
            records = await repository.list_keys(session)
            if compromised:
                ended = await self._replace(session, records)
            else:
                if _in_state(records, KeyState.NEXT):
                    raise RotationUnderWay
                session.add_all(self._store.new_row(purpose, KeyState.NEXT) for purpose in KeyPurpose)
                ended = 0
            await session.flush()
            number = await repository.renew_number(session)
            details = {"compromised": compromised, "sessions": ended}
            self._audit.record(session, "key_rotated", by=by, details=details)
        await self._store.reload(wanted=number)
        return await self.list_keys()

    async def advance(self) -> None:
        """Let published keys sign, and retire those whose proofs have all expired. For a job, every minute."""
        async with self._database.system_session() as session:
            await repository.lock_keys(session)
            now = clock.now()
            records = await repository.list_keys(session)
            published = [each for each in _in_state(records, KeyState.NEXT) if now - each.created_at >= PUBLISHED_FOR]
            expired = [each for each in _in_state(records, KeyState.VERIFY) if self._is_expired(each, records, now)]
            if not published and not expired:
                return
            purposes = {record.purpose for record in published}
            former = [each for each in _in_state(records, KeyState.SIGNING) if each.purpose in purposes]
            await repository.set_state(session, _kids(former), KeyState.VERIFY, now)
            await repository.set_state(session, _kids(published), KeyState.SIGNING, now)
            await repository.set_state(session, _kids(expired), KeyState.RETIRED, now)
            await repository.renew_number(session)

    async def _replace(self, session: AsyncSession, records: Sequence[StoredKey]) -> int:
        """New keys sign at once. The key that seals data stays to open it; what it sealed is renewed when used."""
        now = clock.now()
        live = [record for record in records if record.state != KeyState.RETIRED.value]
        sealing = [record for record in live if record.purpose == KeyPurpose.DATA.value]
        proving = [record for record in live if record.purpose != KeyPurpose.DATA.value]
        await repository.set_state(session, _kids(sealing), KeyState.VERIFY, now)
        await repository.set_state(session, _kids(proving), KeyState.RETIRED, now)
        session.add_all(self._store.new_row(purpose, KeyState.SIGNING) for purpose in KeyPurpose)
        await users.raise_versions(session)
        return await sessions.revoke_everywhere(session, "keys_compromised", now)

    def _is_expired(self, key: StoredKey, records: Sequence[StoredKey], now: datetime) -> bool:
        lifetime = self._proofs_last(KeyPurpose(key.purpose))
        since = key.activated_at or key.created_at
        followers = (
            each.activated_at
            for each in records
            if each.purpose == key.purpose and each.activated_at is not None and each.activated_at > since
        )
        stopped = min(followers, default=None)
        return lifetime is not None and stopped is not None and now - stopped > lifetime + _SLACK

    def _proofs_last(self, purpose: KeyPurpose) -> timedelta | None:
        """How long after its last signature a key may still be asked about; None: for ever."""
        match purpose:
            case KeyPurpose.ACCESS:
                return self._settings.access_token_lifetime
            case KeyPurpose.REFRESH:
                return self._settings.session_lifetime
            case KeyPurpose.DATA:
                return None
            case _:
                return _SHORT_PROOFS


def _in_state(records: Iterable[StoredKey], state: KeyState) -> list[StoredKey]:
    return [record for record in records if record.state == state.value]


def _kids(records: Iterable[StoredKey]) -> list[str]:
    return [record.kid for record in records]
