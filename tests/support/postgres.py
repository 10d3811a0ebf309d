"""One PostgreSQL for all test processes of a run, and a fresh database for every test that asks.

The schema is migrated once, into a template; a database is a copy of its files, which takes 10 ms in memory.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
import os
from pathlib import Path
import shutil
import tempfile
import time

import psycopg

from modules.shared.database_logins import create_database, database_statements, ensure_logins
from modules.shared.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.support.parts import require_part

TEMPLATE = "mandate_template"
_COPY = f"CREATE DATABASE {{}} OWNER mandate_owner TEMPLATE {TEMPLATE} STRATEGY FILE_COPY"
_UNFINISHED_TEMPLATE = "mandate_template_unfinished"
_TEMPLATE_LOCK = 1
DISK = Path("/tmp")  # noqa: S108 - a unix socket needs a short path; mkdtemp makes it private
_MEMORY = Path("/dev/shm")  # noqa: S108 - copying a database takes 10 ms here; on ext4 150 ms, soon after it lost many files
_MEMORY_BYTES = 2_000_000_000
_PREFIX = "mg-"
_ABANDONED_SECONDS = 3600
_SETTINGS = {
    "max_connections": "400",
    "max_wal_size": "256MB",
    "autovacuum": "off",  # its visits to the template would delay the copies
}


@dataclass(frozen=True)
class DatabaseUrls:
    """One database, as each of the logins reaches it; `postgresql://` URLs."""

    owner: str
    auth: str
    app: str
    system: str
    superuser: str


def new_directory(folder: Path | None = None) -> Path:
    """An empty directory for a server: private, short enough for its socket, and in memory where there is enough."""
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder or _fastest_folder()))


def _fastest_folder() -> Path:
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MEMORY_BYTES else DISK


def server_in(directory: Path, *, durable: bool = False) -> EmbeddedPostgres:
    """The server of the version that `GATEWAY_TEST_POSTGRES` names: 18, the wheel's, or 15, the oldest supported."""
    version = os.environ.get("GATEWAY_TEST_POSTGRES", "18")
    if version not in {"15", "18"}:
        raise ValueError(f"GATEWAY_TEST_POSTGRES is {version!r}: choose 15 or 18")
    return EmbeddedPostgres(
        directory,
        binaries=require_part("postgres-15") if version == "15" else None,
        durable=durable,
        settings=_SETTINGS,
    )


def remove_server(directory: Path) -> None:
    """Stop the server in `directory`, unless somebody uses it, and remove its files."""
    server = EmbeddedPostgres(directory)
    server.stop()
    if not server.is_ready():
        shutil.rmtree(directory, ignore_errors=True)


def remove_abandoned_servers() -> None:
    """Remove what earlier runs left because they were killed. A server in use is not touched, whatever its age."""
    for directory in [*DISK.glob(f"{_PREFIX}*"), *_MEMORY.glob(f"{_PREFIX}*")]:
        with suppress(OSError, EmbeddedPostgresError):
            if time.time() - directory.stat().st_mtime > _ABANDONED_SECONDS:
                remove_server(directory)


def ensure_template(server: EmbeddedPostgres) -> None:
    """Migrate the template unless another test process has; it gets its name only when complete."""
    with _connected(server) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_TEMPLATE_LOCK])
        if not connection.execute("SELECT true FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
            connection.execute(f"DROP DATABASE IF EXISTS {_UNFINISHED_TEMPLATE} WITH (FORCE)")
            _migrate_new_database(server, _UNFINISHED_TEMPLATE)
            connection.execute(f"ALTER DATABASE {_UNFINISHED_TEMPLATE} RENAME TO {TEMPLATE}")


def _migrate_new_database(server: EmbeddedPostgres, name: str) -> None:
    from gateway.migrations.runs import upgrade  # so that tests of parts below the gateway do not load it

    superuser = server.url("postgres")
    with ThreadPoolExecutor(1) as outside_the_test_loop:
        outside_the_test_loop.submit(asyncio.run, ensure_logins(superuser)).result()
        outside_the_test_loop.submit(asyncio.run, create_database(superuser, name)).result()
        outside_the_test_loop.submit(upgrade, server.url(name, "mandate_owner")).result()


class FreshDatabases:
    """Copies of the template for the tests of one process."""

    def __init__(self, server: EmbeddedPostgres, process: str) -> None:
        self._server = server
        self._names = (f"mandate_{process}_{number}" for number in count(1))
        self._connection = _connected(server)
        self._finished: list[str] = []

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def copy(self) -> Iterator[DatabaseUrls]:
        """A database for one test. It is dropped when the next one comes: dropping at once waits for its sessions."""
        while self._finished:
            self._connection.execute(f"DROP DATABASE {self._finished.pop()} WITH (FORCE)".encode())
        name = next(self._names)
        for statement in (_COPY.format(name), *database_statements(name)):
            self._connection.execute(statement.encode())
        yield DatabaseUrls(
            owner=self._server.url(name, "mandate_owner"),
            auth=self._server.url(name, "mandate_auth"),
            app=self._server.url(name, "mandate_app"),
            system=self._server.url(name, "mandate_system"),
            superuser=self._server.url(name),
        )
        self._finished.append(name)


def _connected(server: EmbeddedPostgres) -> psycopg.Connection:
    return psycopg.connect(server.url("postgres"), autocommit=True)
