"""A scratch installation to measure: a PostgreSQL of its own, people in mandates, and access tokens of some of them.

Rows are written in bulk by SQL. Everybody is a member of one mandate, with the global role `member` and a role of that
mandate; every session has ten tokens, of which some are signed and given to the caller.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import tempfile
import time
from typing import Self

import asyncpg

from gateway.migrations.runs import upgrade
from gateway.settings import Settings
from modules.auth.keys import KeyAlgorithm, KeyRing
from modules.auth.sealing import MasterKey
from modules.auth.service.keys import KeyStore
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.shared.database import Database, DatabaseUrls
from modules.shared.database_logins import create_database, ensure_logins
from modules.shared.embedded_postgres import EmbeddedPostgres
from modules.shared.ids import SessionId, TokenId, UserId

ISSUER = "http://127.0.0.1"
AUDIENCE = "mandate-gateway"
TOKENS_PER_SESSION = 10


@dataclass(frozen=True, slots=True)
class Population:
    """How much there is."""

    tokens: int = 10_000
    mandates: int = 100
    rules_per_role: int = 40
    asking: int = 256
    """How many of the tokens are used, spread evenly over all of them."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who asks."""

    token: str
    mandate_id: str

    @property
    def headers(self) -> dict[str, str]:
        """As a browser tab sends them."""
        return {"Cookie": f"auth_token={self.token}", "X-Mandate-Id": self.mandate_id}


@dataclass(frozen=True, slots=True)
class Installation:
    """One database of the scratch server."""

    name: str
    directory: Path
    superuser: str
    urls: DatabaseUrls

    def to_json(self) -> str:
        """For another process."""
        return json.dumps({**asdict(self), "directory": str(self.directory)})

    @classmethod
    def from_json(cls, document: str) -> Self:
        """What `to_json` wrote."""
        fields = json.loads(document)
        return cls(fields["name"], Path(fields["directory"]), fields["superuser"], DatabaseUrls(**fields["urls"]))

    def settings(self, public_url: str) -> Settings:
        """The defaults of production on this database, without a limit of requests."""
        overrides = {
            "installation.data_directory": str(self.directory),
            "http.public_url": public_url,
            "database.url": self.urls.app,
            "database.owner_url": self.urls.owner,
            "database.auth_url": self.urls.auth,
            "database.system_url": self.urls.system,
            "auth.issuer": ISSUER,
            "auth.audience": AUDIENCE,
            "rate_limits.default": "1000000/second",
        }
        return Settings.load(None, environment={}, overrides=overrides)


