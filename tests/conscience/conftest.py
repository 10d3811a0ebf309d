"""The world these tests try the application on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conscience.operations import Operation, operations
from tests.conscience.world import World, world
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def here(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[World]:
    """The application and one of everything, on a database for this test alone."""
    async with world(database_urls, tmp_path) as built:
        yield built


@pytest.fixture
def walked(here: World) -> list[Operation]:
    """Every operation of the OpenAPI document."""
    return [each for each in operations(here.gateway.app) if each.operation_id]
