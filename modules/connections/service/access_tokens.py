"""What host applications use: access tokens of the caller's own connections, fresh.

Only the owner's own request, or background work the owner agreed to, gets a token; no level and no role gives anybody
another person's. A token about to run out is refreshed on use, once however many ask: one task per connection in this
process, and the lock of its row between processes. What the provider gives is committed on its own, so that a request
that fails later loses nothing.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
import structlog

from modules.audit.service import AuditLog, Subject
from modules.auth.identity_providers.data_flow import AccessEnded, DataClient, GivenTokens
from modules.auth.key_errors import SealBroken
from modules.auth.provider_errors import ProviderUnavailable
from modules.auth.service.issued_tokens import IssuedTokens
from modules.connections import repository
from modules.connections.errors import (
    ConnectionBroken,
    ConnectionNotFound,
    ConnectionProviderNotFound,
    ConnectionSuspended,
    OfflineConsentMissing,
)
from modules.connections.models import Connection
from modules.connections.permissions import CONNECTIONS
from modules.connections.repository import FoundConnection
from modules.connections.schemas import ConnectionState
from modules.connections.sealing import ProviderTokens, TokenSeals, associated_with
from modules.connections.service.connecting import DATA_CONNECTION
from modules.connections.service.mails import tell_owner
from modules.shared import clock
from modules.shared.catalogue import Action
from modules.shared.context import RequestContext
from modules.shared.database import Database, Tenant
from modules.shared.errors import PermissionDenied
from modules.shared.ids import MandateId, UserId

_EARLY: Final = timedelta(seconds=60)
"""A token is refreshed so long before it runs out: whoever gets it still has to use it."""
_AT_ONCE: Final = 3
"""Refreshes at one provider at the same time: each holds a database connection while the provider answers."""
_RETRY_AFTER: Final = 5
_log = structlog.get_logger(__name__)


class Connections:
    """Gives access tokens."""

    def __init__(
        self,
        database: Database,
        clients: Mapping[str, DataClient],
        seals: TokenSeals,
        tokens: IssuedTokens,
        audit: AuditLog,
    ) -> None:
        self._database = database
        self._clients = clients
        self._seals = seals
        self._tokens = tokens
        self._audit = audit
        self._under_way: dict[UUID, asyncio.Task[str | None]] = {}
        self._turns = {provider: asyncio.Semaphore(_AT_ONCE) for provider in clients}

    async def access_token(self, context: RequestContext, provider: str) -> str:
        """A fresh access token of the account the caller has connected to the active mandate.

        Needs `connections` read, whatever the level: it is the caller's own or none. Raises PermissionDenied (403),
        ConnectionNotFound (404), ConnectionBroken (409) when the owner has to connect again, ConnectionSuspended (403),
        ProviderUnavailable (503).
        """
        if not context.can(CONNECTIONS.path, Action.READ):
            raise PermissionDenied(context=CONNECTIONS.kind, item=CONNECTIONS.path, action=Action.READ)
        return await self._token(context.mandate.id, context.user.id, provider, background=False)

    async def background_access_token(self, mandate_id: MandateId, user_id: UserId, provider: str) -> str:
        """A fresh access token of this person's account in their absence, if they agreed to that; audited.

        Raises OfflineConsentMissing (403), and as `access_token`.
        """
        return await self._token(mandate_id, user_id, provider, background=True)

    async def _token(self, mandate_id: MandateId, user_id: UserId, provider: str, *, background: bool) -> str:
        if provider not in self._clients:
            raise ConnectionProviderNotFound
        async with self._database.session(Tenant(mandate_id, None, user_id)) as session:
            found = _usable(await repository.find_own(session, mandate_id, user_id, provider))
            if background:
                self._record_background(session, found)
            if not _is_stale(found):
                return self._open(found).access
        token = await self._refreshed(found, mandate_id, user_id, provider)
        if token is None:
            raise ConnectionBroken
        return token

    def _record_background(self, session: AsyncSession, found: Connection) -> None:
        if not found.offline:
            raise OfflineConsentMissing
        self._audit.record(
            session,
            "connection_used_in_background",
            by=None,
            mandate_id=MandateId(found.mandate_id),
            subject=Subject("connection", found.id),
            details={"provider": found.provider, "user_id": str(found.user_id)},
        )

    # ── refreshing ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _refreshed(self, found: Connection, mandate_id: MandateId, user_id: UserId, provider: str) -> str | None:
        """A new access token, from one refresh for all who ask meanwhile; None if the provider has ended it."""
        task = self._under_way.get(found.id)
        if task is None:
            task = asyncio.create_task(self._refresh_in_turn(mandate_id, user_id, provider), name="refresh")
            self._under_way[found.id] = task
            task.add_done_callback(lambda done: self._forget(found.id, done))
        # Whoever stops waiting does not stop the refresh: what the provider gave must be kept.
        return await asyncio.shield(task)

    def _forget(self, connection_id: UUID, done: asyncio.Task[str | None]) -> None:
        del self._under_way[connection_id]
        if not done.cancelled():
            done.exception()  # told to those who wait; nobody may be left

    async def settle(self) -> None:
        """Wait for the refreshes under way: a refresh token that was used has a successor to be kept."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _refresh_in_turn(self, mandate_id: MandateId, user_id: UserId, provider: str) -> str | None:
        turn = self._turns[provider]
        try:
            async with asyncio.timeout(self._clients[provider].provider.client.timeout.total_seconds()):
                await turn.acquire()
        except TimeoutError as error:
            raise ProviderUnavailable(retry_after=_RETRY_AFTER) from error
        try:
            async with self._database.session(Tenant(mandate_id, None, user_id)) as session:
                return await self._refresh(session, mandate_id, user_id, provider)
        finally:
            turn.release()

    async def _refresh(
        self, session: AsyncSession, mandate_id: MandateId, user_id: UserId, provider: str
    ) -> str | None:
        found = _usable(await repository.find_own(session, mandate_id, user_id, provider, lock=True))
        present = self._open(found)
        if not _is_stale(found):  # another process was faster
            return present.access
        if present.refresh is None:
            await self._break(session, found)
            return None
        try:
            given = await self._clients[provider].refresh(present.refresh)
        except AccessEnded:
            await self._break(session, found)
            return None
        except ProviderUnavailable:
            if found.expires_at > clock.now():
                return present.access
            raise
        await self._keep(session, found, ProviderTokens(given.access, given.refresh or present.refresh), given)
        return None if found.state == ConnectionState.BROKEN else given.access

    async def _keep(self, session: AsyncSession, found: Connection, tokens: ProviderTokens, given: GivenTokens) -> None:
        now = clock.now()
        found.sealed_tokens = self._seals.seal(_whose(found), tokens)
        found.refreshed_at, found.expires_at = now, now + given.lifetime
        if given.scopes is not None:
            found.scopes = list(given.scopes)
        if await repository.lock_token(session, found.token_id) is not None:  # ended while the provider answered
            await self._break(session, found)  # what it gave is kept to be revoked with the connection
            return
        found.token_id = await self._tokens.note(
            session,
            DATA_CONNECTION,
            authority=found.provider,
            user_id=UserId(found.user_id),
            payload={"connection_id": str(found.id), "mandate_id": str(found.mandate_id)},
            expires_at=found.expires_at,
        )
        await session.flush()

    async def _break(self, session: AsyncSession, found: Connection) -> None:
        found.state = ConnectionState.BROKEN
        await session.flush()
        await tell_owner(session, found)
        self._audit.record(
            session,
            "connection_broken",
            by=None,
            mandate_id=MandateId(found.mandate_id),
            subject=Subject("connection", found.id),
            details={"provider": found.provider, "user_id": str(found.user_id)},
        )

    def _open(self, found: Connection) -> ProviderTokens:
        """Raises ConnectionBroken for what was sealed for another row, or by another key."""
        try:
            return self._seals.open(_whose(found), found.sealed_tokens)
        except SealBroken as error:
            _log.exception("connection_seal_broken", connection_id=str(found.id))
            raise ConnectionBroken from error


def _usable(found: FoundConnection | None) -> Connection:
    """Raises ConnectionNotFound, ConnectionSuspended, ConnectionBroken."""
    if found is None:
        raise ConnectionNotFound
    if not found.owner_stands:
        raise ConnectionSuspended
    if found.connection.state == ConnectionState.BROKEN or found.is_revoked:
        raise ConnectionBroken
    return found.connection


def _is_stale(found: Connection) -> bool:
    return found.expires_at - _EARLY <= clock.now()


def _whose(found: Connection) -> bytes:
    return associated_with(found.id, found.mandate_id, found.user_id)
