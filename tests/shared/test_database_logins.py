"""The four logins, on a server of their own: logins belong to a server, not to a database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
import subprocess

import asyncpg
import pytest

from modules.shared.database_logins import LOGINS, create_database, ensure_logins, logins_sql
from modules.shared.embedded_postgres import EmbeddedPostgres
from tests.support.postgres import new_directory, remove_server, server_in

DANGEROUS = ("rolsuper", "rolbypassrls", "rolcreatedb", "rolcreaterole", "rolreplication", "rolinherit")
pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    directory = new_directory()
    with server_in(directory) as server:
        yield server
    remove_server(directory)


@pytest.fixture
async def superuser(server: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection to a server that does not know our logins yet."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        ours = "SELECT quote_ident(datname) AS name FROM pg_database WHERE datname LIKE 'mandate%'"
        for database in await connection.fetch(ours):
            await connection.execute(f"DROP DATABASE {database['name']} WITH (FORCE)")
        for login in (*LOGINS, "stranger"):
            await connection.execute(f"DROP ROLE IF EXISTS {login}")
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def logins(server: EmbeddedPostgres, superuser: asyncpg.Connection) -> None:
    await ensure_logins(server.url("postgres"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class TestEnsureLogins:
    @pytest.mark.parametrize("login", LOGINS)
    async def test_lets_each_sign_in(self, server: EmbeddedPostgres, logins: None, login: str) -> None:
        await _execute(server.url("postgres", login), "SELECT 1")

    async def test_gives_none_a_right_beyond_its_grants(self, superuser: asyncpg.Connection, logins: None) -> None:
        rows = await superuser.fetch(f"SELECT {', '.join(DANGEROUS)} FROM pg_roles WHERE rolname = ANY($1)", LOGINS)
        assert [tuple(row) for row in rows] == [(False,) * len(DANGEROUS)] * len(LOGINS)

    @pytest.mark.parametrize("login", LOGINS)
    async def test_lets_none_become_another(self, server: EmbeddedPostgres, logins: None, login: str) -> None:
        for other in {*LOGINS, "postgres"} - {login}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await _execute(server.url("postgres", login), f"SET ROLE {other}")

    async def test_may_be_called_by_several_at_once(
        self, server: EmbeddedPostgres, superuser: asyncpg.Connection
    ) -> None:
        await asyncio.gather(*(ensure_logins(server.url("postgres")) for _ in range(5)))
        assert await superuser.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = ANY($1)", LOGINS) == len(LOGINS)

    async def test_keeps_what_is_there(self, server: EmbeddedPostgres, superuser: asyncpg.Connection) -> None:
        await superuser.execute("CREATE ROLE mandate_app LOGIN NOINHERIT CONNECTION LIMIT 7")
        await ensure_logins(server.url("postgres"))
        assert await superuser.fetchval("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'mandate_app'") == 7

    @pytest.mark.parametrize("right", ["SUPERUSER", "BYPASSRLS", "CREATEDB", "CREATEROLE", "REPLICATION"])
    async def test_refuses_an_existing_login_with_a_dangerous_right(
        self, server: EmbeddedPostgres, superuser: asyncpg.Connection, right: str
    ) -> None:
        await superuser.execute(f"CREATE ROLE mandate_app LOGIN {right}")
        with pytest.raises(asyncpg.RaiseError, match="mandate_app"):
            await ensure_logins(server.url("postgres"))

    async def test_refuses_an_existing_login_that_can_become_another(
        self, server: EmbeddedPostgres, superuser: asyncpg.Connection, logins: None
    ) -> None:
        await superuser.execute("GRANT mandate_system TO mandate_app")
        with pytest.raises(asyncpg.RaiseError, match="mandate_app"):
            await ensure_logins(server.url("postgres"))


class TestCreateDatabase:
    @pytest.fixture
    async def database(self, server: EmbeddedPostgres, logins: None) -> str:
        await create_database(server.url("postgres"), "mandate")
        return "mandate"

    async def test_gives_it_to_the_owner(self, superuser: asyncpg.Connection, database: str) -> None:
        owner = await superuser.fetchval("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1", database)
        assert owner == "mandate_owner"

    @pytest.mark.parametrize("login", LOGINS)
    async def test_lets_the_logins_in(self, server: EmbeddedPostgres, database: str, login: str) -> None:
        await _execute(server.url(database, login), "SELECT 1")

    async def test_shuts_every_other_login_out(
        self, server: EmbeddedPostgres, superuser: asyncpg.Connection, database: str
    ) -> None:
        await superuser.execute("CREATE ROLE stranger LOGIN")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _execute(server.url(database, "stranger"), "SELECT 1")

    async def test_lets_the_owner_create_tables(self, server: EmbeddedPostgres, database: str) -> None:
        await _execute(server.url(database, "mandate_owner"), "CREATE TABLE anything (id int)")

    @pytest.mark.parametrize("kind", ["", "TEMPORARY"])
    @pytest.mark.parametrize("login", LOGINS[1:])
    async def test_lets_no_other_create_tables(
        self, server: EmbeddedPostgres, database: str, login: str, kind: str
    ) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _execute(server.url(database, login), f"CREATE {kind} TABLE anything (id int)")

    async def test_may_be_called_by_several_at_once(
        self, server: EmbeddedPostgres, superuser: asyncpg.Connection, logins: None
    ) -> None:
        await asyncio.gather(*(create_database(server.url("postgres"), "mandate") for _ in range(4)))
        assert await superuser.fetchval("SELECT count(*) FROM pg_database WHERE datname = 'mandate'") == 1

    async def test_takes_any_name(self, server: EmbeddedPostgres, logins: None) -> None:
        await create_database(server.url("postgres"), 'mandate of "Zoë"')
        await _execute(server.url('mandate of "Zoë"', "mandate_app"), "SELECT 1")


class TestLoginsSql:
    PASSWORDS = tuple(f"--set={login}_password=it's {login}" for login in LOGINS)

    @pytest.fixture
    def script(self, tmp_path: Path) -> Path:
        script = tmp_path / "logins.sql"
        script.write_text(logins_sql("mandate"))
        return script

    async def test_gives_what_the_embedded_server_gets(
        self, server: EmbeddedPostgres, superuser: asyncpg.Connection, script: Path
    ) -> None:
        assert self._psql(server, script, *self.PASSWORDS) == 0
        await create_database(server.url("postgres"), "mandate_embedded")
        by_script = await self._access(server, superuser, "mandate")
        assert by_script == await self._access(server, superuser, "mandate_embedded")
        rows = await superuser.fetch(f"SELECT {', '.join(DANGEROUS)} FROM pg_roles WHERE rolname = ANY($1)", LOGINS)
        assert [tuple(row) for row in rows] == [(False,) * len(DANGEROUS)] * len(LOGINS)

    async def test_sets_the_passwords(
        self, server: EmbeddedPostgres, superuser: asyncpg.Connection, script: Path
    ) -> None:
        self._psql(server, script, *self.PASSWORDS)
        rows = await superuser.fetch("SELECT rolpassword FROM pg_authid WHERE rolname = ANY($1)", LOGINS)
        assert [row["rolpassword"].partition("$")[0] for row in rows] == ["SCRAM-SHA-256"] * len(LOGINS)

    async def test_may_run_again(self, server: EmbeddedPostgres, superuser: asyncpg.Connection, script: Path) -> None:
        self._psql(server, script, *self.PASSWORDS)
        assert self._psql(server, script, *self.PASSWORDS) == 0

    async def test_stops_without_a_password(
        self, server: EmbeddedPostgres, superuser: asyncpg.Connection, script: Path
    ) -> None:
        assert self._psql(server, script, *self.PASSWORDS[:-1]) == 3
        assert not await superuser.fetchval("SELECT true FROM pg_database WHERE datname = 'mandate'")

    @staticmethod
    def _psql(server: EmbeddedPostgres, script: Path, *variables: str) -> int:
        assert server._cluster is not None
        psql = server._cluster.binaries / "psql"
        return subprocess.run(
            [psql, "--no-psqlrc", "--quiet", *variables, f"--file={script}", server.url("postgres")], check=False
        ).returncode

    @staticmethod
    async def _access(server: EmbeddedPostgres, superuser: asyncpg.Connection, database: str) -> list[object]:
        access = await superuser.fetchval("SELECT datacl::text[] FROM pg_database WHERE datname = $1", database)
        inside = await asyncpg.connect(server.url(database))
        try:
            schema = await inside.fetchval("SELECT nspacl::text[] FROM pg_namespace WHERE nspname = 'public'")
        finally:
            await inside.close()
        return [sorted(access), sorted(schema)]
