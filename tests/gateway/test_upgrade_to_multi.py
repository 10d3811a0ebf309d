"""`mandate serve` in single-user mode and `mandate upgrade-to-multi`, as programs: all is kept, nothing comes back."""

from pathlib import Path
import subprocess
import sys

import httpx
import pytest

from tests.support.commands import MANDATE, PATIENCE, REPOSITORY, Program, environment_for, free_port, started
from tests.support.postgres import DatabaseUrls

EMAIL = "ada@example.org"
PASSWORD = "four rivers meet here"


class Installation:
    """One installation, whose commands are programs."""

    def __init__(self, urls: DatabaseUrls, directory: Path) -> None:
        self.urls = urls
        self.directory = directory
        self.port = free_port()

    def environment(self, mode: str, **settings: str) -> dict[str, str]:
        fast = {"auth__argon2_memory_kib": "64", "auth__argon2_iterations": "1", "http__port": str(self.port)}
        return environment_for(self.urls, self.directory, auth__mode=mode, **fast, **settings)

    def run(self, *arguments: str, mode: str, stdin: str = "", **settings: str) -> tuple[int, str]:
        """A command that ends by itself: its exit code and what it said."""
        ended = subprocess.run(
            [sys.executable, *MANDATE, *arguments],
            cwd=self.directory,
            env={**self.environment(mode, **settings), "PYTHONPATH": str(REPOSITORY)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def upgrade(self) -> tuple[int, str]:
        arguments = "upgrade-to-multi", EMAIL, "--password-file", "-"
        return self.run(*arguments, mode="single", stdin=f"{PASSWORD}\n")


@pytest.fixture
def installation(database_urls: DatabaseUrls, tmp_path: Path) -> Installation:
    return Installation(database_urls, tmp_path)


def client_of(program: Program) -> httpx.Client:
    """A page of ours, or a program on this machine."""
    return httpx.Client(
        base_url=f"{program.url}/api/v1", headers={"X-Requested-With": "test"}, timeout=PATIENCE, trust_env=False
    )


def home_in(client: httpx.Client, program: Program) -> str:
    """The mandate that the local user began with."""
    answer = client.get("/mandates")
    assert answer.status_code == 200, program.said()
    (home,) = [each for each in answer.json()["items"] if each["name"] == "Home"]
    return str(home["id"])


class TestUpgradeToMulti:
    def test_keeps_everything_and_its_owner_and_can_never_be_undone(self, installation: Installation) -> None:
        with (
            started(
                "serve",
                environment=installation.environment("single"),
                directory=installation.directory,
                port=installation.port,
            ) as program,
            client_of(program) as client,
        ):
            me = client.get("/users/me").json()
            client.headers["X-Mandate-Id"] = home = home_in(client, program)
            group = client.post("/groups", json={"name": "Friends"}).json()
            code, said = installation.upgrade()
            assert (code, "no way back" in said) == (0, True), said
            refused = client.get("/users/me")
            assert (refused.status_code, refused.json()["code"]) == (503, "single_user_mode_ended")
            assert "every program and person on this machine is the local user" in program.said()
            assert program.stop() == 0

        code, said = installation.run("serve", mode="single")
        assert code == 3
        assert "never returns to single-user mode: set [auth] mode = multi" in said
        code, said = installation.upgrade()
        assert (code, "is not in single-user mode" in said) == (1, True), said

        with (
            started(
                "serve",
                environment=installation.environment("multi"),
                directory=installation.directory,
                port=installation.port,
            ) as program,
            client_of(program) as client,
        ):
            assert client.get("/users/me").status_code == 401
            client.headers["Origin"] = program.url
            signed_in = client.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
            assert signed_in.status_code == 200, signed_in.text
            user = signed_in.json()["user"]
            assert (user["id"], user["email"], user["is_sysadmin"]) == (me["id"], EMAIL, True)
            assert home_in(client, program) == home
            client.headers["X-Mandate-Id"] = home
            assert [each["id"] for each in client.get("/groups").json()["items"]] == [group["id"]]
            assert client.patch(f"/groups/{group['id']}", json={"name": "Kin"}).status_code == 200
            assert client.get("/admin/users").status_code == 200


@pytest.mark.slow
class TestServe:
    def test_refuses_a_database_of_places_that_is_none(self, installation: Installation) -> None:
        missing = installation.directory / "City.mmdb"
        code, said = installation.run("serve", mode="multi", geoip__file=str(missing))
        assert code == 3
        assert f"[geoip] file: {missing} cannot be read as a database of places" in said

    @pytest.mark.parametrize("arguments", [("--host", "0.0.0.0"), ("--host", "::")])  # noqa: S104  # refused
    def test_refuses_an_address_other_machines_reach(
        self, installation: Installation, arguments: tuple[str, ...]
    ) -> None:
        code, said = installation.run("serve", *arguments, mode="single")
        assert code == 3
        assert "[auth] mode = single gives everything to whoever can connect" in said

    def test_refuses_people_without_an_upgrade_once_there_is_a_local_user(self, installation: Installation) -> None:
        with started(
            "serve",
            environment=installation.environment("single"),
            directory=installation.directory,
            port=installation.port,
        ) as program:
            code, said = installation.run(
                "create-admin", EMAIL, "--password-file", "-", mode="single", stdin=f"{PASSWORD}\n"
            )
            assert (code, "nobody is added" in said) == (1, True), said
            assert program.stop() == 0
        code, said = installation.run("serve", mode="multi")
        assert code == 3
        assert "run “mandate upgrade-to-multi” first" in said
