"""Structured logs of every process: one line per event, no secret in any of them.

Everything goes through structlog, also the lines of libraries that use the standard library's `logging`. What is bound
by `structlog.contextvars.bind_contextvars` (`request_id`, `user_id`, `mandate_id`, `job_id`) appears in every line of
its task.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring as quoted
import logging
import re
import sys
from typing import Final, NamedTuple, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from modules.shared.recent_lines import RecentLines
from modules.shared.settings import LoggingSettings

_SECRET_KEY: Final = re.compile(
    r"(password|passwd|passphrase|secret|token|authorization|cookie|credential|api_?key|private_?key)"
    r"s?(_?(hash|value))?$"
)
_SECRET_TEXT: Final = re.compile(
    r"(?P<api_key>\bmgk_)[\w-]+"
    r"|\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*){0,3}"  # a signed or sealed token (RFC 7515, RFC 7516)
    r"|(?P<scheme>\b(?:Bearer|Basic) )[\w.~+/=-]+"
    r"|(?P<login>://[^\s:/@]*:)[^\s/@]+(?=@)"
    r"|(?P<parameter>[#?&](?:token|code|ticket|secret)=)[^\s&#\"']+",
    re.IGNORECASE,
)
_MASK: Final = "[redacted]"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OF_SEVERAL_LINES: Final = frozenset({"exception", "stack"})
_ACCESS_LOG: Final = logging.getLogger("gateway.access")
_LONGEST_PATH: Final = 2000
RECENT_LINES: Final = RecentLines()
"""What this process wrote last."""
_QUIETER: Final = {"procrastinate": logging.WARNING, "uvicorn.access": logging.WARNING, "httpx": logging.WARNING}


class AnsweredRequest(NamedTuple):
    """What the access log says of one request.

    The processors every other line passes would cost as much as a fifth of a request. This is the message of a plain
    `logging.LogRecord` instead, which the formatter turns into the same JSON by itself.
    """

    method: str
    path: str
    status: int
    milliseconds: float
    client: str
    request_id: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status} {self.milliseconds} ms {self.client}"

    def log(self) -> None:
        """Write the line, unless lines of its level are not written."""
        if _ACCESS_LOG.isEnabledFor(logging.INFO):
            _ACCESS_LOG.handle(logging.LogRecord(_ACCESS_LOG.name, logging.INFO, "", 0, self, None, None))

    def as_json(self, created: float) -> str:
        """The line, remembered like any other."""
        path = _masked(self.path[:_LONGEST_PATH])
        moment = f"{_second(int(created))}.{int(created % 1 * 1_000_000):06d}Z"
        RECENT_LINES.keep(
            {
                "event": "request", "method": self.method, "path": path, "status": self.status,
                "milliseconds": self.milliseconds, "client": self.client, "request_id": self.request_id,
                "logger": _ACCESS_LOG.name, "level": "info", "timestamp": moment,
            }
        )  # fmt: skip
        return (
            f'{{"event": "request", "method": {quoted(self.method)}, "path": {quoted(path)}, "status": {self.status}, '
            f'"milliseconds": {self.milliseconds}, "client": {quoted(self.client)}, '
            f'"request_id": {quoted(self.request_id)}, "logger": "{_ACCESS_LOG.name}", "level": "info", '
            f'"timestamp": "{moment}"}}'
        )


@lru_cache(maxsize=512)  # a few paths take most requests, and the search costs as much as the rest of the line
def _masked(path: str) -> str:
    return _SECRET_TEXT.sub(_mask, path)


@lru_cache(maxsize=1)  # many requests end within the same second
def _second(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class _JsonFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        message: object = record.msg
        return message.as_json(record.created) if isinstance(message, AnsweredRequest) else super().format(record)


def configure_logging(settings: LoggingSettings, stream: TextIO | None = None) -> None:
    """Send all lines of this process to `stream` (standard output), as the settings say. May be called again."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # loggers are made at import time, before this runs
    )
    # No line shows them, and each of them is asked of the system for every line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(_formatter(settings, shared))
    _replace_handlers(handler, settings.level)


def configure_where_nobody_did() -> None:
    """Make structlog safe in an application that mounts the gateway and does not configure structlog; one that does is
    left alone. Its own default prints every local variable of a traceback: for most of a minute, secrets included.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                redact,
                structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
            ]
        )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop what stands under the name of a secret, at any depth, and mask what looks like one inside of texts."""
    return {key: _redacted(value) for key, value in event.items() if not _names_a_secret(key)}


def _formatter(settings: LoggingSettings, shared: Sequence[Processor]) -> logging.Formatter:
    last: list[Processor] = (
        [structlog.processors.JSONRenderer(default=str, ensure_ascii=False)]
        if settings.format == "json"
        # The default shows every local variable: slow, and some of them are secrets.
        else [_on_one_line, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    )
    formatter = _JsonFormatter if settings.format == "json" else structlog.stdlib.ProcessorFormatter
    return formatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,  # before the redaction: an error's text may quote a secret
            redact,
            RECENT_LINES,
            *last,
        ],
    )


def _replace_handlers(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name, quieter in _QUIETER.items():
        logging.getLogger(name).setLevel(max(quieter, root.level))


def _on_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Nobody who calls can write a line of their own, or steer a reader's terminal: JSON escapes by itself."""
    return {
        key: _CONTROL.sub(_escaped, value) if isinstance(value, str) and key not in _OF_SEVERAL_LINES else value
        for key, value in event.items()
    }


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _names_a_secret(key: object) -> bool:
    return isinstance(key, str) and _SECRET_KEY.search(key.lower().replace("-", "_")) is not None


def _redacted(value: object) -> object:
    match value:
        case str():
            return _SECRET_TEXT.sub(_mask, value)
        case Mapping():
            return {key: _redacted(item) for key, item in value.items() if not _names_a_secret(key)}
        case list() | tuple() | set() | frozenset():
            return [_redacted(item) for item in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return _SECRET_TEXT.sub(_mask, str(value))


def _mask(found: re.Match[str]) -> str:
    kept = next((part for part in found.groupdict().values() if part), "")
    return kept + _MASK
