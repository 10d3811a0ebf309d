"""The OpenAPI document, completed with what FastAPI cannot know: who may call each operation, and how it refuses.

The guards in a route's signature (`modules.shared.guards`) say what it requires; that becomes `x-permission` and
`security`. Error answers are derived from what the route takes. The password flow makes the Authorize button of the
documentation page work with `POST /auth/token`.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from gateway.http.open_routes import Open
from gateway.http.problems import MOST_PLACES
from gateway.http.route_guards import Guard, guards_of
from modules.shared.guards import KeyRequirement, Public, Requirement

Json = dict[str, Any]

TOKEN_PATH = "/api/v1/auth/token"  # noqa: S105  # a path
_CREDENTIALS: list[Json] = [{"cookieAuth": []}, {"bearerAuth": []}, {"passwordFlow": []}]
_SECURITY_SCHEMES: Json = {
    "cookieAuth": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-auth_token",
        "description": "Set by POST /auth/login. To change something, send X-Mandate-Id or X-Requested-With too.",
    },
    "bearerAuth": {"type": "http", "scheme": "bearer", "description": "An access token, or an API key (mgk_…)."},
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "Of POST /auth/tickets: works once, within a minute, and stands for the headers, too.",
    },
    "passwordFlow": {
        "type": "oauth2",
        "flows": {"password": {"tokenUrl": TOKEN_PATH, "refreshUrl": TOKEN_PATH, "scopes": {}}},
    },
}
_PROBLEM: Json = {
    "type": "object",
    "description": "A refusal (RFC 9457). `code` is stable; the texts are in German or English by Accept-Language.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Page of the error catalogue."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "maxItems": MOST_PLACES,
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer into the body, or the parameter's name.",
                    },
                    "in": {"type": "string", "enum": ["body", "query", "path", "header", "cookie"]},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "errors_left_out": {
            "type": "integer",
            "description": "How many more places are at fault, where `errors` ends.",
        },
    },
    "additionalProperties": True,
}
_VALIDATION_SCHEMAS = ("HTTPValidationError", "ValidationError")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def complete(app: FastAPI) -> None:
    """Wrap `app.openapi` so that the document says who may call what. Operations without a guard of ours are left as
    they are.
    """
    generate = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate(), app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _completed(document: Json, app: FastAPI) -> Json:
    for route, guards in guards_of(app):
        operations = document.get("paths", {}).get(route.path_format, {})
        for method in route.methods or ():
            operation = operations.get(method.lower())
            if operation is not None and guards:
                _complete_operation(operation, method, guards)
    components = document.setdefault("components", {})
    components.setdefault("securitySchemes", {}).update(_SECURITY_SCHEMES)
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    _drop_unused_validation_schemas(document, schemas)
    return document


def _complete_operation(operation: Json, method: str, guards: list[Guard]) -> None:
    is_public = all(isinstance(guard, Public | Open) for guard in guards)
    operation["x-permission"] = "; ".join(dict.fromkeys(guard.describe() for guard in guards))
    operation["security"] = [] if is_public else _credentials(guards)
    responses = operation.setdefault("responses", {})
    responses.pop("422", None)
    for status in sorted(_refusals(operation, method, guards, is_public=is_public)):
        responses.setdefault(str(status), _answer(status))
    for status, answer in responses.items():
        if int(status) >= HTTPStatus.BAD_REQUEST:  # one the route declares itself, without saying how it looks
            answer.setdefault("content", _answer(int(status))["content"])


def _credentials(guards: list[Guard]) -> list[Json]:
    """What opens the operation: anything a person can show, an API key alone, or a ticket, too."""
    if any(isinstance(guard, KeyRequirement) for guard in guards):
        return [{"bearerAuth": []}]
    by_ticket = any(isinstance(guard, Requirement) and guard.tickets for guard in guards)
    return [*_CREDENTIALS, {"ticket": []}] if by_ticket else _CREDENTIALS


def _refusals(operation: Json, method: str, guards: list[Guard], *, is_public: bool) -> set[int]:
    """The statuses the edge and the route can refuse with, from what the operation takes."""
    parameters = operation.get("parameters", [])
    names = {str(parameter["name"]).lower() for parameter in parameters}
    found = {400, 421, 429, 503}
    if not is_public:
        found |= {401, 403}
    if method not in _READING:
        found |= {403, 409}
    if "requestBody" in operation:
        found |= {413, 415, 422}
    if parameters:
        found.add(422)
    if any(parameter["in"] == "path" for parameter in parameters) or any(
        isinstance(guard, Requirement) for guard in guards
    ):
        found.add(404)
    if "if-match" in names:
        found.add(412)
    return found


def _answer(status: int) -> Json:
    answer: Json = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in {429, 503}:
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    if status == HTTPStatus.UNAUTHORIZED:
        answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return answer


def _drop_unused_validation_schemas(document: Json, schemas: Json) -> None:
    """FastAPI's own 422 is only left where a host's route, which we do not touch, still answers it."""
    if "#/components/schemas/HTTPValidationError" not in str(document.get("paths", {})):
        for name in _VALIDATION_SCHEMAS:
            schemas.pop(name, None)
