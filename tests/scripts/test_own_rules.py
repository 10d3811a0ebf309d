"""Every house rule finds its planted violation, and leaves alone what only looks like one."""

from pathlib import Path, PurePosixPath
import subprocess

import pytest

from scripts.own_rules import RULES, WARNINGS, SourceFile, check, main

SERVICE = "modules/auth/service.py"
REGISTRY = "pypi{}org".format(".")  # in pieces, so that this file keeps the rule it tests
HOME = "/" + "root"

VIOLATIONS = [
    ("vague_name", "modules/auth/utils.py", ""),
    ("vague_name", "modules/helpers/tokens.py", ""),
    ("http_exception", "modules/auth/endpoints.py", "from fastapi import HTTPException"),
    ("http_exception", "gateway/wiring.py", "raise fastapi.HTTPException(404)"),
    ("base_http_middleware", "gateway/http/middleware.py", "class Timing(BaseHTTPMiddleware): pass"),
    ("commit", SERVICE, "await session.commit()"),
    ("commit", "modules/rbac/repository/roles.py", "self._session.commit()"),
    ("statement_in_service", SERVICE, "from sqlalchemy import text"),
    ("statement_in_service", "modules/rbac/service/roles.py", "from sqlalchemy import select, update"),
    ("statement_in_service", SERVICE, "from sqlalchemy.dialects.postgresql import insert"),
    ("statement_in_service", SERVICE, "session.execute(sa.delete(User))"),
    ("private_tables", "modules/rbac/service.py", "from modules.auth.models import User"),
    ("private_tables", "modules/mandates/service.py", "from modules.auth import repository"),
    ("private_tables", "gateway/app.py", "import modules.rbac.repository.authorisation"),
    ("private_tables", "gateway/wiring.py", "from modules.rbac.models import Role"),
    ("environment", "modules/shared/mail.py", "import os\nos.environ['SMTP_HOST']"),
    ("environment", "gateway/app.py", "from os import getenv"),
    ("foreign_place", "docs/install.md", f"Get it from https://{REGISTRY}/simple"),
    ("foreign_place", "Makefile", f"cd {HOME}/project"),
]

INNOCENT = [
    ("modules/auth/manager_of_nothing.py", ""),
    ("gateway/http/error_handlers.py", "from starlette.exceptions import HTTPException"),
    ("tests/http/test_errors.py", "from fastapi import HTTPException"),
    ("modules/shared/database.py", "await session.commit()"),
    ("modules/auth/dependencies.py", "await session.commit()"),
    (SERVICE, "from sqlalchemy import select\nrows.update(more)\ntext = insert(delete)"),
    ("modules/auth/repository.py", "from sqlalchemy import delete, text"),
    ("modules/auth/service.py", "from modules.auth.models import User"),
    ("modules/rbac/service.py", "from modules.auth.service import Users"),
    ("gateway/wiring.py", "from modules.rbac.repository import Roles"),
    ("tests/auth/test_models.py", "from modules.auth.models import User"),
    ("gateway/app.py", "import os\nSettings.load(path, environment=os.environ)"),
    ("gateway/settings.py", "import os\nos.environ['MANDATE_HTTP__PORT']"),
    ("modules/auth/settings.py", "from os import environ"),
    ("docs/layout.md", "See gateway/work/order.py, $HOME/work/x and example.org/tmp/x"),
]


def rules_broken(path: str, text: str) -> list[str]:
    return [finding.rule for finding in check(SourceFile(PurePosixPath(path), text))]


class TestCheck:
    @pytest.mark.parametrize(("rule", "path", "text"), VIOLATIONS)
    def test_finds_a_planted_violation(self, rule: str, path: str, text: str) -> None:
        assert rules_broken(path, text) == [rule]

    @pytest.mark.parametrize(("path", "text"), INNOCENT)
    def test_leaves_alone_what_keeps_the_rules(self, path: str, text: str) -> None:
        assert rules_broken(path, text) == []

    def test_plants_a_violation_for_every_rule(self) -> None:
        assert {rule.__name__ for rule in RULES} == {rule for rule, _, _ in VIOLATIONS}

    def test_names_the_line(self) -> None:
        (finding,) = check(SourceFile(PurePosixPath(SERVICE), "import x\n\nx.commit()\n"))
        assert finding.line == 3

    def test_accepts_an_exception_with_a_reason(self) -> None:
        assert rules_broken(SERVICE, "session.commit()  # allowed: commit: a backup writes outside of requests") == []

    def test_refuses_an_exception_without_a_reason(self) -> None:
        assert rules_broken(SERVICE, "session.commit()  # allowed: commit") == ["commit"]

    def test_refuses_an_exception_from_another_rule(self) -> None:
        assert rules_broken(SERVICE, "session.commit()  # allowed: environment: because") == ["commit"]


class TestLongFile:
    def test_warns_of_more_than_400_lines(self) -> None:
        (finding,) = check(SourceFile(PurePosixPath("modules/auth/models.py"), "x = 1\n" * 401), WARNINGS)
        assert "401 lines" in finding.message

    def test_is_silent_at_400_lines(self) -> None:
        assert check(SourceFile(PurePosixPath("modules/auth/models.py"), "x = 1\n" * 400), WARNINGS) == []


class TestMain:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Path:
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
        (tmp_path / "gateway").mkdir()
        return tmp_path

    def test_fails_and_prints_where(self, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (repository / "gateway" / "app.py").write_text("raise HTTPException(500)\n")
        assert main(repository) == 1
        assert capsys.readouterr().out.startswith("gateway/app.py:1: http_exception: ")

    def test_passes_a_clean_repository(self, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (repository / "gateway" / "app.py").write_text("raise NotFound\n")
        assert (main(repository), capsys.readouterr().out) == (0, "")

    def test_does_not_fail_for_a_warning(self, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (repository / "gateway" / "app.py").write_text("x = 1\n" * 500)
        assert main(repository) == 0
        assert capsys.readouterr().out.startswith("warning: gateway/app.py")

    def test_ignores_what_git_ignores(self, repository: Path) -> None:
        (repository / ".gitignore").write_text("gateway/\n")
        (repository / "gateway" / "app.py").write_text("raise HTTPException(500)\n")
        assert main(repository) == 0

    def test_skips_files_that_are_not_text(self, repository: Path) -> None:
        (repository / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
        assert main(repository) == 0
