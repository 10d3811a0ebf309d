"""The rows of signing keys. Only `mandate_system` may read them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import KeyState, SigningKey, open_key, seal_key
from modules.auth.models import StoredKey
from modules.auth.sealing import MasterKey

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('mandate.signing_keys'))")
_NUMBER = text("SELECT key_set_number FROM installation")
_NEXT_NUMBER = text("UPDATE installation SET key_set_number = key_set_number + 1 RETURNING key_set_number")


async def lock_keys(session: AsyncSession) -> None:
    """Let one process at a time change the keys, until the transaction ends."""
    await session.execute(_LOCK)


async def key_set_number(session: AsyncSession) -> int:
    """The number of the key set as this transaction sees it."""
    return int(await session.scalar(_NUMBER) or 0)


async def renew_number(session: AsyncSession) -> int:
    """Say that the keys changed: every process reloads them with its next request."""
    return int(await session.scalar(_NEXT_NUMBER) or 0)


async def list_keys(session: AsyncSession) -> Sequence[StoredKey]:
    """All keys, the oldest first."""
    return (await session.scalars(select(StoredKey).order_by(StoredKey.created_at, StoredKey.kid))).all()


async def any_key(session: AsyncSession) -> bool:
    """Whether there are keys already, sealed by the master key of then."""
    return bool(await session.scalar(select(exists().select_from(StoredKey))))


def opened(record: StoredKey, master: MasterKey) -> SigningKey:
    """The key in a row."""
    return open_key(
        master,
        {
            "kid": record.kid,
            "purpose": record.purpose,
            "state": record.state,
            "algorithm": record.algorithm,
            "sealed_secret": record.sealed_secret,
            "public_key": record.public_key,
        },
    )


def sealed(key: SigningKey, master: MasterKey, now: datetime) -> StoredKey:
    """The row for a key."""
    activated = now if key.state is KeyState.SIGNING else None
    return StoredKey(**seal_key(master, key), created_at=now, activated_at=activated, retired_at=None)


async def set_state(session: AsyncSession, kids: Sequence[str], state: KeyState, now: datetime) -> None:
    """Move keys on. The order matters to the caller: there is one signing key per purpose at any moment."""
    values: dict[str, object] = {"state": state.value}
    if state is KeyState.SIGNING:
        values["activated_at"] = now
    if state is KeyState.RETIRED:
        values["retired_at"] = now
    await session.execute(update(StoredKey).where(StoredKey.kid.in_(kids)).values(**values))
