"""The commands of `mandate`: what they say, what they refuse, and with which code they end."""

from collections.abc import Iterator
import json
import logging
import os
from pathlib import Path
import re
import secrets
import subprocess
import sys
import tempfile
from typing import Any

import psycopg
import pytest
import structlog
from typer.testing import CliRunner, Result

from gateway.cli import app
from gateway.commands.demo import _password
from gateway.settings import initial_config
from tests.support.commands import REPOSITORY, environment_for, free_port, started, wait_until
from tests.support.postgres import DatabaseUrls

PASSWORD = "four rivers meet here"


class Commands:
    """Runs commands on a database of this test."""

    def __init__(self, urls: DatabaseUrls, directory: Path) -> None:
        self.urls = urls
        self.directory = directory

    def run(self, *arguments: str, stdin: str | None = None, **settings: str) -> Result:
        environment = environment_for(self.urls, self.directory, **settings)
        return CliRunner(env=environment).invoke(app, list(arguments), input=stdin)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.urls.superuser, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command sends the log to its own output, which ends with it."""
    root = logging.getLogger()
    handlers, log_level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(log_level)
    structlog.reset_defaults()


@pytest.fixture
def commands(database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    return Commands(database_urls, tmp_path)


def mandate(*arguments: str, **environment: str) -> Result:
    """A command without a database."""
    return CliRunner(env=environment).invoke(app, list(arguments))


class TestMandate:
    def test_lists_its_commands(self) -> None:
        listed = mandate("--help").output
        for name in ("serve", "worker", "migrate", "demo", "create-admin", "doctor", "config", "rotate-key", "openapi"):
            assert re.search(rf"^  {name} ", listed, re.MULTILINE)

    def test_shows_its_help_with_the_code_of_wrong_usage_when_asked_nothing(self) -> None:
        assert mandate().exit_code == 2

    def test_is_quick_to_answer_because_it_loads_nothing_before_a_command_runs(self) -> None:
        heavy = "fastapi", "sqlalchemy", "jose", "procrastinate", "pydantic"
        script = f"import sys, gateway.cli; print([name for name in {heavy} if name in sys.modules])"
        found = subprocess.run(
            [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, check=True, text=True
        )
        assert found.stdout.strip() == "[]"

    def test_takes_no_secret_on_the_command_line(self) -> None:
        for name in ("serve", "create-admin", "reset-password", "rotate-key", "migrate"):
            assert not re.search(r"--(password|secret|url|token)\b(?!-file)", mandate(name, "--help").output)


class TestConfig:
    def test_show_masks_secrets(self, tmp_path: Path) -> None:
        shown = mandate("config", "show", MANDATE_METRICS__TOKEN="a secret token")
        assert "a secret token" not in shown.output
        assert "metrics.token = ********  (environment)" in shown.output

    def test_validate_names_what_was_meant(self, tmp_path: Path) -> None:
        file = tmp_path / "config.ini"
        file.write_text("[http]\nprot = 8000\n", encoding="utf-8")
        answer = mandate("config", "validate", "--config", str(file))
        assert answer.exit_code == 3
        assert "[http] port" in answer.stderr

    def test_validate_passes_what_is_right(self, tmp_path: Path) -> None:
        file = tmp_path / "config.ini"
        file.write_text("[http]\nport = 8001\n", encoding="utf-8")
        assert mandate("config", "validate", "--config", str(file)).exit_code == 0

    def test_init_writes_the_commented_defaults(self, tmp_path: Path) -> None:
        file = tmp_path / "config.ini"
        assert mandate("config", "init", str(file)).exit_code == 0
        assert file.read_text(encoding="utf-8") == initial_config()

    def test_init_overwrites_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "config.ini"
        file.write_text("mine", encoding="utf-8")
        assert mandate("config", "init", str(file)).exit_code == 1
        assert file.read_text(encoding="utf-8") == "mine"


class TestOpenapi:
    def test_prints_the_document(self) -> None:
        document = json.loads(mandate("openapi").output)
        assert "/api/v1/auth/login" in document["paths"]


class TestMigrate:
    def test_changes_nothing_where_nothing_is_to_do(self, commands: Commands) -> None:
        answer = commands.run("migrate")
        assert (answer.exit_code, answer.output) == (0, "The database is at level 0001.\n")

    def test_makes_the_schema(self, commands: Commands) -> None:
        commands.sql("DROP SCHEMA public, jobs CASCADE")
        commands.sql("CREATE SCHEMA public AUTHORIZATION mandate_owner")
        assert commands.run("migrate").exit_code == 0
        assert commands.sql("SELECT slug FROM mandates") == [("root",)]

    def test_check_ends_with_1_on_another_level(self, commands: Commands) -> None:
        assert commands.run("migrate", "--check").exit_code == 0
        commands.sql("UPDATE alembic_version SET version_num = '0000'")
        answer = commands.run("migrate", "--check")
        assert (answer.exit_code, "at level 0000" in answer.output) == (1, True)

    def test_sql_prints_what_it_would_run(self) -> None:
        assert "CREATE TABLE mandates" in mandate("migrate", "--sql").output

    def test_logins_sql_prints_what_an_administrator_runs(self) -> None:
        assert "mandate_app_password" in mandate("migrate", "--logins-sql").output

    def test_needs_the_login_that_owns_the_schema(self, commands: Commands) -> None:
        answer = commands.run("migrate", database__owner_url="")
        assert (answer.exit_code, "owner_url" in answer.stderr) == (1, True)


@pytest.mark.slow
class TestServe:
    def test_refuses_a_database_at_another_level(self, commands: Commands) -> None:
        commands.sql("UPDATE alembic_version SET version_num = '0000'")
        answer = commands.run("serve", "--port", str(free_port()))
        assert answer.exit_code == 5
        assert "the database is at level 0000, this version needs 0001: run `mandate migrate`" in answer.stderr

    def test_refuses_a_database_that_does_not_answer(self, commands: Commands) -> None:
        away = f"postgresql://mandate_app@127.0.0.1:{free_port()}/mandate"
        answer = commands.run("serve", "--port", str(free_port()), database__url=away)
        assert answer.exit_code == 4
        assert "the database cannot be reached as mandate_app" in answer.stderr
        assert "Traceback" not in answer.stderr

    def test_refuses_a_master_key_that_others_can_read(self, commands: Commands) -> None:
        key = commands.directory / "master.key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o644)
        answer = commands.run("serve", "--port", str(free_port()))
        assert (answer.exit_code, "chmod 600" in answer.stderr) == (3, True)

    def test_prints_the_set_up_code_an_open_installation_needs(self, commands: Commands) -> None:
        port = free_port()
        environment = environment_for(
            commands.urls, commands.directory, http__port=str(port), auth__set_up_code_required="yes"
        )
        arguments = {"environment": environment, "directory": commands.directory, "port": port}
        with started("serve", **arguments) as program:  # type: ignore[arg-type]
            assert f"serves http://127.0.0.1:{port}" in program.said()
            assert re.search(r"needs this set-up code: \S{20,}", program.said())
            assert program.stop() == 0

    def test_starts_again_when_a_file_changes(self, commands: Commands) -> None:
        port = free_port()
        environment = environment_for(commands.urls, commands.directory, http__port=str(port))
        arguments: dict[str, Any] = {"environment": environment, "directory": commands.directory, "port": port}
        with started("serve", "--reload", **arguments) as program:
            (commands.directory / "changed.py").write_text("changed = True", encoding="utf-8")
            wait_until(lambda: program.said().count("Started server process") == 2 and program.is_ready())
            assert program.stop() == 0


@pytest.mark.slow
class TestWorker:
    def test_works_on_jobs_until_told_to_stop(self, commands: Commands) -> None:
        """Beside a server that does not, it sends the mail of a registration."""
        port = free_port()
        environment = environment_for(
            commands.urls, commands.directory, http__port=str(port), jobs__in_process="no", mail__backend="file"
        )
        arguments: dict[str, Any] = {"environment": environment, "directory": commands.directory, "port": port}
        with started("serve", **arguments) as server, started("worker", **arguments) as worker:
            commands.run("create-admin", "ada@example.org", "--password-file", "-", stdin=PASSWORD)
            commands.run("reset-password", "ada@example.org", "--password-file", "-", stdin=PASSWORD)
            wait_until(lambda: any((commands.directory / "mail").glob("*.eml")))
            assert worker.stop() == 0
            assert server.stop() == 0


class TestCreateAdmin:
    def create(self, commands: Commands, email: str = "ada@example.org", password: str = PASSWORD) -> Result:
        return commands.run("create-admin", email, "--password-file", "-", stdin=f"{password}\n")

    def test_makes_a_verified_sysadmin(self, commands: Commands) -> None:
        assert self.create(commands).exit_code == 0
        assert commands.sql("SELECT email, state, is_sysadmin FROM users") == [("ada@example.org", "verified", True)]

    def test_gives_the_role_as_well(self, commands: Commands) -> None:
        self.create(commands)
        roles = "SELECT r.key FROM role_assignments a JOIN roles r ON r.id = a.role_id"
        assert commands.sql(roles) == [("sysadmin",)]

    def test_reads_the_password_from_a_file(self, commands: Commands) -> None:
        file = commands.directory / "password"
        file.write_text(f"{PASSWORD}\nsecond line\n", encoding="utf-8")
        answer = commands.run("create-admin", "ada@example.org", "--password-file", str(file))
        assert answer.exit_code == 0

    @pytest.mark.parametrize(
        ("email", "password", "words"),
        [
            ("ada@example.org", "short", "at least 12"),
            ("ada@example.org", "", "the first line is empty"),
            ("nobody", PASSWORD, "'nobody' is no mail address"),
        ],
    )
    def test_refuses_in_a_sentence(self, commands: Commands, email: str, password: str, words: str) -> None:
        answer = self.create(commands, email, password)
        assert answer.exit_code == 1
        assert words in answer.stderr
        assert commands.sql("SELECT count(*) FROM users") == [(0,)]

    def test_refuses_an_address_twice(self, commands: Commands) -> None:
        self.create(commands)
        assert self.create(commands).exit_code == 1

    def test_asks_nobody_who_is_not_there(self, commands: Commands) -> None:
        answer = commands.run("create-admin", "ada@example.org")
        assert (answer.exit_code, "--password-file" in answer.stderr) == (1, True)


class TestResetPassword:
    def test_ends_every_session(self, commands: Commands) -> None:
        commands.run("create-admin", "ada@example.org", "--password-file", "-", stdin=PASSWORD)
        (before,) = commands.sql("SELECT ver FROM users")
        answer = commands.run(
            "reset-password", "ADA@example.org", "--password-file", "-", stdin="five rivers meet here"
        )
        assert answer.exit_code == 0
        assert commands.sql("SELECT ver FROM users") != [before]

    def test_does_not_know_a_stranger(self, commands: Commands) -> None:
        answer = commands.run("reset-password", "ada@example.org", "--password-file", "-", stdin=PASSWORD)
        assert (answer.exit_code, "Traceback" in answer.output) == (1, False)


class TestRemoveFactors:
    def test_removes_those_of_the_account(self, commands: Commands) -> None:
        commands.run("create-admin", "ada@example.org", "--password-file", "-", stdin=PASSWORD)
        commands.sql(
            "INSERT INTO totp_credentials (user_id, sealed_seed, created_at, confirmed_at)"
            " SELECT id, '', now(), now() FROM users"
        )
        answer = commands.run("remove-factors", "ada@example.org")
        assert (answer.exit_code, commands.sql("SELECT 1 FROM totp_credentials")) == (0, [])

    def test_does_not_know_a_stranger(self, commands: Commands) -> None:
        answer = commands.run("remove-factors", "ada@example.org")
        assert (answer.exit_code, "Traceback" in answer.output) == (1, False)


class TestTheMasterKeyFile:
    def test_is_asked_back_when_it_is_gone_and_never_replaced(self, commands: Commands) -> None:
        commands.run("create-admin", "ada@example.org", "--password-file", "-", stdin=PASSWORD)
        (file,) = commands.directory.rglob("master.key")
        file.unlink()
        refused = commands.run("rotate-key")
        assert (refused.exit_code, "Restore the file from the backup" in refused.output) == (3, True)
        assert not file.exists()


class TestRotateKey:
    def states(self, commands: Commands) -> set[tuple[Any, ...]]:
        return set(commands.sql("SELECT state FROM signing_keys WHERE purpose = 'access'"))

    def test_publishes_the_next_keys(self, commands: Commands) -> None:
        assert commands.run("rotate-key").exit_code == 0
        assert self.states(commands) == {("signing",), ("next",)}

    def test_does_not_begin_a_second_time(self, commands: Commands) -> None:
        commands.run("rotate-key")
        assert commands.run("rotate-key").exit_code == 1

    def test_retires_compromised_keys_at_once(self, commands: Commands) -> None:
        assert commands.run("rotate-key", "--compromised").exit_code == 0
        assert self.states(commands) == {("signing",), ("retired",)}


class TestDoctor:
    def test_finds_nothing_wrong_with_a_healthy_installation(self, commands: Commands) -> None:
        answer = commands.run("doctor")
        assert (answer.exit_code, "BAD" in answer.output) == (0, False)

    @pytest.mark.parametrize(
        ("harm", "words"),
        [
            ("CREATE TABLE leak (mandate_id uuid)", "row-level security is off on public.leak"),
            ("ALTER TABLE roles NO FORCE ROW LEVEL SECURITY", "row-level security is off on public.roles"),
            ("UPDATE alembic_version SET version_num = '0000'", "this version needs 0001: mandate migrate"),
        ],
    )
    def test_finds_a_harmed_database(self, commands: Commands, harm: str, words: str) -> None:
        commands.sql(harm)
        answer = commands.run("doctor")
        assert (answer.exit_code, words in answer.output) == (1, True)

    def test_finds_a_database_that_does_not_answer(self, commands: Commands) -> None:
        answer = commands.run("doctor", database__auth_url=f"postgresql://mandate_auth@127.0.0.1:{free_port()}/mandate")
        assert (answer.exit_code, "cannot be reached as mandate_auth" in answer.output) == (1, True)

    def test_finds_a_master_key_that_others_can_read(self, commands: Commands) -> None:
        key = commands.directory / "master.key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o640)
        answer = commands.run("doctor")
        assert (answer.exit_code, "has mode 0640; chmod 600" in answer.output) == (1, True)

    def test_finds_a_mail_server_that_does_not_answer(self, commands: Commands) -> None:
        mail = {"backend": "smtp", "host": "127.0.0.1", "port": str(free_port()), "sender": "mandate@example.org"}
        answer = commands.run("doctor", **{f"mail__{key}": value for key, value in mail.items()})
        assert (answer.exit_code, "the mail server 127.0.0.1 refuses" in answer.output) == (1, True)

    def test_finds_wrong_settings(self, commands: Commands) -> None:
        answer = commands.run("doctor", http__port="none")
        assert (answer.exit_code, answer.output.count("BAD")) == (1, 1)


@pytest.mark.slow
class TestDemo:
    """On the embedded PostgreSQL, as `make run` starts it."""

    def test_starts_the_second_time_where_it_was(self, tmp_path: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="mg-") as directory:
            Path(directory).chmod(0o711)  # PostgreSQL of root runs as another account
            said = [self.visit(tmp_path, Path(directory, "data")) for _ in range(2)]
        passwords = [re.findall(r"password (\S+)", each) for each in said]
        assert passwords[0] == passwords[1] != []

    def visit(self, directory: Path, data: Path) -> str:
        port = free_port()
        options = ("--port", str(port), "--data", str(data))
        with started("demo", *options, environment={}, directory=directory, port=port) as program:
            assert program.get("/console/").status_code == 200
            assert program.get("/invoices").status_code == 401
            assert (data / "demo-password").stat().st_mode & 0o077 == 0
            assert program.stop() == 0
            assert not list((data / "postgres").glob(".s.PGSQL.*"))
            return program.said()

    def test_keeps_a_password_whole_or_not_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(_: int) -> str:
            raise KeyboardInterrupt

        with monkeypatch.context() as at_first:
            at_first.setattr(secrets, "token_urlsafe", interrupted)
            with pytest.raises(KeyboardInterrupt):
                _password(tmp_path / "demo-password")
        assert list(tmp_path.iterdir()) == []
        assert len(_password(tmp_path / "demo-password")) == 16

    def test_leaves_somebodys_installation_alone(self, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
        commands.run("create-admin", "ada@example.org", "--password-file", "-", stdin=PASSWORD)
        environment = environment_for(commands.urls, commands.directory, http__port=str(free_port()))
        program = [sys.executable, "-m", "tests.support.demo_host"]
        environment |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
        ended = subprocess.run(
            program, cwd=commands.directory, env=environment, capture_output=True, text=True, check=False
        )
        assert "this data directory holds an installation of its own" in ended.stderr
        assert commands.sql("SELECT count(*) FROM mandates") == [(1,)]