class ScratchServer:
    """A PostgreSQL that is gone when the measurement is over."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # reads are measured: whether a write survives a power cut does not matter to them, and filling is quicker
        self._server = EmbeddedPostgres(directory / "postgres", durable=False, settings={"max_wal_size": "4GB"})
        self._server.start()
        asyncio.run(ensure_logins(self._server.url("postgres")))

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["ScratchServer"]:
        """One in a directory of its own, both removed at the end."""
        with tempfile.TemporaryDirectory(prefix="mandate-bench-") as directory:
            Path(directory).chmod(0o711)  # started as root, PostgreSQL runs as another user and has to pass
            server = cls(Path(directory))
            try:
                yield server
            finally:
                server._server.stop()

    @property
    def postmaster(self) -> int:
        """Its process id."""
        lines = next(self._directory.glob("postgres/**/postmaster.pid")).read_text("utf-8").splitlines()
        return int(lines[0])

    def installation(self, name: str) -> Installation:
        """A migrated database without people."""
        asyncio.run(create_database(self._server.url("postgres"), name))
        found = self._named(name)
        upgrade(found.urls.owner)
        return found

    def _named(self, name: str) -> Installation:
        urls = DatabaseUrls(
            *(self._server.url(name, f"mandate_{login}") for login in ("owner", "auth", "app", "system"))
        )
        return Installation(name, self._directory, self._server.url(name), urls)


def populate(installation: Installation, population: Population) -> list[Visitor]:
    """Write the rows; those who ask."""
    return asyncio.run(_populate(installation, population))


_FILL = (
    "CREATE TEMP TABLE m AS SELECT n, uuidv7() AS id, uuidv7() AS role_id FROM generate_series(0, $mandates - 1) n",
    """CREATE TEMP TABLE u AS
    SELECT n, uuidv7() AS id, uuidv7() AS session_id, n::bigint * $mandates / $sessions AS mandate
    FROM generate_series(0, $sessions - 1) n""",
    "INSERT INTO mandates (id, slug, name) SELECT id, 'mandate-' || n, 'Mandate ' || n FROM m",
    """INSERT INTO roles (id, mandate_id, scope, key, name, version)
    SELECT uuidv7(), id, 'mandate', 'everyone', 'everyone', gen_random_uuid() FROM m""",
    """INSERT INTO roles (id, mandate_id, scope, name, version)
    SELECT role_id, id, 'mandate', 'clerk', gen_random_uuid() FROM m""",
    """INSERT INTO access_rules (id, mandate_id, role_id, kind, item, may_read)
    SELECT uuidv7(), id, role_id, 'DATA', CASE r WHEN 0 THEN 'invoices' ELSE 'feature-' || r END, 3
    FROM m, generate_series(0, $rules_per_role - 1) r""",
    """INSERT INTO users (id, slug, email, display_name, state)
    SELECT id, 'u-' || n, 'user-' || n || '@example.test', 'User ' || n, 'active' FROM u""",
    """INSERT INTO sessions (id, user_id, authority, amr, authenticated_at, created_at, last_seen_at, idle_expires_at,
        expires_at, rotated_at)
    SELECT session_id, id, 'local', '{pwd}', now(), now(), now() + interval '1 day', now() + interval '1 day',
        now() + interval '1 day', now() FROM u""",
    """INSERT INTO memberships (id, mandate_id, user_id)
    SELECT uuidv7(), m.id, u.id FROM u JOIN m ON m.n = u.mandate""",
    """INSERT INTO role_assignments (id, mandate_id, membership_id, role_id, role_mandate_id, role_scope)
    SELECT uuidv7(), ms.mandate_id, ms.id, r.id, r.mandate_id, r.scope
    FROM memberships ms JOIN roles r ON r.key = 'member' OR (r.mandate_id = ms.mandate_id AND r.name = 'clerk')""",
    """INSERT INTO access_tokens (id, session_id, user_id, authority, generation, issued_at, expires_at)
    SELECT uuidv7(), session_id, id, 'local', 0, now(), now() + interval '1 day'
    FROM generate_series(1, $tokens_per_session), u""",
)
_ASKING = """
SELECT DISTINCT ON (u.n) t.id, t.session_id, t.user_id, m.id AS mandate_id
FROM access_tokens t JOIN u ON u.session_id = t.session_id JOIN m ON m.n = u.mandate
WHERE u.n % greatest($sessions / $asking, 1) = 0 ORDER BY u.n, random() LIMIT $asking
"""


async def _populate(installation: Installation, population: Population) -> list[Visitor]:
    numbers = {
        "$mandates": population.mandates,
        "$rules_per_role": population.rules_per_role,
        "$sessions": population.tokens // TOKENS_PER_SESSION,
        "$tokens_per_session": TOKENS_PER_SESSION,
        "$asking": population.asking,
    }

    def filled(statement: str) -> str:
        for name, number in sorted(numbers.items(), reverse=True):  # a longer name before its own beginning
            statement = statement.replace(name, str(number))
        return statement

    connection = await asyncpg.connect(installation.superuser)
    try:
        for statement in _FILL:
            await connection.execute(filled(statement), timeout=600)
        await connection.execute("VACUUM ANALYZE", timeout=600)
        rows = await connection.fetch(filled(_ASKING), timeout=600)
    finally:
        await connection.close()
    tokens = SignedTokens(await key_ring(installation), ISSUER, AUDIENCE)
    return [Visitor(tokens.issue(_claims(row)), str(row["mandate_id"])) for row in rows]


async def key_ring(installation: Installation) -> KeyRing:
    """The keys of the installation; all databases of a scratch server are sealed by the same master key."""
    settings = installation.settings("http://127.0.0.1")
    async with Database(installation.urls.app, installation.urls.system) as database:
        master = MasterKey.load_or_create(settings.installation.master_key_file)
        return await KeyStore(database, master, algorithm=KeyAlgorithm(settings.auth.algorithm)).load()


def _claims(row: asyncpg.Record) -> AccessTokenClaims:
    now = int(time.time())
    return AccessTokenClaims(
        UserId(row["user_id"]), SessionId(row["session_id"]), TokenId(row["id"]), now, now + 86_000, now, ("pwd",), 1
    )
