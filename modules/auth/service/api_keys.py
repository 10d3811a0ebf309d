"""API keys: made and ended by their owner, shown once.

A key acts for its owner with the rights its scopes leave, judged anew on every request. It is no sign-in: it never
counts as a recent one, and makes no other key.
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.auth.api_key_errors import ApiKeyExpiry, ApiKeyMandateUnknown, ApiKeyNotFound, TooManyApiKeys
from modules.auth.api_keys import new_api_key, read_api_key
from modules.auth.models import ApiKey, Token
from modules.auth.repository import api_keys as repository
from modules.auth.repository import sessions as session_repository
from modules.auth.repository import users
from modules.auth.repository.api_keys import API_KEY, KeyRow
from modules.auth.schemas.api_keys import ApiKeyCreate, ApiKeyMade, ApiKeyRead
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.recent import demand_recent
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.catalogue import ItemCatalogue
from modules.shared.context import Caller
from modules.shared.errors import Unauthenticated
from modules.shared.ids import MandateId, TokenId, new_id
from modules.shared.key_scopes import checked_scopes


class OwnMandates(Protocol):
    """The mandates a person may enter."""

    async def includes(self, caller: Caller, mandate_id: MandateId) -> bool:
        """Whether the caller is an active member of it."""
        ...


class ApiKeyService:
    """The signed-in person's keys."""

    def __init__(
        self, catalogue: ItemCatalogue, mandates: OwnMandates, audit: AuditLog, settings: AuthSettings
    ) -> None:
        self._catalogue = catalogue
        self._mandates = mandates
        self._audit = audit
        self._settings = settings

    async def list_own(self, caller: Caller) -> list[ApiKeyRead]:
        """The caller's keys, the newest first."""
        return [_read(row) for row in await repository.list_of_user(caller.db, caller.user.id)]

    async def make(self, caller: Caller, wanted: ApiKeyCreate) -> ApiKeyMade:
        """A new key; only its hash is kept.

        Raises StepUpRequired, UnknownScope, ApiKeyExpiry, ApiKeyMandateUnknown, TooManyApiKeys, Unauthenticated.
        """
        await demand_recent(caller, self._settings.recent_login)
        scopes = checked_scopes(wanted.scopes, self._catalogue)
        now = clock.now()
        expires_at = self._end_of(wanted, now)
        if wanted.mandate_id and not await self._mandates.includes(caller, MandateId(wanted.mandate_id)):
            raise ApiKeyMandateUnknown(pointer="/mandate_id")
        await users.lock_user(caller.db, caller.user.id)  # of several at once, none passes the cap
        # A sign-in that was disconnected meanwhile has ended its session, and leaves no key behind.
        session = await session_repository.find_open(caller.db, caller.login.session_id, now)
        if session is None:
            raise Unauthenticated
        if await repository.count_standing(caller.db, caller.user.id, now) >= self._settings.api_keys_per_user:
            raise TooManyApiKeys(maximum=self._settings.api_keys_per_user)
        secret = new_api_key()
        row = _row(caller, session.identity_id, wanted, scopes, secret, now, expires_at)
        await repository.add(caller.db, row)
        details = {"name": wanted.name, "scopes": list(scopes), "expires_at": expires_at.isoformat()}
        if wanted.mandate_id:
            details["mandate_id"] = str(wanted.mandate_id)
        self._audit.record(
            caller.db, "api_key_made", by=caller, subject=Subject(API_KEY, row.token.id), details=details
        )
        await send_notice(caller.db, caller.user.id, Notice.API_KEY_MADE)
        return ApiKeyMade(**dict(_read(row)), key=secret)

    async def end(self, caller: Caller, key_id: TokenId) -> None:
        """End a key of the caller's. Raises StepUpRequired, ApiKeyNotFound."""
        await demand_recent(caller, self._settings.recent_login)
        name = await repository.end(caller.db, caller.user.id, key_id, clock.now())
        if name is None:
            raise ApiKeyNotFound
        subject = Subject(API_KEY, key_id)
        self._audit.record(caller.db, "api_key_ended", by=caller, subject=subject, details={"name": name})

    def _end_of(self, wanted: ApiKeyCreate, now: datetime) -> datetime:
        latest = now + self._settings.api_key_maximum_lifetime
        expires_at = wanted.expires_at or latest
        if not now < expires_at <= latest:
            raise ApiKeyExpiry(pointer="/expires_at", latest=latest.isoformat(timespec="seconds"))
        return expires_at


def _row(
    caller: Caller,
    identity_id: UUID | None,
    wanted: ApiKeyCreate,
    scopes: tuple[str, ...],
    secret: str,
    now: datetime,
    expires_at: datetime,
) -> KeyRow:
    key_id = new_id()
    token = Token(
        id=key_id,
        purpose=API_KEY,
        user_id=caller.user.id,
        session_id=None,
        authority=API_KEY,
        secret_hash=read_api_key(secret),
        parent_hash=None,
        payload={},
        issued_at=now,
        expires_at=expires_at,
    )
    key = ApiKey(
        id=key_id,
        name=wanted.name,
        scopes=list(scopes),
        bound_mandate_id=wanted.mandate_id,
        identity_id=identity_id,
        amr=list(caller.login.amr),
        tenant=caller.login.tenant,
        proven_email=caller.login.proven_address(caller.user.email),
        last_used_at=None,
    )
    return KeyRow(token, key)


def _read(row: KeyRow) -> ApiKeyRead:
    token, key = row
    return ApiKeyRead(
        id=token.id,
        name=key.name,
        scopes=key.scopes,
        mandate_id=key.bound_mandate_id,
        created_at=token.issued_at,
        expires_at=token.expires_at,
        last_used_at=key.last_used_at,
    )
