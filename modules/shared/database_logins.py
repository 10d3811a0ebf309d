"""The four database logins of the product, and a database that only they may enter.

None is a superuser, none bypasses row-level security, none can become another: what a request may see is decided by
policies that its login cannot leave. The embedded PostgreSQL gets them here; for a PostgreSQL of their own, operators
get the same statements as a script.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

LOGINS = ("mandate_owner", "mandate_auth", "mandate_app", "mandate_system")
_OWNER = LOGINS[0]
_ATTRIBUTES = "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT"
_ADVISORY_LOCK = 0x6D616E64617465  # "mandate"


async def ensure_logins(superuser_url: str) -> None:
    """Create the absent logins, without a password. Raises asyncpg.RaiseError when one has dangerous rights."""
    async with _alone(superuser_url) as connection:
        for statement in _login_statements():
            await connection.execute(statement)


async def create_database(superuser_url: str, name: str) -> None:
    """Create the database `name` unless it exists: owned by `mandate_owner`, closed to all but the four logins."""
    async with _alone(superuser_url) as connection:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await connection.execute(_creation_statement(name))
        for statement in database_statements(name):
            await connection.execute(statement)
    async with _alone(superuser_url, database=name) as connection:
        for statement in _SCHEMA_STATEMENTS:
            await connection.execute(statement)


def logins_sql(database: str = "mandate") -> str:
    """The same as a psql script for an administrator; passwords are psql variables, without which the script stops."""
    passwords = [f"ALTER ROLE {login} PASSWORD :'{login}_password';" for login in LOGINS]
    absent = f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {_literal(database)})"
    return "\n".join(
        [
            "-- Run by a superuser: psql --file=<this file> postgres "
            + " ".join(f"-v {login}_password=…" for login in LOGINS),
            "\\set ON_ERROR_STOP on",
            *(f"{statement};" for statement in _login_statements()),
            *passwords,
            f"SELECT {_literal(_creation_statement(database))} {absent} \\gexec",
            *(f"{statement};" for statement in database_statements(database)),
            f"\\connect {_quoted(database)}",
            *(f"{statement};" for statement in _SCHEMA_STATEMENTS),
            "",
        ]
    )


@asynccontextmanager
async def _alone(superuser_url: str, database: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A connection that holds an advisory lock while open: PostgreSQL fails when two create the same role at once."""
    connection = await asyncpg.connect(superuser_url, database=database)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({_ADVISORY_LOCK})")
        yield connection
    finally:
        await connection.close()


def _login_statements() -> list[str]:
    return [*(_creation_of_login(login) for login in LOGINS), _REFUSAL_OF_DANGEROUS_LOGINS]


def _creation_of_login(login: str) -> str:
    return f"""DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{login}') THEN
        CREATE ROLE {login} {_ATTRIBUTES};
    END IF;
END $$"""


# An existing login is judged, not altered: the administrator should know, and may not be allowed to alter it.
_REFUSAL_OF_DANGEROUS_LOGINS = f"""DO $$ DECLARE dangerous name; BEGIN
    SELECT rolname INTO dangerous FROM pg_catalog.pg_roles
    WHERE rolname IN ({", ".join(f"'{login}'" for login in LOGINS)})
      AND (rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole OR rolreplication
           OR EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid));
    IF FOUND THEN
        RAISE EXCEPTION 'login % has rights the gateway refuses to work with', dangerous
            USING HINT = 'Take from it: SUPERUSER, BYPASSRLS, CREATEDB, CREATEROLE, REPLICATION, membership in roles.';
    END IF;
END $$"""  # noqa: S608 - made of constants


def _creation_statement(name: str) -> str:
    return f"CREATE DATABASE {_quoted(name)} OWNER {_OWNER} TEMPLATE template0 ENCODING 'UTF8'"


def database_statements(name: str) -> list[str]:
    """What closes the database `name` to all but the logins; not part of what a copy inherits from its template."""
    return [
        f"REVOKE ALL ON DATABASE {_quoted(name)} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {_quoted(name)} TO {', '.join(LOGINS)}",
    ]


_SCHEMA_STATEMENTS = (
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    f"ALTER SCHEMA public OWNER TO {_OWNER}",  # PostgreSQL 15 lets a NOINHERIT owner of the database nothing here
)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
