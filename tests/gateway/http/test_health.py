"""Whether the process lives and is ready."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.http.health import NotReady, Readiness, health_router
from tests.gateway.http.edge_app import calling, edge_app


async def yes() -> None:
    pass


async def no() -> None:
    raise NotReady("the level is too low")


async def broken() -> None:
    raise ConnectionError("password=swordfish")


async def never() -> None:
    await asyncio.Event().wait()


class TestLive:
    async def test_asks_nobody(self) -> None:
        async with calling(edge_app(router=health_router(Readiness({"database": never})))) as client:
            assert (await client.get("/health/live")).json() == {"status": "live"}

    async def test_leaves_no_line_in_the_access_log(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "gateway.access")
        async with calling(edge_app(router=health_router(Readiness()))) as client:
            await client.get("/health/live")
            await client.get("/health/nothing")
        assert [record.message for record in caplog.records if "/health/live" in record.message] == []
        assert len(caplog.records) == 1


class TestReady:
    async def test_is_200_when_every_check_says_yes(self) -> None:
        async with calling(edge_app(router=health_router(Readiness({"database": yes, "migrations": yes})))) as client:
            answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["checks"]) == (
            200,
            {"serving": "ok", "database": "ok", "migrations": "ok"},
        )

    async def test_is_503_and_names_the_check_that_says_no(self) -> None:
        async with calling(edge_app(router=health_router(Readiness({"database": yes, "migrations": no})))) as client:
            answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["checks"]["migrations"], "retry-after" in answer.headers) == (
            503,
            "failed",
            True,
        )

    async def test_takes_an_exception_for_a_no_and_keeps_it_to_itself(self) -> None:
        async with calling(edge_app(router=health_router(Readiness({"database": broken})))) as client:
            answer = await client.get("/health/ready")
        assert (answer.status_code, "swordfish" in answer.text) == (503, False)

    async def test_does_not_wait_for_a_check_that_never_answers(self) -> None:
        readiness = Readiness({"database": never}, deadline=0.05)
        async with asyncio.timeout(5), calling(edge_app(router=health_router(readiness))) as client:
            assert (await client.get("/health/ready")).status_code == 503

    async def test_is_503_once_the_process_drains(self) -> None:
        readiness = Readiness({"database": yes})
        readiness.drain()
        async with calling(edge_app(router=health_router(readiness))) as client:
            assert (await client.get("/health/ready")).status_code == 503

    async def test_asks_a_check_added_later(self) -> None:
        readiness = Readiness()
        readiness.add("database", no)
        assert await readiness.ask() == {"serving": True, "database": False}


class TestTheLog:
    async def test_gets_one_line_with_the_reason_however_often_is_asked(self) -> None:
        readiness = Readiness({"level": no})
        with capture_logs() as lines:
            for _ in range(3):
                await readiness.ask()
        assert [(line["event"], line["check"], line["reason"]) for line in lines] == [
            ("check_failed", "level", "the level is too low")
        ]

    async def test_gets_another_line_for_each_change(self) -> None:
        states = [no, broken, broken, yes, yes, no]

        async def check() -> None:
            await states.pop(0)()

        readiness = Readiness({"level": check})
        with capture_logs() as lines:
            for _ in range(6):
                await readiness.ask()
        assert [(line["event"], line.get("reason")) for line in lines] == [
            ("check_failed", "the level is too low"),
            ("check_failed", "ConnectionError"),
            ("check_passes_again", None),
            ("check_failed", "the level is too low"),
        ]

    async def test_never_gets_the_text_of_a_foreign_error(self) -> None:
        with capture_logs() as lines:
            await Readiness({"database": broken}).ask()
        assert "swordfish" not in str(lines)

    async def test_gets_nothing_while_all_is_well(self) -> None:
        with capture_logs() as lines:
            await Readiness({"database": yes}).ask()
        assert lines == []
