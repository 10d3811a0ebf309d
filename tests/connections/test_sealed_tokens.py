"""A provider's tokens are unreadable in a dump of the database, and open only in the row they were sealed for."""

from uuid import UUID

import asyncpg
import pytest

from modules.auth.key_errors import SealBroken
from modules.auth.sealing import SealingKey
from modules.connections.sealing import ProviderTokens, TokenSeals, associated_with
from tests.connections.owners import Owner, new_owner
from tests.support.gateway import RunningGateway
from tests.support.openid_peer import OpenIdPeer
from tests.support.postgres import DatabaseUrls

_TABLES = """
    SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""
FIRST, SECOND, THIRD, OTHER = (UUID(int=number) for number in range(1, 5))


async def dump(urls: DatabaseUrls) -> bytes:
    """Every row of every table, as COPY writes it in text and in binary form."""
    connection, parts = await asyncpg.connect(urls.superuser), []

    async def keep(part: bytes) -> None:
        parts.append(part)

    try:
        for table in await connection.fetch(_TABLES):
            for form in ("text", "binary"):
                await connection.copy_from_query(f"SELECT * FROM {table['name']}", output=keep, format=form)
    finally:
        await connection.close()
    return b"".join(parts)


class TestADump:
    async def test_holds_no_token_of_the_provider(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer, database_urls: DatabaseUrls
    ) -> None:
        await ada.connect(offline=True)
        await gateway.sql("UPDATE connections SET expires_at = now()")
        await ada.token()
        elsewhere = await ada.in_mandate(await gateway.mandate("baltic"))
        await elsewhere.connect()
        (listed,) = await elsewhere.connections()
        await elsewhere.browser.delete(f"/connections/{listed['id']}")
        dumped = await dump(database_urls)
        assert b"ada@provider.test" in dumped  # the dump is one
        secrets = [*peer.data.access, *peer.data.refresh, *peer.data.refreshed]
        assert len(secrets) >= 6
        for secret in secrets:
            assert secret.encode() not in dumped
            assert secret.encode().hex().encode() not in dumped


class TestASwappedRow:
    async def test_of_another_user_does_not_open(self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer) -> None:
        eve = await new_owner(gateway, "eve@example.org", ada.mandate_id)
        await self._swap(gateway, ada, eve, peer)

    async def test_of_another_mandate_does_not_open(
        self, gateway: RunningGateway, ada: Owner, peer: OpenIdPeer
    ) -> None:
        await self._swap(gateway, ada, await ada.in_mandate(await gateway.mandate("baltic")), peer)

    async def test_given_to_another_user_does_not_open(self, gateway: RunningGateway, ada: Owner) -> None:
        eve = await new_owner(gateway, "eve@example.org", ada.mandate_id)
        await ada.connect()
        await gateway.sql("UPDATE connections SET user_id = :eve", eve=eve.id)
        assert await eve.code() == (409, "connection_broken")

    async def _swap(self, gateway: RunningGateway, victim: Owner, thief: Owner, peer: OpenIdPeer) -> None:
        await victim.connect()
        peer.person = {"sub": "thief"}
        await thief.connect()
        copied = """UPDATE connections SET sealed_tokens = c.sealed_tokens FROM connections c
            WHERE c.user_id = :victim AND c.mandate_id = :of
            AND connections.user_id = :thief AND connections.mandate_id = :into"""
        await gateway.sql(copied, victim=victim.id, of=victim.mandate_id, thief=thief.id, into=thief.mandate_id)
        assert await thief.code() == (409, "connection_broken")
        assert await victim.token() == peer.data.access[0]


class TestASeal:
    @pytest.mark.parametrize("row", [(OTHER, SECOND, THIRD), (FIRST, OTHER, THIRD), (FIRST, SECOND, OTHER)])
    def test_opens_for_its_row_alone(self, row: tuple[UUID, UUID, UUID]) -> None:
        seals, tokens = TokenSeals(SealingKey(bytes(32))), ProviderTokens("access", None)
        sealed = seals.seal(associated_with(FIRST, SECOND, THIRD), tokens)
        assert seals.open(associated_with(FIRST, SECOND, THIRD), sealed) == tokens
        with pytest.raises(SealBroken):
            seals.open(associated_with(*row), sealed)
