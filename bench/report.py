"""docs/performance.md: each measurement owns the section under its heading and leaves the others alone."""

from datetime import UTC, datetime
from importlib.metadata import version
import os
from pathlib import Path
import platform
import re

_DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
SERVED_WITH = ("fastapi", "uvicorn", "asyncpg", "sqlalchemy")
_INTRODUCTION = """# Performance

Figures of one machine at one time: what carries over are the ratios, each taken from interleaved rounds of one run.
Every section names the command that measures it again and writes it here (`--write`); `--quick` gives a first idea.
"""


def write(heading: str, text: str) -> None:
    """Put `text` under `## heading`, in place of what stood there."""
    document = _DOCUMENT.read_text("utf-8") if _DOCUMENT.exists() else _INTRODUCTION
    section = f"## {heading}\n\n{text.strip()}\n"
    old = re.compile(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if old.search(document):
        document = old.sub(lambda _: f"{section}\n", document)
    else:
        document = f"{document.rstrip()}\n\n{section}"
    _DOCUMENT.write_text(f"{document.rstrip()}\n", "utf-8")


def measured(command: str, *packages: str) -> str:
    """How, when and on what: the first paragraph of a section, without anything that names the machine."""
    cores = len(os.sched_getaffinity(0))
    versions = [f"Python {platform.python_version()}", *(f"{package} {version(package)}" for package in packages)]
    on = f"{cores} {'core' if cores == 1 else 'cores'}"
    return f"`{command} --write`, on {datetime.now(UTC):%Y-%m-%d}, {on}, {', '.join(versions)}."


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
