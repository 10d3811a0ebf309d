"""Identity, mandates, roles, audit and the job queue."""

from pathlib import Path

from gateway.migrations.scripts import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create everything; the files are the truth, the models mirror them."""
    for part in ("0001_initial.sql", "0001_jobs.sql"):
        if (Path(__file__).parent / part).exists():
            run_file(part)
