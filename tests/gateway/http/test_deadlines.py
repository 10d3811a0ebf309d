"""Requests that take too long are ended and answered; answers that have begun may last."""

import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

from fastapi import APIRouter, FastAPI, Request
import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import Message

from gateway.http.edge_policy import EdgePolicy
from tests.gateway.http.edge_app import PUBLIC_URL, calling, edge_app, metrics_of, run_raw, scope_of

LIMIT = 0.2


class Slow:
    """An application with slow routes, and what became of its handlers."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        router = APIRouter(prefix="/api/v1")
        router.add_api_route("/wait/{seconds}", self.wait)
        router.add_api_route("/body", self.body, methods=["POST"])
        router.add_api_route("/stream", self.stream)
        self.app: FastAPI = edge_app(EdgePolicy(PUBLIC_URL, request_seconds=LIMIT), router=router)

    async def wait(self, seconds: float) -> dict[str, float]:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.ended.append("wait")
            raise
        return {"waited": seconds}

    async def body(self, request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    async def stream(self) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            await asyncio.sleep(2 * LIMIT)
            yield b" and finished"

        return StreamingResponse(chunks())


@pytest.fixture
def slow() -> Slow:
    return Slow()


class TestARequestThatTakesTooLong:
    async def test_is_answered_503_with_its_code(self, slow: Slow) -> None:
        started = perf_counter()
        async with calling(slow.app) as client:
            answer = await client.get("/api/v1/wait/30")
        assert LIMIT <= perf_counter() - started < 10 * LIMIT
        assert (answer.status_code, answer.json()["code"]) == (503, "timeout")
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["x-content-type-options"] == "nosniff"

    async def test_has_its_handler_ended(self, slow: Slow) -> None:
        async with calling(slow.app) as client:
            await client.get("/api/v1/wait/30")
        assert slow.ended == ["wait"]

    async def test_is_counted_as_503(self, slow: Slow) -> None:
        async with calling(slow.app) as client:
            await client.get("/api/v1/wait/30")
        assert 'route="/api/v1/wait/{seconds}",status="503"} 1.0' in metrics_of(slow.app).render().decode()

    async def test_is_ended_while_its_body_is_awaited(self, slow: Slow) -> None:
        headers = [(b"content-length", b"2"), (b"content-type", b"application/json")]
        scope = scope_of("/api/v1/body", method="POST", headers=headers)
        sent: list[Message] = []

        async def never() -> Message:
            await asyncio.Event().wait()
            return {}

        async def send(message: Message) -> None:
            sent.append(message)

        await slow.app(scope, never, send)
        assert sent[0]["status"] == 503

    async def test_leaves_the_connection_usable(self, slow: Slow) -> None:
        async with calling(slow.app) as client:
            await client.get("/api/v1/wait/30")
            assert (await client.get("/api/v1/wait/0")).status_code == 200

    async def test_does_not_end_those_that_began_later(self, slow: Slow) -> None:
        async with calling(slow.app) as client:
            first = asyncio.create_task(client.get("/api/v1/wait/30"))
            await asyncio.sleep(LIMIT / 2)
            later = [asyncio.create_task(client.get(f"/api/v1/wait/{LIMIT * 0.75}")) for _ in range(5)]
            assert (await first).status_code == 503
            assert [(await each).status_code for each in later] == [200] * 5

    async def test_is_ended_though_others_were_quick_before_it(self, slow: Slow) -> None:
        async with calling(slow.app) as client:
            await client.get("/api/v1/wait/0")
            await asyncio.sleep(LIMIT / 2)
            started = perf_counter()
            assert (await client.get("/api/v1/wait/30")).status_code == 503
        assert perf_counter() - started >= LIMIT


class TestWhatIsNotEnded:
    async def test_an_answer_in_time(self, slow: Slow) -> None:
        async with calling(slow.app) as client:
            assert (await client.get(f"/api/v1/wait/{LIMIT / 4}")).json() == {"waited": LIMIT / 4}

    async def test_a_stream_that_has_begun(self, slow: Slow) -> None:
        async with calling(slow.app) as client:
            assert (await client.get("/api/v1/stream")).text == "begun and finished"

    async def test_a_task_that_the_server_cancels_is_not_answered(self, slow: Slow) -> None:
        task = asyncio.create_task(run_raw(slow.app, scope_of("/api/v1/wait/30")))
        await asyncio.sleep(LIMIT / 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow.ended == ["wait"]


def test_serves_loop_after_loop() -> None:
    """A timer of a loop that ended never rings; the next loop gets one of its own."""
    slow = Slow()

    async def call() -> int:
        async with calling(slow.app) as client:
            return (await client.get("/api/v1/wait/30")).status_code

    async def leave_early() -> None:
        async with calling(slow.app) as client:
            await client.get("/api/v1/wait/0")

    asyncio.run(leave_early())
    assert asyncio.run(call()) == 503
