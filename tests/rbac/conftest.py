"""The installation that the tests of rights work in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.house import House, house_in
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def house(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(database_urls, tmp_path) as house:
        yield house
