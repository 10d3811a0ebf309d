"""The table of every route and every kind of caller, tried out one by one and written down."""

from collections import defaultdict
from pathlib import Path

import httpx

from tests.conscience.operations import Operation, operations
from tests.conscience.requests import send
from tests.conscience.world import World
from tests.support.gateway import Person

Observations = dict[Operation, dict[str, str]]

TABLE = Path(__file__).parents[2] / "docs" / "route-personas.md"

_INTRODUCTION = """# Who gets what

Every route tried by every kind of caller, on the real application. Written by `scripts/render_personas.py`; a test
fails when the application does otherwise.

Every request is one of good will: a body that can be accepted, about objects of the mandate in the header that are
really there. All callers but *anonymous* are signed in, all send the header of the same mandate.

- *viewer*, *member*, *administrator*: members of that mandate with this built-in role.
- *API key*: a key of the administrator with the scopes `*` and `introspect`.
- *foreign administrator*: administrator of another mandate, and no member here.
- *disabled member*: an administrator here whose membership was switched off.
- *sysadmin flag*: no member anywhere, with the flag. In the mandate they are a visitor without roles.
- *sysadmin role*: member of the root mandate with the role `sysadmin`, and without the flag.
- *sysadmin flag and role*: both; in the mandate they are a visitor whose role travels along.

A cell is the status, and for refusals the error code ([catalogue](errors.md)); a refused request changed nothing.
"""


async def observe(world: World) -> Observations:
    """Try everything. What a request changed is undone before the next, so that no cell depends on another."""
    table: Observations = defaultdict(dict)
    walked = operations(world.gateway.app)
    for name, person in world.personas.items():
        async with world.gateway.client(person, world.own.mandate_id) as client:
            for operation in walked:
                table[operation][name] = await _cell(client, operation, world, person)
    return table


async def _cell(client: httpx.AsyncClient, operation: Operation, world: World, person: Person | None) -> str:
    answer = await send(client, operation, world.own, world, person)
    if not answer.is_error:
        if not operation.is_safe:
            await world.snapshot.restore()
        return str(answer.status_code)
    refusal = f"{answer.status_code} {answer.json()['code']}"
    if changed := await world.snapshot.changed():
        await world.snapshot.restore()
        return f"{refusal}, **and changed {', '.join(changed)}**"
    return refusal


def render(table: Observations) -> str:
    """As a document."""
    names = list(next(iter(table.values())))
    lines = [_INTRODUCTION, f"| route | needs | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for operation, cells in table.items():
        told = " | ".join(cells[name] for name in names)
        lines.append(f"| {operation} | {operation.guard.describe()} | {told} |")
    return "\n".join(lines) + "\n"
