"""The gateway in which identity is tested: cheap hashes, and a worker that sends mails into files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.auth.people import FAST_HASHES, Browser, Mailbox
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """Without a worker: jobs wait."""
    async with running_gateway(database_urls, tmp_path, **FAST_HASHES) as running:
        yield running


@pytest.fixture
async def mailing_gateway(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """With a worker."""
    async with running_gateway(database_urls, tmp_path, jobs__in_process="yes", **FAST_HASHES) as running:
        yield running


@pytest.fixture
def browser(gateway: RunningGateway) -> Browser:
    return Browser(gateway)


@pytest.fixture
def mailbox(mailing_gateway: RunningGateway) -> Mailbox:
    return Mailbox(mailing_gateway)
