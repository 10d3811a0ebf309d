"""The rows of a request as a handler reaches them: `context.db`, `context.scope` and their companions."""

import ast
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
import gc
from pathlib import Path
from uuid import uuid4
from weakref import ref

import pytest
from sqlalchemy import select, text

from modules.shared.catalogue import Action
from modules.shared.context import (
    Client,
    CurrentInstance,
    CurrentMandate,
    CurrentUser,
    Login,
    RequestContext,
    UnitOfWork,
    Via,
)
from modules.shared.database import Tenant
from modules.shared.errors import PermissionDenied
from modules.shared.ids import SessionId, TokenId
from modules.shared.ownership import UnscopedStatement
from modules.shared.rules import AccessRule
from tests.rbac.policies import in_mandate, rule, table
from tests.shared.host_application import (
    ALL,
    CATALOGUE,
    INVOICES,
    MY,
    NONE,
    Customer,
    Host,
    Invoice,
    Ticket,
    add_rows,
    installed_host,
    may_all,
)
from tests.support.postgres import DatabaseUrls

_ROOT = Path(__file__).parents[2]
_REASONS: dict[str, list[str]] = {}
"""Where the product lets a statement reach every row of a mandate, and why."""


@pytest.fixture
async def host(database_urls: DatabaseUrls) -> AsyncIterator[Host]:
    async with installed_host(database_urls) as host:
        await add_rows(host)
        yield host


class WatchedUnit(UnitOfWork):
    """One that a weak reference can be made to."""


def unit_of(host: Host, stack: AsyncExitStack) -> UnitOfWork:
    return UnitOfWork(lambda: host.database.open(Tenant(host.mandate, host.instance, host.me)), stack)


def context_of(host: Host, unit: UnitOfWork, *rules: AccessRule, action: Action = Action.READ) -> RequestContext:
    """What a guard that requires `invoices` hands to a handler."""
    context = RequestContext(
        Client("127.0.0.1", "test", "request"),
        unit,
        CurrentUser(host.me, "me", "me@example.org", "Me", None, is_sysadmin=False),
        Login(SessionId(uuid4()), TokenId(uuid4()), "local", ("pwd",), datetime.now(UTC)),
        CurrentMandate(host.mandate, "m", "M", "en", is_root=False),
        CurrentInstance(host.instance, "tickets", "Tickets"),
        Via.MEMBERSHIP,
        None,
        frozenset({host.group}),
        has_sysadmin_role=False,
        permissions=table(in_mandate(*rules)),
        catalogue=CATALOGUE,
        item=INVOICES,
        action=action,
    )
    unit.bind(context.rights)
    return context


class TestTheSessionOfARequest:
    async def test_is_narrowed_without_a_word(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            context = context_of(host, unit_of(host, stack), may_all("*", MY))
            assert (await context.db.scalars(select(Invoice.number))).all() == ["mine"]

    async def test_is_narrowed_from_when_the_context_is_known(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            unit = unit_of(host, stack)
            await unit.session.execute(text("SELECT 1"))
            context = context_of(host, unit, may_all("*", MY))
            assert (await context.db.scalars(select(Invoice.number))).all() == ["mine"]

    async def test_stays_with_its_first_context(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            unit = unit_of(host, stack)
            context_of(host, unit, may_all("*", MY))
            second = context_of(host, unit, may_all("*", ALL))
            assert (await second.db.scalars(select(Invoice.number))).all() == ["mine"]

    async def test_sees_the_instance_of_the_request(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            context = context_of(host, unit_of(host, stack), may_all("*", ALL))
            assert set(await context.db.scalars(select(Ticket.words))) == {"mine", "mates", "others"}

    async def test_refuses_core_statements(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            context = context_of(host, unit_of(host, stack), may_all("*", ALL))
            with pytest.raises(UnscopedStatement):
                await context.db.execute(select(Invoice.__table__))

    async def test_checks_what_is_written(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            context = context_of(host, unit_of(host, stack), rule("*", read=ALL, create=NONE))
            customer = Customer(name="new")
            context.db.add(customer)
            with pytest.raises(PermissionDenied):
                await context.db.flush()
            context.db.expunge(customer)


class TestScope:
    async def test_follows_what_the_route_required(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            rules = rule("invoices", read=ALL, update=MY, delete=NONE)
            context = context_of(host, unit_of(host, stack), rules, action=Action.UPDATE)
            numbers = select(Invoice.number)
            assert (await context.db.scalars(context.scope(numbers))).all() == ["mine"]
            assert len((await context.db.scalars(context.scope(numbers, "read"))).all()) == 3
            assert (await context.db.scalars(context.scope(numbers, Action.DELETE))).all() == []


class TestTheEndOfARequest:
    async def test_leaves_nothing_to_the_garbage_collector(self, host: Host) -> None:
        gc.disable()
        try:
            async with AsyncExitStack() as stack:
                unit = WatchedUnit(lambda: host.database.open(Tenant(host.mandate, host.instance, host.me)), stack)
                context = context_of(host, unit, may_all("*", MY))
                await context.db.scalars(select(Invoice.number))
            left = ref(unit)
            del unit, context, stack
            assert left() is None
        finally:
            gc.enable()


class TestUnscoped:
    async def test_reaches_the_whole_mandate_but_no_other(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            context = context_of(host, unit_of(host, stack), may_all("*", NONE))
            statement = context.unscoped(text("SELECT number FROM invoices"), "the test asks for all of them")
            assert set(await context.db.scalars(statement)) == {"mine", "mates", "others"}

    def test_is_used_only_where_it_is_listed(self) -> None:
        found: dict[str, list[str]] = {}
        for path in sorted(file for folder in ("gateway", "modules") for file in (_ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "unscoped":
                    found.setdefault(str(path.relative_to(_ROOT)), []).append(ast.unparse(node.args[1]))
        assert found == _REASONS


class TestFields:
    async def test_are_read_through_the_context(self, host: Host) -> None:
        async with AsyncExitStack() as stack:
            rules = (may_all("*", ALL), rule("invoices.amount", read=MY))
            context = context_of(host, unit_of(host, stack), *rules)
            assert "amount" not in context.readable_fields(Invoice)
            rows = await context.db.execute(context.scope(select(Invoice.number, context.field(Invoice.amount))))
            assert dict(map(tuple, rows)) == {"mine": 1, "mates": None, "others": None}
