"""A real redis-server on a free port, which a test may kill and start again."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
import socket
import subprocess
import time

from tests.support.parts import require_part


class RedisServer:
    """One server without files; `port` stays the same over restarts."""

    def __init__(self, program: Path, port: int) -> None:
        self._program = program
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        command = [str(self._program), "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + 15
        while time.monotonic() < give_up:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.02)
        raise TimeoutError("redis-server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A running server; it is gone afterwards."""
    program = require_part("redis")
    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    server = RedisServer(program, port)
    try:
        server.start()
        yield server
    finally:
        server.kill()
