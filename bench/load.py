"""Load on a server: `wrk` where it is installed, else a small client of our own in a process of its own.

Both send the requests of all visitors in turn over keep-alive connections, one at a time on each, and count what is not
answered by 200.

    python -m bench.load <url> <connections> <seconds> < visitors as JSON
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
import json
from pathlib import Path
import re
import shutil
from statistics import quantiles
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

import httptools

from bench.scratch import Visitor

_SCRIPT = """
local requests, next = {}, 0
function init()
  for _, visitor in ipairs(visitors) do requests[#requests + 1] = wrk.format("GET", nil, visitor) end
end
function request()
  next = next %% #requests + 1
  return requests[next]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("FOUND %%d %%f %%d %%f\\n", summary.requests, summary.duration / 1e6,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50) / 1e3))
end
visitors = {
%s
}
"""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back."""

    requests: int
    seconds: float
    errors: int
    median_milliseconds: float

    @property
    def per_second(self) -> float:
        """The rate."""
        return self.requests / self.seconds


def generator() -> str:
    """Which client is used here."""
    return "wrk" if shutil.which("wrk") else "httptools"


def put_load(url: str, visitors: Sequence[Visitor], *, connections: int, seconds: float) -> Answered:
    """Ask as fast as `connections` can for `seconds`. Raises RuntimeError when a request was refused."""
    answered = (
        _wrk(url, visitors, connections, seconds) if generator() == "wrk" else _own(url, visitors, connections, seconds)
    )
    if answered.errors or not answered.requests:
        raise RuntimeError(f"{answered.errors} of {answered.requests} requests to {url} failed: nothing was measured")
    return answered


def _wrk(url: str, visitors: Sequence[Visitor], connections: int, seconds: float) -> Answered:
    rows = "\n".join(
        "{" + ", ".join(f'["{name}"] = "{value}"' for name, value in visitor.headers.items()) + "},"
        for visitor in visitors
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT % rows)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "-s", script.name, url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"FOUND (\d+) ([\d.]+) (\d+) ([\d.]+)", output)
    if found is None:
        raise RuntimeError(f"wrk said: {output}")
    return Answered(int(found[1]), float(found[2]), int(found[3]), float(found[4]))


def _own(url: str, visitors: Sequence[Visitor], connections: int, seconds: float) -> Answered:
    command = [sys.executable, "-m", "bench.load", url, str(connections), str(seconds)]
    headers = json.dumps([visitor.headers for visitor in visitors])
    root = Path(__file__).parent.parent
    output = subprocess.run(command, check=True, capture_output=True, text=True, input=headers, cwd=root).stdout
    return Answered(*json.loads(output))


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered."""

    def __init__(self, requests: "cycle[bytes]", until: float, finished: asyncio.Future[None]) -> None:
        self._requests = requests
        self._until = until
        self.finished = finished
        self._parser = httptools.HttpResponseParser(self)
        self.times: list[float] = []
        self.errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.errors += exc is not None
            self.finished.set_result(None)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of an answer."""
        self.times.append(time.perf_counter() - self._sent)
        self.errors += self._parser.get_status_code() != 200
        self._parser = httptools.HttpResponseParser(self)
        if time.perf_counter() < self._until:
            self._send()
        else:
            self._transport.close()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))


async def _ask(url: str, headers: list[dict[str, str]], connections: int, seconds: float) -> Answered:
    parts = urlsplit(url)
    lines = ["".join(f"{name}: {value}\r\n" for name, value in each.items()) for each in headers]
    requests = cycle([f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{each}\r\n".encode() for each in lines])
    loop, begin = asyncio.get_running_loop(), time.perf_counter()
    protocols = [_Connection(requests, begin + seconds, loop.create_future()) for _ in range(connections)]
    for protocol in protocols:
        await loop.create_connection(partial(_same, protocol), parts.hostname or "", parts.port or 80)
    await asyncio.gather(*(protocol.finished for protocol in protocols))
    times = [each for protocol in protocols for each in protocol.times]
    errors = sum(protocol.errors for protocol in protocols)
    return Answered(len(times), time.perf_counter() - begin, errors, quantiles(times, n=2)[0] * 1_000)


def _same(protocol: _Connection) -> _Connection:
    return protocol


def main() -> None:
    """What the process of our own client does."""
    url, connections, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    answered = asyncio.run(_ask(url, json.load(sys.stdin), connections, seconds))
    print(json.dumps([answered.requests, answered.seconds, answered.errors, answered.median_milliseconds]))


if __name__ == "__main__":
    main()
