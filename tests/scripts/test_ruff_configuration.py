"""The house rules that ruff keeps for us are switched on where they must be."""

from pathlib import Path
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[2]


def lint(path: str, text: str) -> list[str]:
    """The rule codes ruff reports for `text` as if it stood at `path`."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--quiet", "--no-cache"]
    answer = subprocess.run(
        [*command, "--stdin-filename", path, "-"], check=False, cwd=ROOT, input=text, capture_output=True, text=True
    )
    assert answer.returncode in {0, 1}, answer.stderr
    return [line.split(" ")[1].rstrip(":") for line in answer.stdout.splitlines()]


class TestPrint:
    @pytest.mark.parametrize("path", ["modules/auth/service.py", "gateway/app.py", "modules/shared/mail.py"])
    def test_is_refused_in_the_product(self, path: str) -> None:
        assert lint(path, '"""Say hello."""\n\nprint("hello")\n').count("T201") == 1

    @pytest.mark.parametrize("path", ["scripts/release.py", "bench/load.py"])
    def test_is_allowed_where_a_person_listens(self, path: str) -> None:
        assert lint(path, '"""Say hello."""\n\nprint("hello")\n').count("T201") == 0


class TestPackages:
    def test_refuses_a_test_folder_without_init(self) -> None:
        assert lint("tests/no_such_folder/test_x.py", '"""Claims."""\n') == ["INP001"]
