"""Every operation of the real application, as the other tests here walk them: path, guard and OpenAPI document.

Nothing is listed by hand, so a route added tomorrow is tested tomorrow.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from gateway.http.open_routes import Open
from gateway.http.route_guards import guards_of
from modules.shared.guards import (
    MembershipRequirement,
    Public,
    Requirement,
    SysadminRequirement,
    SysadminRoleRequirement,
)

Json = dict[str, Any]
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One method on one path. Pages (console, documentation) have no `operation_id`."""

    method: str
    path: str
    operation_id: str | None
    guard: Any
    described: Json
    components: Json

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_safe(self) -> bool:
        return self.method not in _UNSAFE

    @property
    def is_public(self) -> bool:
        return isinstance(self.guard, Public | Open)

    @property
    def is_administration(self) -> bool:
        """Whether it concerns the installation, not the mandate of the header."""
        return isinstance(self.guard, SysadminRoleRequirement | SysadminRequirement)

    @property
    def reads_mandate_header(self) -> bool:
        return isinstance(self.guard, Requirement | MembershipRequirement) and not self.is_administration

    def parameters(self, place: str) -> dict[str, Json]:
        """The schemas of the parameters in `path`, `query` or `header`, by name."""
        found = self.described.get("parameters", ())
        return {each["name"]: each["schema"] for each in found if each["in"] == place}

    def required_query(self) -> set[str]:
        return {
            each["name"] for each in self.described.get("parameters", ()) if each["in"] == "query" and each["required"]
        }

    def filled(self, values: Mapping[str, object]) -> str:
        """The path with the values of its parameters."""
        return self.path.format(**values)

    @property
    def media_type(self) -> str | None:
        """What its body must be; None without a body."""
        body = self.described.get("requestBody")
        return next(iter(body["content"])) if body else None

    @property
    def takes_json(self) -> bool:
        return self.media_type == "application/json"

    def body_properties(self) -> dict[str, Json]:
        """The schemas of the members of its body, references resolved and the null of optional ones left out."""
        return {name: self._resolved(member) for name, member in self._body_schema().get("properties", {}).items()}

    def required_members(self) -> list[str]:
        """The members its body cannot be without."""
        return list(self._body_schema().get("required", ()))

    def _body_schema(self) -> Json:
        if self.media_type is None:
            return {}
        return self._resolved(self.described["requestBody"]["content"][self.media_type]["schema"])

    def _resolved(self, schema: Json) -> Json:
        if "$ref" in schema:
            return dict(self.components[schema["$ref"].rpartition("/")[2]])
        real = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        return self._resolved(real[0]) if len(real) == 1 else schema


def operations(app: FastAPI) -> list[Operation]:
    """All of them, by path and method."""
    return sorted(_walk(app), key=lambda each: (each.path, each.method))


def _walk(app: FastAPI) -> Iterator[Operation]:
    document = app.openapi()
    for route, guards in guards_of(app):
        for method in route.methods:
            described = document["paths"].get(route.path_format, {}).get(method.lower(), {})
            yield Operation(
                method,
                route.path_format,
                described.get("operationId"),
                guards[0] if guards else None,
                described,
                document["components"]["schemas"],
            )
