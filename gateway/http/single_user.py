"""What single-user mode leaves closed: proving who one is, and letting others in, where there is one person."""

from typing import Final

from starlette.requests import HTTPConnection

from gateway.http.metrics import route_template
from modules.auth.mode_errors import SingleUserMode

_AREAS: Final = ("/api/v1/auth/", "/api/v1/users/me", "/api/v1/invitations")
"""Closed as a whole, so that a way in that is added later is closed before anybody thought of it."""

_OPEN: Final = (
    "/api/v1/auth/methods",
    "/api/v1/auth/sessions",
    "/api/v1/auth/devices",
    "/api/v1/auth/tickets",
    "/api/v1/auth/revoke",
    "/api/v1/auth/introspect",
    "/api/v1/users/me/api-keys",
    "/api/v1/users/me/export",
)
_PROFILE: Final = "/api/v1/users/me"
_OF_PROFILE: Final = frozenset({"GET", "PATCH"})


async def refuse_ways_in(connection: HTTPConnection) -> None:
    """A dependency of every route of the API in single-user mode. Raises SingleUserMode."""
    template = route_template(connection.scope)
    if not template.startswith(_AREAS) or template.startswith(_OPEN):
        return
    if template == _PROFILE and connection.scope.get("method") in _OF_PROFILE:
        return
    raise SingleUserMode
