"""No list can be asked for more than 200 at once: every `limit` there is says so in the OpenAPI document."""

from pathlib import Path

import pytest

from gateway.app import create_app
from modules.shared.pagination import MOST_ITEMS
from tests.conscience.operations import Json, operations
from tests.support.gateway import settings_for
from tests.support.postgres import DatabaseUrls


@pytest.fixture
def limits(tmp_path: Path) -> dict[str, Json]:
    """The schema of `limit`, by operation. The application is not started, so it asks no database."""
    nowhere = "postgresql://nobody@localhost:5432/nothing"
    app = create_app(settings_for(DatabaseUrls(nowhere, nowhere, nowhere, nowhere, nowhere), tmp_path))
    parameters = {str(each): each.parameters("query") for each in operations(app)}
    return {name: each["limit"] for name, each in parameters.items() if "limit" in each}


class TestEveryLimit:
    def test_is_between_1_and_200(self, limits: dict[str, Json]) -> None:
        assert MOST_ITEMS == 200
        assert len(limits) > 5
        assert {name: each for name, each in limits.items() if (each["minimum"], each["maximum"]) != (1, 200)} == {}
