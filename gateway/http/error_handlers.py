"""Where refusals become HTTP: every exception a route can raise, and the status it leaves with.

`install` serves both our own application and a host's. Domain errors and an absent database are answered as problem
documents everywhere; the framework's own exceptions (validation, HTTPException) only on our own paths, because a
host's clients expect the host's format. What nothing here names is a bug: the middleware answers it with 500 and logs
the traceback.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope
from structlog import get_logger

from gateway.http.errors import MalformedJson, MethodNotAllowed, UnacceptableValue
from gateway.http.problems import Problem, Problems, RawHeaders, language_of
from gateway.http.validation_texts import places_at_fault
from modules.shared.errors import (
    Conflict,
    DatabaseUnavailable,
    DomainError,
    Forbidden,
    MalformedRequest,
    NotFound,
    PayloadTooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
)
from modules.shared.rate_limits import RouteLimitExceeded, RouteLimits

Handler = Callable[[Request, Any], Awaitable[Response]]

_KINDS: dict[int, type[DomainError]] = {
    kind.status: kind
    for kind in (
        MalformedRequest, Unauthenticated, Forbidden, NotFound, MethodNotAllowed, Conflict, PayloadTooLarge,
        UnsupportedMediaType, Unprocessable, TooManyRequests, Unavailable,
    )
}  # fmt: skip

_FROM_THE_DATABASE = (DBAPIError, PoolTimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_AWAY = ("08", "53", "57", "58")
"""SQLSTATE classes: connection, resources, operator (shutdown, cancelled by timeout), system error."""
_AWAY_FOR_NOW = frozenset({"25006", "40001", "40P01", "55P03"})
"""Read-only after a failover, serialization failure, deadlock, lock not available: the same request may succeed in a
moment.
"""
_REFERENCES = frozenset({"23503", "23505", "23P01"})
"""A row another transaction added or removed meanwhile; the service checked and lost the race."""


def install(
    app: FastAPI,
    problems: Problems,
    owns: Callable[[str], bool],
    route_limits: RouteLimits,
    on_refusal: Callable[[DomainError, Scope], None] = lambda _refusal, _scope: None,
) -> None:
    """Register the handlers on `app`. `owns(path)` tells our own paths from a host's. `on_refusal` hears of every
    limit used up, for the audit; it must not block.
    """
    answers = _Answers(problems, route_limits, on_refusal)
    everywhere: dict[type[Exception], Handler] = {
        DomainError: answers.domain_error,
        TooManyRequests: answers.used_up_limit,
        RouteLimitExceeded: answers.route_limit,
        **dict.fromkeys(_FROM_THE_DATABASE, answers.database_error),
    }
    on_our_paths: dict[type[Exception], Handler] = {
        RequestValidationError: answers.invalid_request,
        HTTPException: answers.http_exception,
    }
    for kind, handler in everywhere.items():
        app.add_exception_handler(kind, handler)
    for kind, handler in on_our_paths.items():
        app.add_exception_handler(kind, _only_where(owns, handler, app.exception_handlers[kind]))


class _Answers:
    """The handlers; each builds one problem document."""

    def __init__(
        self, problems: Problems, route_limits: RouteLimits, on_refusal: Callable[[DomainError, Scope], None]
    ) -> None:
        self._problems = problems
        self._route_limits = route_limits
        self._on_refusal = on_refusal

    async def domain_error(self, request: Request, error: DomainError) -> Response:
        return _response(self._problems.of(error, request.scope))

    async def used_up_limit(self, request: Request, error: TooManyRequests) -> Response:
        self._on_refusal(error, request.scope)
        return _response(self._problems.of(error, request.scope))

    async def route_limit(self, request: Request, _error: Exception) -> Response:
        refusal = TooManyRequests(retry_after=self._route_limits.seconds_until_allowed(request))
        return await self.used_up_limit(request, refusal)

    async def invalid_request(self, request: Request, error: RequestValidationError) -> Response:
        errors = error.errors()
        if any(entry["type"] == "json_invalid" for entry in errors):
            return _response(self._problems.of(MalformedJson(), request.scope))
        places = places_at_fault(errors, language_of(request.scope))
        return _response(self._problems.of(Unprocessable(), request.scope, errors=places))

    async def http_exception(self, request: Request, error: HTTPException) -> Response:
        if error.status_code < HTTPStatus.BAD_REQUEST:
            return Response(status_code=error.status_code, headers=error.headers)
        kind = _KINDS.get(error.status_code)
        message = str(error.detail or "")
        own_words = message if message and message != HTTPStatus(error.status_code).phrase else None
        headers: RawHeaders = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in (error.headers or {}).items()
        ]
        if kind is not None and own_words is None:
            return _response(self._problems.of(kind(), request.scope, headers=headers))
        language = language_of(request.scope)
        title = kind.title.in_(language) if kind else HTTPStatus(error.status_code).phrase
        return _response(
            self._problems.write(
                request.scope,
                language=language,
                status=error.status_code,
                code=kind.code if kind else "http_error",
                title=title,
                detail=own_words or title,
                headers=headers,
            )
        )

    async def database_error(self, request: Request, error: Exception) -> Response:
        """An absent database is 503; a value it refuses 422, a lost race 409. Anything else it says is a bug of ours:
        raised on, answered 500.
        """
        refusal = refusal_for(error)
        if refusal is None:
            raise error
        get_logger("gateway.http").warning(
            "database_error", code=refusal.code, sqlstate=_sqlstate(error), error=type(error).__name__
        )
        return _response(self._problems.of(refusal, request.scope))


def refusal_for(error: Exception) -> DomainError | None:
    """The refusal a database or connection error amounts to; None for a bug."""
    sqlstate = _sqlstate(error)
    if sqlstate is not None:
        return _refusal_for_sqlstate(sqlstate)
    if isinstance(error, DBAPIError):
        lost = (
            error.connection_invalidated or isinstance(error.orig, OSError) or "InterfaceError" in type(error).__name__
        )
        return DatabaseUnavailable() if lost else _refusal_for_cause(error)
    if isinstance(error, PoolTimeoutError | asyncpg.InterfaceError):
        return DatabaseUnavailable()
    if isinstance(error, OSError) and _raised_by_driver(error):
        return DatabaseUnavailable()
    if isinstance(error, ConnectionError | TimeoutError):
        return Unavailable()
    return None


def _refusal_for_sqlstate(sqlstate: str) -> DomainError | None:
    if sqlstate.startswith(_AWAY) or sqlstate in _AWAY_FOR_NOW:
        return DatabaseUnavailable()
    if sqlstate.startswith("22"):
        return UnacceptableValue()
    return Conflict() if sqlstate in _REFERENCES else None


def _refusal_for_cause(error: DBAPIError) -> DomainError | None:
    """Asyncpg refuses what it cannot encode (text with a lone surrogate, a number out of range) before PostgreSQL
    sees it.
    """
    causes = (error.orig, getattr(error.orig, "__cause__", None))
    return UnacceptableValue() if any(isinstance(cause, asyncpg.DataError) for cause in causes) else None


def _sqlstate(error: Exception) -> str | None:
    source = error.orig if isinstance(error, DBAPIError) else error
    sqlstate = getattr(source, "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) else None


def _raised_by_driver(error: OSError) -> bool:
    """Whether asyncpg raised it: a refused or missing socket of the database is a plain OSError (a missing file,
    even).
    """
    traceback = error.__traceback__
    while traceback is not None:
        if str(traceback.tb_frame.f_globals.get("__name__", "")).startswith("asyncpg"):
            return True
        traceback = traceback.tb_next
    return False


def _only_where(owns: Callable[[str], bool], ours: Handler, theirs: Callable[..., Any]) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        if owns(request.scope["path"]):
            return await ours(request, error)
        response: Response | Awaitable[Response] = theirs(request, error)
        return response if isinstance(response, Response) else await response

    return handle


def _response(problem: Problem) -> Response:
    response = Response(problem.body, problem.status)
    response.raw_headers = list(problem.headers)
    return response
