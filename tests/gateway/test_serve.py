"""`mandate serve` as a program: how it starts, refuses to, is told to stop, and loses its parts."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
import os
from pathlib import Path
import re
import signal
import socket
import time

import httpx
import pytest

from tests.support.commands import Program, environment_for, free_port, started, wait_until
from tests.support.postgres import DatabaseUrls

SLOW_HOST = ("-m", "tests.support.slow_host")
pytestmark = pytest.mark.slow


class Host:
    """Starts the slow host with settings, at most once per test."""

    def __init__(self, urls: DatabaseUrls, directory: Path, stack: ExitStack) -> None:
        self._urls = urls
        self._directory = directory
        self._stack = stack

    def start(self, port: int | None = None, **settings: str) -> Program:
        port = port or free_port()
        environment = environment_for(self._urls, self._directory, http__port=str(port), **settings)
        return self._stack.enter_context(
            started(environment=environment, directory=self._directory, port=port, program=SLOW_HOST)
        )


@pytest.fixture
def host(database_urls: DatabaseUrls, tmp_path: Path) -> Iterator[Host]:
    with ExitStack() as stack:
        yield Host(database_urls, tmp_path, stack)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pids(program: Program, count: int) -> set[int]:
    """The processes that answer, once there are so many of them."""
    seen: set[int] = set()

    def ask() -> bool:
        seen.add(program.get("/pid").json()["pid"])
        return len(seen) >= count

    wait_until(ask)
    return seen


class TestStopping:
    def test_finishes_the_requests_it_has(self, host: Host) -> None:
        program = host.start()
        with ThreadPoolExecutor(1) as other:
            answer = other.submit(program.get, "/slow?seconds=1.5")
            time.sleep(0.5)
            assert program.stop() == 0
            assert answer.result().status_code == 200

    def test_takes_no_new_connection(self, host: Host) -> None:
        program = host.start()
        with ThreadPoolExecutor(1) as other:
            answer = other.submit(program.get, "/slow?seconds=1.5")
            time.sleep(0.5)
            program.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{program.url}/health/live")
            answer.result()

    def test_is_not_ready_while_a_load_balancer_has_notice(self, host: Host) -> None:
        program = host.start(http__drain_notice="3s")
        program.process.send_signal(signal.SIGTERM)
        wait_until(lambda: program.answers("/health/ready") == 503)
        assert program.answers("/health/live") == 200
        assert program.process.wait(30) == 0

    def test_cuts_off_what_takes_longer_than_the_drain_timeout(self, host: Host) -> None:
        program = host.start(http__drain_timeout="1s")
        with ThreadPoolExecutor(1) as other:
            answer = other.submit(program.get, "/slow?seconds=60")
            time.sleep(0.5)
            began = time.monotonic()
            assert program.stop() == 0
            assert time.monotonic() - began < 20
            assert answer.exception() is not None or answer.result().status_code >= 500


class TestSeveralProcesses:
    def test_share_the_port(self, host: Host) -> None:
        program = host.start(http__workers="2")
        assert len(pids(program, 2)) == 2
        assert program.stop() == 0

    def test_stop_with_their_requests_answered(self, host: Host) -> None:
        program = host.start(http__workers="2")
        pids(program, 2)
        with ThreadPoolExecutor(8) as others:
            answers = [others.submit(program.get, "/slow?seconds=1.5") for _ in range(8)]
            time.sleep(0.7)
            assert program.stop() == 0
            assert Counter(answer.result().status_code for answer in answers) == {200: 8}

    def test_a_killed_one_is_replaced(self, host: Host) -> None:
        program = host.start(http__workers="2")
        first, second = pids(program, 2)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: program.answers("/pid") == 200 and len(pids(program, 1) - {first, second}) == 1)
        assert not is_alive(first)

    def test_end_with_a_killed_parent(self, host: Host) -> None:
        program = host.start(http__workers="2")
        children = pids(program, 2)
        program.stop(signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in children))
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{program.url}/health/live")

    def test_count_into_one_set_of_metrics(self, host: Host) -> None:
        program = host.start(http__workers="2")
        pids(program, 2)
        for _ in range(20):
            program.get("/slow?seconds=0")
        metrics = program.get("/metrics").text
        counted = re.search(r'http_requests_total{method="GET",route="/slow",status="200"} (\S+)', metrics)
        assert counted is not None
        assert float(counted[1]) == 20


class TestAnswers:
    def test_name_no_server(self, host: Host) -> None:
        assert "server" not in host.start().get("/health/live").headers

    def test_believe_no_forwarded_address_by_themselves(self, host: Host) -> None:
        program = host.start()
        httpx.get(f"{program.url}/pid", headers={"X-Forwarded-For": "203.0.113.9"})
        wait_until(lambda: '"path": "/pid"' in program.said())
        assert "203.0.113.9" not in program.said()


def test_a_taken_port_is_refused_in_a_sentence(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1, port {port}: Address already in use"):
            host.start(port)
