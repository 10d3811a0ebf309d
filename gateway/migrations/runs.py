"""Runs of migrations: Alembic behind two functions, so that the CLI, the start and the tests share one way.

A run is async underneath, holds a session advisory lock (four starting at once end well) and connects as
`mandate_owner`.
"""

import io
from pathlib import Path

from alembic import command
from alembic.config import Config


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Waits for another run that is under way; raises what PostgreSQL raises."""
    command.upgrade(configuration(owner_url), revision)


def upgrade_sql(revision: str = "head") -> str:
    """The SQL that `upgrade` would run from an empty database, for `psql`."""
    script = io.StringIO()
    offline = configuration("postgresql://offline")
    offline.output_buffer = script
    command.upgrade(offline, revision, sql=True)
    return script.getvalue()


def configuration(owner_url: str) -> Config:
    """What Alembic is told: where the migrations are, and who runs them."""
    told = Config()
    told.set_main_option("script_location", str(Path(__file__).parent))
    told.attributes["owner_url"] = owner_url
    return told
