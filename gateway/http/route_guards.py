"""The guards of each route, as they stand in its signature and in those of every router it was included through."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts

Guard = Any
"""A dependency that can `describe` whom it lets in: what `modules.shared.guards` and `open_routes` make."""


def guards_of(app: FastAPI) -> list[tuple[Any, list[Guard]]]:
    """Each route that takes dependencies, with the guards among them."""
    return [
        (context, list(_guards_in(dependant)))
        for context in iter_route_contexts(app.routes)
        if (dependant := _dependant_of(context)) is not None
    ]


def _dependant_of(context: RouteContext) -> Dependant | None:
    return getattr(context, "dependant", None) or getattr(context.original_route, "dependant", None)


def _guards_in(dependant: Dependant) -> Iterator[Guard]:
    if hasattr(dependant.call, "describe"):
        yield dependant.call
    for each in dependant.dependencies:
        yield from _guards_in(each)
