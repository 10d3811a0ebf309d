"""The browsers a person is known by: recognised at a sign-in, told of when new, listed and forgotten by their owner."""

from typing import Final
from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.auth.errors import DeviceNotFound
from modules.auth.keys import hash_secret, new_secret
from modules.auth.models import Device, UserSession
from modules.auth.repository import devices as repository
from modules.auth.repository import sessions
from modules.auth.schemas.sessions import DeviceRead
from modules.auth.service.new_device import tell_of_new_device
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.ids import SessionId, UserId, new_id

KEEPS_NO_COOKIES: Final = ""
"""Instead of a browser's secret: a script signs in, which is known by its user agent and network alone."""


class DeviceService:
    """Knows browsers."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    async def recognise(self, visitor: Visitor, opened: UserSession, secret: str | None) -> str | None:
        """A secret for a new browser to keep; None where there is nothing to keep.

        `opened` is the session that was just written. Whoever has signed in before is told of a device that is new;
        somebody who proves themselves once more is where they were.
        """
        user_id = UserId(opened.user_id)
        if secret == KEEPS_NO_COOKIES:
            if not isinstance(visitor, Caller) and not await sessions.has_like(visitor.db, opened):
                await self._note_new(visitor, opened, first=not await self._has_signed_in(visitor, opened))
            return None
        device = await repository.find(visitor.db, hash_secret(secret), user_id) if secret is not None else None
        if device is not None:
            device.last_used_at = opened.created_at
            device.name = opened.device_name
            return None
        if not isinstance(visitor, Caller):
            await self._note_new(visitor, opened, first=not await self._has_signed_in(visitor, opened))
        return self._remember(visitor, opened)

    async def list_own(self, caller: Caller, secret: str | None) -> list[DeviceRead]:
        """The caller's known browsers, the newest first, this one marked."""
        current = hash_secret(secret) if secret else None
        found = [each for each in await repository.list_of_user(caller.db, caller.user.id) if each.revoked_at is None]
        return [
            DeviceRead.model_validate(each).model_copy(update={"current": each.secret_hash == current})
            for each in reversed(found)
        ]

    async def forget(self, caller: Caller, device_id: UUID) -> None:
        """Know a browser no more: its next sign-in is that of a new one. Sessions stay. Raises DeviceNotFound."""
        if not await repository.revoke(caller.db, device_id, caller.user.id, clock.now()):
            raise DeviceNotFound
        self._audit.record(caller.db, "device_forgotten", by=caller, subject=Subject("device", device_id))

    async def _has_signed_in(self, visitor: Visitor, opened: UserSession) -> bool:
        """Whether the session is not their first sign-in."""
        user_id = UserId(opened.user_id)
        return await repository.any_of_user(visitor.db, user_id) or await sessions.has_other(visitor.db, opened)

    async def _note_new(self, visitor: Visitor, opened: UserSession, *, first: bool) -> None:
        self._audit.record(visitor.db, "new_device", by=visitor, user_id=UserId(opened.user_id))
        if not first:
            await tell_of_new_device(visitor.db, SessionId(opened.id))

    def _remember(self, visitor: Visitor, opened: UserSession) -> str:
        secret = new_secret()
        visitor.db.add(
            Device(
                id=new_id(),
                user_id=opened.user_id,
                secret_hash=hash_secret(secret),
                name=opened.device_name,
                created_at=opened.created_at,
                last_used_at=opened.created_at,
            )
        )
        return secret
