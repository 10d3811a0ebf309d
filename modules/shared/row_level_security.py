"""The second wall for a host's own tables, put up in its migration: row-level security and the rights of our logins.

    from modules.shared.row_level_security import protect_table

    def upgrade():
        op.create_table("invoices", ...)
        protect_table(op, "invoices")

From then on `mandate_app` sees and writes only rows of the mandate (and instance) its transaction was opened for,
whatever a statement forgot. Foreign keys pass by these policies: make them with `ownership.owned_reference`.
"""

from typing import Protocol

from sqlalchemy import TextClause, bindparam, text

_PROTECT = text("SELECT mandate_protect(CAST(CAST(:table AS text) AS regclass), :by_instance)")


class Executor(Protocol):
    """Alembic's `op`, or a synchronous connection of the table's owner."""

    def execute(self, statement: TextClause, /) -> object:
        """Run one statement."""
        ...


def protect_table(connection: Executor, table: str, *, by_instance: bool = False, schema: str | None = None) -> None:
    """Enable and force row-level security on a table with NOT NULL `mandate_id` (and `instance_id`), and let requests
    work on it. Run by the table's owner: `mandate_owner`, like our own migrations.
    """
    name = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table) if part is not None)
    connection.execute(_PROTECT.bindparams(bindparam("table", name), bindparam("by_instance", by_instance)))
    connection.execute(text(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO mandate_app, mandate_system"))
