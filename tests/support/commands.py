"""Running `mandate` as its users do: as a program of its own, on a free port, ended by a signal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import time

import httpx

from tests.support.postgres import DatabaseUrls

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 60
MANDATE = ("-c", "from gateway.cli import app; app(prog_name='mandate')")


def environment_for(urls: DatabaseUrls | None, directory: Path, **settings: str) -> dict[str, str]:
    """The environment that tells a gateway its database (none: embedded) and data directory.

    `settings` are `section__key="value"`.
    """
    chosen = {"installation__data_directory": str(directory)}
    if urls is not None:
        chosen |= {
            "database__url": urls.app,
            "database__owner_url": urls.owner,
            "database__auth_url": urls.auth,
            "database__system_url": urls.system,
            "database__authorisation_connections": "2",
        }
    return {f"MANDATE_{name.upper()}": value for name, value in {**chosen, **settings}.items()}


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """A started program that serves `port`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
        self.process = process
        self.port = port
        self.output = output
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **options: float) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=options.get("timeout", 30.0))

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}:\n{self.said()}")
        return self.answers("/health/ready") == 200

    def answers(self, path: str) -> int | None:
        """The status of an answer; None when nobody listens or answers."""
        try:
            return self.get(path, timeout=2.0).status_code
        except httpx.HTTPError:
            return None

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and answer the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def started(
    *arguments: str, environment: Mapping[str, str], directory: Path, port: int, program: tuple[str, ...] = MANDATE
) -> Iterator[Program]:
    """`mandate …` (or another `program` of Python's), ready to answer; killed at the end if it still runs."""
    output = directory / "output.txt"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MANDATE_")}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=directory,
            env={**inherited, **environment, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    running = Program(process, port, output)
    try:
        wait_until(running.is_ready)
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Return once `condition` holds. Programs are watched from tests without an event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} seconds")
        time.sleep(0.05)
