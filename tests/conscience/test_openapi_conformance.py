"""Schemathesis over the whole OpenAPI document: the application never does what the document does not say.

The application runs in this process, on a database with something of everything, and is asked by somebody who may do
everything. What an example changed is undone before the next.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
import pytest
import schemathesis
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.python.asgi import ASGIClient, get_client, shutdown_lifespans
from schemathesis.schemas import APIOperation

from gateway.app import Gateway, stand_alone
from tests.conscience.operations import Operation, operations
from tests.conscience.requests import path_values
from tests.conscience.world import World, world
from tests.support.gateway import settings_for
from tests.support.postgres import DatabaseUrls

CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_headers_conformance,
    schemathesis.checks.response_schema_conformance,
]
EXAMPLES = 5
PARTS = 3
Documented = APIOperation[Any, Any, Any, Any]
pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Probe:
    """The document as Schemathesis reads it, and the world behind it."""

    runner: asyncio.Runner
    world: World
    schema: Any
    session: ASGIClient
    known: dict[tuple[str, str], Operation]

    def restore(self) -> None:
        self.runner.run(self.world.snapshot.restore())

    def headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.world.omnipotent.token}",
            "X-Mandate-Id": str(self.world.own.mandate_id),
        }

    def real_path(self, operation: Documented) -> dict[str, str]:
        """Ids of objects that are there."""
        known = self.known[operation.method.upper(), operation.path]
        values = path_values(known, self.world.own, self.world, self.world.omnipotent)
        return {name: str(values[name]) for name in known.parameters("path")}


@pytest.fixture
def probe(database_urls: DatabaseUrls, tmp_path: Path) -> Iterator[Probe]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        here = runner.run(stack.enter_async_context(world(database_urls, tmp_path)))
        app = stand_alone(
            Gateway(
                settings_for(
                    database_urls,
                    tmp_path,
                    http__allowed_hosts="testserver",
                    rate_limits__enabled="no",
                    auth__argon2_memory_kib="8",
                    auth__argon2_iterations="1",
                    mandates__dns_timeout="100ms",
                )
            )
        )
        try:
            known = {(each.method, each.path): each for each in operations(app)}
            schema = schemathesis.openapi.from_asgi("/openapi.json", app)
            with get_client(app) as session:  # type: ignore[arg-type] # its messages are plain dicts
                yield Probe(runner, here, schema, session, known)
        finally:
            shutdown_lifespans()
            runner.run(stack.aclose())


def failures(probe: Probe, operation: Documented, mode: GenerationMode, *, real: bool) -> str | None:
    """What examples of one kind bring to light; None when nothing."""
    ids = probe.real_path(operation) if real else None

    @seed(0)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(case=operation.as_strategy(mode, path_parameters=ids))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.cookies.clear()
        probe.session.cookies.clear()
        answer = case.call_and_validate(session=probe.session, headers=probe.headers(), checks=CHECKS)
        if answer.status_code < 400:  # a refusal changes nothing but counts, and those end with the operation
            probe.restore()

    try:
        ask()
    except Unsatisfiable:  # nothing can be wrong where nothing is taken
        return None
    except FailureGroup as group:
        return "; ".join(f"{failure.title}: {failure.message}" for failure in group.exceptions)
    finally:
        probe.restore()
    return None


class TestTheApplication:
    @pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
    @pytest.mark.parametrize("part", range(PARTS))
    def test_does_what_its_document_says(self, probe: Probe, mode: GenerationMode, part: int) -> None:
        found = {}
        for result in list(probe.schema.get_all_operations())[part::PARTS]:
            operation = result.ok()
            for real in (True, False) if "{" in operation.path else (False,):
                if fault := failures(probe, operation, mode, real=real):
                    found[f"{operation.label}, {'real' if real else 'any'} ids"] = fault
        assert found == {}
