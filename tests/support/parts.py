"""Real parts of the machine that some tests need.

Where one is absent, the test is skipped on a laptop and fails in CI (`CI=true`), with the same words: how to get it.
"""

from collections.abc import Callable
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import subprocess
from typing import NoReturn

import pytest


@dataclass(frozen=True)
class Part:
    """`find` gives the program, or for a part of several programs the folder they are in."""

    find: Callable[[], Path | None]
    how: str


def require_part(name: str) -> Path:
    """Where the part is. Ends the test when it is absent."""
    found = PARTS[name].find()
    return found if found is not None else _end_test(f"needs {name}: {PARTS[name].how}")


def _end_test(words: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(words, pytrace=False)
    pytest.skip(words)


def _program(name: str) -> Path | None:
    path = shutil.which(name)
    return Path(path) if path else None


def _node() -> Path | None:
    program = _program("node")
    recent = program is not None and int(_said(program, "--version").removeprefix("v").partition(".")[0]) >= 20
    return program if recent and _program("npm") else None


def _postgres_15() -> Path | None:
    for folder in (Path("/usr/lib/postgresql/15/bin"), _configured_postgres()):
        if folder and (folder / "postgres").exists() and " 15." in _said(folder / "postgres", "--version"):
            return folder
    return None


def _configured_postgres() -> Path | None:
    program = _program("pg_config")
    return Path(_said(program, "--bindir").strip()) if program else None


def _said(program: Path, question: str) -> str:
    return subprocess.run([program, question], capture_output=True, text=True, check=True).stdout


PARTS = {
    "chromium": Part(lambda: _program("chromium"), "apt-get install --no-install-recommends chromium"),
    "redis": Part(lambda: _program("redis-server"), "apt-get install --no-install-recommends redis-server"),
    "node": Part(_node, "apt-get install --no-install-recommends nodejs npm (Node.js 20 or later)"),
    "postgres-15": Part(_postgres_15, "apt-get install --no-install-recommends postgresql-15"),
}
