"""Fixtures of all tests: a fresh, migrated database on a real PostgreSQL that all test processes of a run share.

`GATEWAY_TEST_POSTGRES=15` runs the suite on the oldest version supported, `-m postgres` what of it asks for a database.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
import os
from pathlib import Path
from typing import Protocol

import pytest

from modules.shared.embedded_postgres import EmbeddedPostgres
from modules.shared.logging import configure_where_nobody_did
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.postgres import (
    DatabaseUrls,
    FreshDatabases,
    ensure_template,
    new_directory,
    remove_abandoned_servers,
    remove_server,
    server_in,
)
from tests.support.rights_probe import install as install_rights_probe

install_rights_probe()

_DIRECTORY = pytest.StashKey[Path]()


class _WorkerNode(Protocol):
    """What pytest-xdist's controller knows of a worker."""

    config: pytest.Config
    workerinput: dict[str, object]


def pytest_configure(config: pytest.Config) -> None:
    """The controller names the directory; the server starts when the first test asks for it."""
    handed_over = getattr(config, "workerinput", None)
    if handed_over is not None:
        config.stash[_DIRECTORY] = Path(handed_over["postgres_directory"])
        return
    remove_abandoned_servers()
    config.stash[_DIRECTORY] = new_directory()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: _WorkerNode) -> None:
    node.workerinput["postgres_directory"] = str(node.config.stash[_DIRECTORY])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for a database is marked, so that `-m postgres` finds what may depend on the server's version."""
    for item in items:
        if isinstance(item, pytest.Function) and "postgres_server" in item.fixturenames:
            item.add_marker("postgres")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and _DIRECTORY in config.stash:
        remove_server(config.stash[_DIRECTORY])


@pytest.fixture(autouse=True)
def _short_tracebacks() -> None:
    """structlog's own default takes seconds to print the local variables of one; a test may have put it back."""
    configure_where_nobody_did()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    """The server of this run. A test that changes logins or kills the server starts one of its own."""
    with server_in(request.config.stash[_DIRECTORY]) as server:
        yield server


@pytest.fixture(scope="session")
def fresh_databases(postgres_server: EmbeddedPostgres) -> Iterator[FreshDatabases]:
    """Databases for the tests of this process, copied from a template that the first process migrates."""
    ensure_template(postgres_server)
    process = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with closing(FreshDatabases(postgres_server, process)) as databases:
        yield databases


@pytest.fixture
def database_urls(fresh_databases: FreshDatabases) -> Iterator[DatabaseUrls]:
    """A fresh database with the current schema and no rows of an earlier test, for this test alone."""
    with fresh_databases.copy() as urls:
        yield urls


@pytest.fixture
async def running(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """The real application on a fresh database; jobs are not performed unless a test runs a worker."""
    async with running_gateway(database_urls, tmp_path) as gateway:
        yield gateway
