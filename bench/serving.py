"""A contender in a process of its own, and the processor time it and its database spent."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
import os
from pathlib import Path
import socket
import subprocess
import sys
import time
import urllib.request

from bench.scratch import Installation, Visitor

_PATIENCE_SECONDS = 30
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """A running contender."""

    name: str
    pid: int
    url: str

    def processor_seconds(self) -> float:
        """Processor time spent so far."""
        return processor_seconds(self.pid)


@contextmanager
def served(name: str, installation: Installation, visitor: Visitor) -> Iterator[Server]:
    """`name` served on a free port until the block ends; it has answered `visitor` once when the block begins."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.contenders", name, str(listening.fileno()), installation.to_json()],
            cwd=Path(__file__).parent.parent,
            pass_fds=[listening.fileno()],
            stdout=subprocess.DEVNULL,  # where the log goes
        )
        try:
            server = Server(name, process.pid, f"http://127.0.0.1:{port}/invoices")
            _wait_for_answer(process, server.url, visitor)
            yield server
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


@contextmanager
def all_served(those: Sequence[tuple[str, Installation, Visitor]]) -> Iterator[list[Server]]:
    """The same for several, which start together: each takes seconds."""
    with ExitStack() as stack, ThreadPoolExecutor(len(those)) as starting:
        yield list(starting.map(lambda each: stack.enter_context(served(*each)), those))


def processor_seconds(pid: int) -> float:
    """Processor time of one process, by the kernel's clock."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def seconds_of_children(pid: int) -> dict[int, float]:
    """The same for every process that `pid` started; those of PostgreSQL come and go."""
    seconds = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split():
        with suppress(FileNotFoundError):
            seconds[int(child)] = processor_seconds(int(child))
    return seconds


def _wait_for_answer(process: "subprocess.Popen[bytes]", url: str, visitor: Visitor) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=visitor.headers)) as answer:  # noqa: S310
                answer.read()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.1)
