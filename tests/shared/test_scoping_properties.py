"""Deciding on one row and listing rows are the same decision."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from modules.shared.catalogue import AccessLevel, Action
from modules.shared.ids import GroupId
from modules.shared.row_rights import RowRights
from modules.shared.scoping import scope_statement
from tests.rbac.policies import HeldRole, globally, in_instance, in_mandate, rule, table
from tests.shared.host_application import CATALOGUE, INVOICES, Host, InvoiceLine, installed_host
from tests.support.postgres import DatabaseUrls

_GROUPS = [GroupId(uuid4()) for _ in range(3)]
_alias = aliased(InvoiceLine)
"""Lines without an invoice stand for the host's rows: they have an owner and nothing else."""

levels = st.sampled_from([None, *AccessLevel])
rules = st.builds(
    lambda path, read, update, delete: rule(path, read=read, update=update, delete=delete),
    st.sampled_from(["*", "invoice_lines", "invoice_lines.*", "customers"]),
    levels,
    levels,
    levels,
)
roles = st.builds(
    lambda make, own: make(*own), st.sampled_from([globally, in_mandate, in_instance]), st.lists(rules, max_size=3)
)
caps = st.builds(
    lambda read, update: globally(rule("invoice_lines", read=read, update=update, locked=True)), levels, levels
)


@dataclass(frozen=True)
class _World:
    """Who is in which group, and whose rows there are: (in the caller's mandate, index of the owner)."""

    held: Sequence[HeldRole]
    capping: Sequence[HeldRole]
    mine: frozenset[GroupId]
    members: Mapping[GroupId, frozenset[int]]
    rows: Sequence[tuple[bool, int]]


people = st.integers(0, 3)
worlds = st.builds(
    _World,
    st.lists(roles, max_size=4),
    st.lists(caps, max_size=1),
    st.frozensets(st.sampled_from(_GROUPS)),
    st.fixed_dictionaries({group: st.frozensets(people) for group in _GROUPS}),
    st.lists(st.tuples(st.booleans(), people), max_size=8),
)


def _may(world: _World, level: AccessLevel, here: bool, owner: int) -> bool:
    """The decision on one row, said plainly. The caller is person 0."""
    if not here or level is AccessLevel.NONE:
        return False
    if level is AccessLevel.ALL or owner == 0:
        return True
    return level is AccessLevel.GROUP and any(owner in world.members[group] for group in world.mine)


async def _settle(connection: asyncpg.Connection, host: Host, world: _World) -> list[UUID]:
    users = [host.me, host.mate, host.other, host.outsider]
    await connection.execute("DELETE FROM invoice_lines")
    await connection.execute("DELETE FROM groups")
    for group, members in world.members.items():
        sql = "INSERT INTO groups (id, mandate_id, name) VALUES ($1, $2, $3)"
        await connection.execute(sql, group, host.mandate, str(group))
        for member in members:
            sql = "INSERT INTO group_members (mandate_id, group_id, user_id) VALUES ($1, $2, $3)"
            await connection.execute(sql, host.mandate, group, users[member])
    keys = [uuid4() for _ in world.rows]
    for key, (here, owner) in zip(keys, world.rows, strict=True):
        sql = "INSERT INTO invoice_lines (id, mandate_id, owner_id, words) VALUES ($1, $2, $3, '')"
        await connection.execute(sql, key, host.mandate if here else host.foreign, users[owner])
    return keys


async def _listed(session: AsyncSession, rights: RowRights) -> list[set[UUID]]:
    """The same list in several forms."""
    scoped = scope_statement(rights, select(InvoiceLine.id))
    inside = select(_alias.id).where(_alias.id.in_(select(InvoiceLine.id)))
    return [set(await session.scalars(each)) for each in (select(InvoiceLine.id), scoped, inside)]


async def _compare(connection: asyncpg.Connection, host: Host, world: _World) -> None:
    keys = await _settle(connection, host, world)
    permissions = table(*world.held, caps=world.capping)
    rights = RowRights(host.mandate, None, host.me, world.mine, permissions, CATALOGUE, (INVOICES, Action.READ))

    def expected(action: Action) -> set[UUID]:
        level = rights.level(InvoiceLine, action)
        return {key for key, row in zip(keys, world.rows, strict=True) if _may(world, level, *row)}

    async with host.first_wall(rights) as session:
        assert await _listed(session, rights) == [expected(Action.READ)] * 3
        assert await session.scalar(select(func.count()).select_from(InvoiceLine)) == len(expected(Action.READ))
        changed = await session.execute(update(InvoiceLine).values(words="x"))
        assert changed.rowcount == len(expected(Action.UPDATE))  # type: ignore[attr-defined]
        gone = await session.execute(delete(InvoiceLine))
        assert gone.rowcount == len(expected(Action.DELETE))  # type: ignore[attr-defined]
        await session.rollback()


def test_a_list_holds_exactly_the_rows_that_a_check_of_each_would_allow(database_urls: DatabaseUrls) -> None:
    with asyncio.Runner() as runner:
        installed = installed_host(database_urls)
        host = runner.run(installed.__aenter__())
        connection = runner.run(asyncpg.connect(database_urls.superuser))
        runner.run(
            connection.execute(
                "INSERT INTO memberships (id, mandate_id, user_id) VALUES (gen_random_uuid(), $1, $2)",
                host.mandate,
                host.outsider,
            )
        )

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(worlds)
        def compare(world: _World) -> None:
            runner.run(_compare(connection, host, world))

        compare()
        runner.run(connection.close())
        runner.run(installed.__aexit__(None, None, None))
