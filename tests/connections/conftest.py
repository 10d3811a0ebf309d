"""A gateway with a provider whose data can be connected, and somebody to connect an account."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.auth.people import FAST_HASHES
from tests.auth.providers import settings_of
from tests.connections.owners import Owner, host, new_owner
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.openid_peer import OpenIdPeer, openid_peer
from tests.support.postgres import DatabaseUrls

SETTINGS = {"connections.peer.scopes": "openid email calendar offline_access", "oidc.peer.timeout": "2s"}


@pytest.fixture
async def peer() -> AsyncIterator[OpenIdPeer]:
    async with openid_peer() as running:
        running.person = {"sub": "ada", "email": "ada@provider.test", "email_verified": True}
        yield running


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer) -> AsyncIterator[RunningGateway]:
    """Without a worker: jobs wait, and tests do what they would do."""
    chosen = {**settings_of(peer, **SETTINGS), **FAST_HASHES}
    async with running_gateway(database_urls, tmp_path, app=host(), **chosen) as running:
        yield running


@pytest.fixture
async def ada(gateway: RunningGateway) -> Owner:
    """A member of a mandate, signed in."""
    return await new_owner(gateway, "ada@example.org", await gateway.mandate("alpine"))
