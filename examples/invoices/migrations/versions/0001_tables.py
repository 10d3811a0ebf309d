"""Invoices and petty cash, both behind row-level security."""

from alembic import op
import sqlalchemy as sa

from gateway import protect_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Every key begins with the mandate: two mandates may both have an invoice 1."""
    op.create_table(
        "invoices",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("mandate_id", sa.Uuid, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("customer", sa.Text, nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("margin", sa.Numeric(12, 2)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.UniqueConstraint("mandate_id", "number"),
    )
    op.create_table(
        "petty_cash_entries",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("mandate_id", sa.Uuid, nullable=False),
        sa.Column("instance_id", sa.Uuid, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("amount", sa.Numeric(12, 2), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.ForeignKeyConstraint(
            ["mandate_id", "instance_id"],
            ["feature_instances.mandate_id", "feature_instances.id"],
            ondelete="CASCADE",
        ),
    )
    op.create_index("petty_cash_entries_instance", "petty_cash_entries", ["mandate_id", "instance_id", "created_at"])
    protect_table(op, "invoices")
    protect_table(op, "petty_cash_entries", by_instance=True)
