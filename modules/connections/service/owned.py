"""The connections of a mandate as its people see them, and their end by a person. Tokens are no part of it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from modules.audit.service import AuditLog, Subject
from modules.auth.identity_providers.data_flow import DataClient
from modules.connections import repository
from modules.connections.errors import ConnectionNotFound
from modules.connections.repository import FoundConnection
from modules.connections.schemas import (
    ConnectionProviderList,
    ConnectionProviderRead,
    ConnectionRead,
    ConnectionState,
)
from modules.connections.service.endings import revoke_soon
from modules.shared.context import Caller, RequestContext
from modules.shared.database import Database
from modules.shared.ids import UserId
from modules.shared.pagination import Page, PageQuery


class OwnedConnections:
    """Lists and ends connections, as far as the caller's level reaches."""

    def __init__(self, clients: Mapping[str, DataClient], audit: AuditLog) -> None:
        self._clients = clients
        self._audit = audit

    async def list_page(
        self, context: RequestContext, sort: str, paging: PageQuery, *, own: bool = False
    ) -> Page[ConnectionRead]:
        """One page of what the caller reaches: their own (with `own` no others), their groups', or the mandate's."""
        found, cursor = await repository.list_page(context, sort, paging, own=own)
        return Page(items=[self._read(each) for each in found], next_cursor=cursor)

    def list_providers(self) -> ConnectionProviderList:
        """What this installation offers."""
        found = [(name, client.provider) for name, client in self._clients.items()]
        return ConnectionProviderList(
            items=[
                ConnectionProviderRead(name=name, display_name=each.label, scopes=each.client.scopes.split())
                for name, each in found
            ]
        )

    async def end(self, context: RequestContext, connection_id: UUID) -> None:
        """Erase a connection, and have it revoked at the provider. Raises ConnectionNotFound."""
        found = await repository.find_within_reach(context, connection_id)
        if found is None:
            raise ConnectionNotFound
        await context.db.delete(found)
        await context.db.flush()
        await revoke_soon(context.db)
        subject, owner = Subject("connection", found.id), UserId(found.user_id)
        details = {"provider": found.provider}
        self._audit.record(context.db, "connection_ended", by=context, user_id=owner, subject=subject, details=details)

    def _read(self, found: FoundConnection) -> ConnectionRead:
        connection = found.connection
        client = self._clients.get(connection.provider)
        return ConnectionRead(
            id=connection.id,
            user_id=connection.user_id,
            provider=connection.provider,
            display_name=client.provider.label if client else connection.provider,
            account=connection.account,
            scopes=connection.scopes,
            offline=connection.offline,
            state=_state(found),
            created_at=connection.created_at,
            refreshed_at=connection.refreshed_at,
        )


class ConnectionRecords:
    """What is kept of a person about the accounts they connected, for their export."""

    name = "connections"

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, caller: Caller) -> list[dict[str, Any]]:
        """The caller's own, in all mandates."""
        async with self._database.system_session() as session:
            found = await repository.list_of_user(session, caller.user.id)
            return [
                {
                    "mandate_id": str(each.mandate_id),
                    "provider": each.provider,
                    "issuer": each.issuer,
                    "subject": each.subject,
                    "account": each.account,
                    "scopes": each.scopes,
                    "offline": each.offline,
                    "created_at": each.created_at.isoformat(),
                }
                for each in found
            ]


def _state(found: FoundConnection) -> ConnectionState:
    if found.connection.state == ConnectionState.BROKEN or found.is_revoked:
        return ConnectionState.BROKEN
    return ConnectionState.ACTIVE if found.owner_stands else ConnectionState.SUSPENDED
