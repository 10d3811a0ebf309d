"""The lines a process writes: their shape, what is bound to them, and what never stands in one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
import json
import logging
from typing import Any

import pytest
import structlog

from modules.shared.logging import RECENT_LINES, AnsweredRequest, configure_logging
from modules.shared.settings import LoggingSettings

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _logging_is_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def output() -> StringIO:
    stream = StringIO()
    configure_logging(LoggingSettings(), stream)
    return stream


def lines(output: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


class TestLine:
    def test_is_a_json_object_with_time_level_and_logger(self, output: StringIO) -> None:
        structlog.stdlib.get_logger("modules.auth").info("signed_in", count=2)
        (line,) = lines(output)
        assert line.pop("timestamp").endswith("Z")
        assert line == {"event": "signed_in", "count": 2, "level": "info", "logger": "modules.auth"}

    def test_of_a_library_looks_the_same(self, output: StringIO) -> None:
        logging.getLogger("some.library").warning("%s is slow", "it")
        (line,) = lines(output)
        assert (line["event"], line["level"], line["logger"]) == ("it is slow", "warning", "some.library")

    def test_carries_what_is_bound_to_the_request(self, output: StringIO) -> None:
        with structlog.contextvars.bound_contextvars(request_id="r", user_id="u", mandate_id="m"):
            structlog.stdlib.get_logger().info("own")
            logging.getLogger("some.library").info("theirs")
        assert [(line["request_id"], line["user_id"], line["mandate_id"]) for line in lines(output)] == [
            ("r", "u", "m"),
            ("r", "u", "m"),
        ]

    def test_holds_the_traceback_of_an_error(self, output: StringIO) -> None:
        structlog.stdlib.get_logger().error("failed", exc_info=ValueError("wrong"))
        (line,) = lines(output)
        assert "ValueError: wrong" in line["exception"]

    def test_below_the_level_is_not_written(self, output: StringIO) -> None:
        structlog.stdlib.get_logger().debug("detail")
        logging.getLogger("some.library").debug("detail")
        assert lines(output) == []

    def test_of_uvicorn_is_written_once(self, output: StringIO) -> None:
        uvicorn = logging.getLogger("uvicorn.error")
        uvicorn.addHandler(logging.StreamHandler(output))
        uvicorn.setLevel(logging.INFO)  # as uvicorn itself does
        configure_logging(LoggingSettings(), output)
        uvicorn.info("started")
        assert [line["event"] for line in lines(output)] == ["started"]

    def test_is_for_people_where_the_settings_say_so(self) -> None:
        stream = StringIO()
        configure_logging(LoggingSettings(format="console"), stream)
        structlog.stdlib.get_logger().info("signed_in", name="Ada", password="correct horse")
        assert "signed_in" in stream.getvalue()
        assert "Ada" in stream.getvalue()
        assert "correct horse" not in stream.getvalue()


class TestLineOfARequest:
    ASKED = AnsweredRequest("GET", '/notes/ä"b', 200, 1.25, "::1", "r-1")

    def test_says_the_same_as_a_line_that_passed_all_processors(self, output: StringIO) -> None:
        self.ASKED.log()
        structlog.stdlib.get_logger("gateway.access").info(
            "request", method="GET", path='/notes/ä"b', status=200, milliseconds=1.25, client="::1", request_id="r-1"
        )
        quick, ordinary = lines(output)
        assert len(quick.pop("timestamp")) == len(ordinary.pop("timestamp"))
        assert quick == ordinary

    def test_tells_the_time(self, output: StringIO) -> None:
        before = datetime.now(UTC)
        self.ASKED.log()
        (line,) = lines(output)
        assert before <= datetime.fromisoformat(line["timestamp"]) <= datetime.now(UTC)

    def test_masks_a_secret_in_the_path(self, output: StringIO) -> None:
        self.ASKED._replace(path=f"/reset/{TOKEN}").log()
        assert lines(output)[0]["path"] == "/reset/[redacted]"

    def test_is_among_the_recent_lines(self, output: StringIO) -> None:
        self.ASKED._replace(request_id="r-recent", path=f"/reset/{TOKEN}").log()
        (remembered,) = RECENT_LINES.find(request_id="r-recent", most=2)
        assert remembered == lines(output)[0]

    def test_is_not_written_below_the_level(self) -> None:
        stream = StringIO()
        configure_logging(LoggingSettings(level="WARNING"), stream)
        self.ASKED.log()
        assert stream.getvalue() == ""

    def test_is_for_people_where_the_settings_say_so(self) -> None:
        stream = StringIO()
        configure_logging(LoggingSettings(format="console"), stream)
        self.ASKED._replace(path="/notes").log()
        assert "GET /notes 200 1.25 ms ::1" in stream.getvalue()

    def test_for_people_is_one_line_whatever_the_path_holds(self) -> None:
        stream = StringIO()
        configure_logging(LoggingSettings(format="console"), stream)
        self.ASKED._replace(path="/notes\n2026-01-01 [info] signed_in\x9b2J").log()
        assert stream.getvalue().count("\n") == 1
        assert "/notes\\n2026-01-01 [info] signed_in\\x9b2J" in stream.getvalue()


class TestRedaction:
    @pytest.mark.parametrize(
        "key",
        [
            "password",
            "new_password",
            "password_hash",
            "token",
            "access_token",
            "accessToken",
            "refresh-token",
            "secret",
            "client_secret",
            "Authorization",
            "Cookie",
            "set-cookie",
            "api_key",
            "credentials",
        ],
    )
    def test_drops_what_is_named_like_a_secret(self, output: StringIO, key: str) -> None:
        structlog.stdlib.get_logger().info(
            "event", **{key: "hunter2"}, headers={key: "hunter2"}, parts=[{key: "hunter2"}]
        )
        assert "hunter2" not in output.getvalue()

    @pytest.mark.parametrize("key", ["token_id", "tokens_revoked", "code", "keyboard", "secretary"])
    def test_keeps_what_only_sounds_like_one(self, output: StringIO, key: str) -> None:
        structlog.stdlib.get_logger().info("event", **{key: "harmless"})
        assert lines(output)[0][key] == "harmless"

    @pytest.mark.parametrize(
        ("text", "secret"),
        [
            ("key mgk_abcDEF123-_x was used", "abcDEF123-_x"),
            (f"got {TOKEN}", TOKEN.split(".")[2]),
            ("Authorization: Bearer opaque.value", "opaque.value"),
            ("postgresql://mandate_app:pa55@db/mandate", "pa55"),
            ("https://example.org/magic-link#token=s3cret", "s3cret"),
            ("GET /callback?x=1&code=c0de", "c0de"),
        ],
    )
    def test_masks_what_looks_like_one(self, output: StringIO, text: str, secret: str) -> None:
        structlog.stdlib.get_logger().info(text, detail=text, nested={"detail": (text,)})
        logging.getLogger("some.library").info("said %s", text)
        assert secret not in output.getvalue()
        assert output.getvalue().count("[redacted]") == 4

    def test_reaches_into_the_text_of_an_error(self, output: StringIO) -> None:
        error = ValueError(f"cannot read {TOKEN}")
        structlog.stdlib.get_logger().error("failed", error=error, exc_info=error)
        assert TOKEN not in output.getvalue()
        assert "ValueError: cannot read [redacted]" in lines(output)[0]["exception"]
