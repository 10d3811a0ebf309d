"""What the database held at one moment: to tell what a request changed, and to undo it in a few milliseconds."""

from typing import Any, Self

import asyncpg

_NOTES = {"audit_events", "audit_subjects"}
"""Written also for requests that were refused, and in the background; not what anybody works with."""
_NOTED_COLUMNS = ["last_seen_at", "idle_expires_at", "confirmed_generation", "last_used_at"]
"""Of sessions and API keys: that they were used."""
_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relname AS bare
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'jobs') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname <> 'alembic_version'
"""


class Snapshot:
    """All rows of all tables, kept in the database itself."""

    def __init__(self, connection: "asyncpg.Connection[Any]", tables: dict[str, str]) -> None:
        self._connection = connection
        self._tables = tables
        self._difference = " UNION ALL ".join(
            _difference(name, kept) for name, kept in tables.items() if kept.partition(".")[2] not in _NOTES
        )
        emptied = ";".join(f"DELETE FROM {name}" for name in tables)
        filled = ";".join(f"INSERT INTO {name} OVERRIDING SYSTEM VALUE TABLE {kept}" for name, kept in tables.items())
        # As a replica: no trigger and no foreign key has a say in what was so before.
        self._restoration = f"BEGIN; SET LOCAL session_replication_role = replica; {emptied}; {filled}; COMMIT"

    @classmethod
    async def take(cls, connection: "asyncpg.Connection[Any]") -> Self:
        """Keep the present rows."""
        tables = {row["name"]: f"kept.{row['bare']}" for row in await connection.fetch(_TABLES)}
        copies = ";".join(f"CREATE TABLE {kept} AS TABLE {name}" for name, kept in tables.items())
        await connection.execute(f"CREATE SCHEMA kept; {copies}")
        return cls(connection, tables)

    async def changed(self) -> list[str]:
        """The tables whose rows differ from those kept."""
        return [row["name"] for row in await self._connection.fetch(self._difference)]

    async def restore(self) -> None:
        """Make all rows as they were."""
        await self._connection.execute(self._restoration)


def _difference(name: str, kept: str) -> str:
    now, before = (f"SELECT to_jsonb(t) - ARRAY{_NOTED_COLUMNS} FROM {table} t" for table in (name, kept))
    return f"SELECT '{name}' AS name WHERE EXISTS (({now} EXCEPT ALL {before}) UNION ALL ({before} EXCEPT ALL {now}))"
