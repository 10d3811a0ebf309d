"""Run a whole SQL file in a revision, online and offline."""

from pathlib import Path
from typing import Any

from alembic import op
from sqlalchemy.util import await_only


def run_file(name: str) -> None:
    """Execute `versions/<name>` as it is: it may hold many statements and function bodies, which a prepared statement
    cannot.
    """
    script = (Path(__file__).parent / "versions" / name).read_text(encoding="utf-8")
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(script)
        return
    driver: Any = op.get_bind().connection.driver_connection
    op.get_bind().exec_driver_sql("SELECT 1")  # opens SQLAlchemy's transaction, which the script must be part of
    await_only(driver.execute(script))
