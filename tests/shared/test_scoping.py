"""Every form of statement is either narrowed to the caller's rows or refused."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import CursorResult, delete, insert, inspect, select, text, true, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstanceState, make_transient_to_detached
from sqlalchemy.sql.base import Executable

from modules.shared.catalogue import AccessLevel, Action
from modules.shared.ids import GroupId, MandateId, UserId
from modules.shared.ownership import UnscopedStatement
from modules.shared.row_rights import RowRights
from modules.shared.scoping import scope_statement, unscoped
from tests.rbac.policies import in_mandate, rule, table
from tests.shared.host_application import (
    ALL,
    CATALOGUE,
    GROUP,
    INVOICES,
    MY,
    NONE,
    REACHED,
    Currency,
    Customer,
    Host,
    Invoice,
    InvoiceLine,
    Ticket,
    add_rows,
    installed_host,
    may_all,
)
from tests.shared.statement_forms import READS, REFUSED, WRITES
from tests.support.postgres import DatabaseUrls

pytestmark = pytest.mark.filterwarnings("ignore:SELECT statement has a cartesian product")

LEVELS = pytest.mark.parametrize("level", [NONE, MY, GROUP, ALL])

_ANYONE = RowRights(
    MandateId(uuid4()), None, UserId(uuid4()), frozenset[GroupId](), table(in_mandate(may_all("*", ALL))), CATALOGUE
)


@pytest.fixture
async def host(database_urls: DatabaseUrls) -> AsyncIterator[Host]:
    async with installed_host(database_urls) as host:
        await add_rows(host)
        async with host.unnarrowed() as session:
            await session.execute(text("INSERT INTO currencies SELECT left(number, 3), id FROM invoices"))
        yield host


def _plain(value: object) -> object:
    """A value that can be counted: an entity as its class and key, with the relationships that were loaded."""
    state = inspect(value, raiseerr=False)
    if not isinstance(state, InstanceState):
        return str(value)
    loaded = {name: state.dict[name] for name in state.dict if name in state.mapper.relationships}
    inner = [
        (name, tuple(sorted(map(repr, map(_plain, each if isinstance(each, list) else [each])))))
        for name, each in sorted(loaded.items())
    ]
    return type(value).__name__, state.identity, tuple(inner)


async def _rows(session: AsyncSession, statement: Executable) -> Counter[tuple[Any, ...]]:
    result = await session.execute(statement)
    if isinstance(result, CursorResult) and not result.returns_rows:
        return Counter({("rows", result.rowcount): 1})
    return Counter(tuple(map(_plain, row)) for row in result.unique().all())


async def _stored(session: AsyncSession) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for sql in ("SELECT number, amount_cents FROM invoices", "SELECT words, 0 FROM invoice_lines"):
        found.update(map(tuple, await session.execute(unscoped(text(sql), "compare"))))
    return found


async def _leave_only(session: AsyncSession, host: Host, words: Collection[str]) -> None:
    """Only the rows of these owners: what a narrowed statement sees must be what any statement sees then."""
    for word, (mandate, owner) in host.owners().items():
        for name in () if word in words else ("invoice_lines", "invoices", "customers"):
            gone = text(f"DELETE FROM {name} WHERE mandate_id = :mandate AND owner_id = :owner")
            await session.execute(gone, {"mandate": mandate, "owner": owner})


async def _seen_alone(host: Host, level: AccessLevel, statement: Executable) -> Counter[tuple[Any, ...]]:
    async with host.unnarrowed() as session:
        await _leave_only(session, host, REACHED[level])
        rows = await _rows(session, statement)
        await session.rollback()
    return rows


async def _stored_after_writing_alone(
    host: Host, level: AccessLevel, statement: Executable
) -> Counter[tuple[Any, ...]]:
    """What is stored if the statement met only the rows within reach, and those beyond it as they are."""
    async with host.unnarrowed() as session:
        await _leave_only(session, host, REACHED[level])
        await session.execute(statement)
        reached = await _stored(session)
        await session.rollback()
    async with host.unnarrowed() as session:
        await _leave_only(session, host, host.owners().keys() - REACHED[level])
        beyond = await _stored(session)
        await session.rollback()
    return reached + beyond


class TestReading:
    @LEVELS
    async def test_every_form_shows_what_is_left_when_all_rows_beyond_reach_are_gone(
        self, host: Host, level: AccessLevel
    ) -> None:
        differing = {}
        for name, form in READS.items():
            async with host.first_wall(host.everywhere(level)) as session:
                seen = await _rows(session, form())
            expected = await _seen_alone(host, level, form())
            if seen != expected:
                differing[name] = (seen, expected)
        assert differing == {}

    @LEVELS
    async def test_get_finds_only_rows_within_reach(self, host: Host, level: AccessLevel) -> None:
        async with host.unnarrowed() as session:
            keys = {invoice.number: invoice.id for invoice in await session.scalars(select(Invoice))}
        async with host.first_wall(host.everywhere(level)) as session:
            found = {word for word, key in keys.items() if await session.get(Invoice, key)}
        assert found == REACHED[level]

    async def test_stays_narrowed_when_a_relationship_is_loaded_later(self, host: Host) -> None:
        async with host.unnarrowed() as session:
            mine = await session.scalar(select(Invoice).where(Invoice.number == "mine"))
            assert mine is not None
            session.add(InvoiceLine(invoice_id=mine.id, words="theirs", mandate_id=host.mandate, owner_id=host.other))
        async with host.first_wall(host.everywhere(MY)) as session:
            invoice = (await session.scalars(select(Invoice))).one()
            lines = await session.run_sync(lambda _: invoice.lines)
        assert {line.words for line in lines} == {"mine 1", "mine 2"}

    async def test_a_parent_beyond_reach_is_not_loaded(self, host: Host) -> None:
        async with host.unnarrowed() as session:
            await session.execute(update(Customer).where(Customer.name == "mine").values(owner_id=host.other))
        async with host.first_wall(host.everywhere(MY)) as session:
            invoice = (await session.scalars(select(Invoice))).one()
            assert await session.run_sync(lambda _: invoice.customer) is None

    async def test_an_unprotected_entity_stays_as_it_is(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(NONE)) as session:
            assert len((await session.scalars(select(Currency))).all()) == 4

    async def test_refreshing_a_row_that_left_the_reach_finds_nothing(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(MY)) as session:
            invoice = (await session.scalars(select(Invoice))).one()
            given_away = text("UPDATE invoices SET owner_id = :other WHERE number = 'mine'")
            await session.execute(unscoped(given_away, "somebody else does this"), {"other": host.other})
            with pytest.raises(InvalidRequestError, match="Could not refresh"):
                await session.refresh(invoice)

    async def test_a_made_up_object_cannot_be_refreshed_into_a_row_beyond_reach(self, host: Host) -> None:
        async with host.unnarrowed() as session:
            key = await session.scalar(select(Invoice.id).where(Invoice.number == "others"))
        async with host.first_wall(host.everywhere(MY)) as session:
            invoice = Invoice(id=key)
            make_transient_to_detached(invoice)
            session.add(invoice)
            with pytest.raises(InvalidRequestError, match="Could not refresh"):
                await session.refresh(invoice)

    async def test_the_same_shape_of_statement_never_keeps_another_callers_values(self, host: Host) -> None:
        for rights in (host.everywhere(MY), replace(host.everywhere(MY), user_id=host.other)) * 2:
            async with host.first_wall(rights) as session:
                owners = (await session.scalars(select(Invoice.owner_id))).all()
            assert owners == [rights.user_id]


class TestWriting:
    @LEVELS
    async def test_every_form_changes_what_it_would_if_there_were_no_rows_beyond_reach(
        self, host: Host, level: AccessLevel
    ) -> None:
        differing = {}
        for name, form in WRITES.items():
            async with host.first_wall(host.everywhere(level)) as session:
                await session.execute(form())
                stored = await _stored(session)
                await session.rollback()
            expected = await _stored_after_writing_alone(host, level, form())
            if stored != expected:
                differing[name] = (stored, expected)
        assert differing == {}

    async def test_returns_no_row_that_may_be_changed_but_not_read(self, host: Host) -> None:
        rights = host.rights(rule("invoices", read=MY, update=ALL))
        async with host.first_wall(rights) as session:
            statement = update(Invoice).values(number=Invoice.number).returning(Invoice.number)
            assert (await session.scalars(statement)).all() == ["mine"]

    async def test_deleting_follows_the_level_of_delete(self, host: Host) -> None:
        rights = host.rights(rule("invoice_lines", read=ALL, update=ALL, delete=MY))
        async with host.first_wall(rights) as session:
            assert (await session.execute(delete(InvoiceLine))).rowcount == 2  # type: ignore[attr-defined]

    async def test_objects_in_the_session_follow(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(GROUP)) as session:
            invoices = {each.number: each for each in await session.scalars(select(Invoice))}
            await session.execute(update(Invoice).values(amount=77))
            assert {each.amount for each in invoices.values()} == {77}


class TestRefusing:
    @pytest.mark.parametrize("form", REFUSED.values(), ids=REFUSED.keys())
    def test_what_would_be_passed_by(self, form: Callable[[], Executable]) -> None:
        with pytest.raises(UnscopedStatement):
            scope_statement(_ANYONE, form())

    async def test_holds_in_a_session_without_a_word(self, host: Host) -> None:
        accepted = []
        for name, form in REFUSED.items():
            async with host.first_wall(host.everywhere(ALL)) as session:
                with suppress(UnscopedStatement):
                    await session.execute(form())
                    accepted.append(name)
        assert accepted == []

    @pytest.mark.parametrize(
        "write",
        [
            lambda session: session.execute(update(Invoice), [{"id": uuid4(), "amount": 1}]),
            lambda session: session.execute(update(Invoice), {"owner_id": uuid4()}),
            lambda session: session.execute(insert(Invoice), [{"number": "x"}]),
            lambda session: session.execute(
                update(Invoice).values(amount=1), execution_options={"dml_strategy": "core_only"}
            ),
            lambda session: session.run_sync(lambda sync: sync.bulk_save_objects([Invoice()])),
            lambda session: session.run_sync(lambda sync: sync.bulk_insert_mappings(Invoice, [{}])),
            lambda session: session.run_sync(lambda sync: sync.bulk_update_mappings(Invoice, [{}])),
            lambda session: session.connection(),
        ],
        ids=[
            "update by key",
            "owner as parameter",
            "insert many",
            "core strategy",
            "objects",
            "inserts",
            "updates",
            "bare",
        ],
    )
    async def test_the_ways_around(self, host: Host, write: Callable[[AsyncSession], Awaitable[Any]]) -> None:
        async with host.first_wall(host.everywhere(ALL)) as session:
            with pytest.raises(UnscopedStatement):
                await write(session)

    async def test_unscoped_reaches_the_whole_mandate_and_no_more(self, host: Host) -> None:
        async with host.request(host.everywhere(NONE)) as session:
            numbers = await session.scalars(unscoped(text("SELECT number FROM invoices"), "a test"))
            assert set(numbers) == REACHED[ALL]

    def test_unscoped_wants_a_reason(self) -> None:
        with pytest.raises(ValueError, match="why"):
            unscoped(text("SELECT 1"), " ")


class TestScope:
    """`scope` by itself, in a session that knows no context."""

    @LEVELS
    async def test_narrows_every_form(self, host: Host, level: AccessLevel) -> None:
        differing = {}
        for name, form in READS.items():
            async with host.unnarrowed() as session:
                seen = await _rows(session, scope_statement(host.everywhere(level), form()))
            expected = await _seen_alone(host, level, form())
            if seen != expected:
                differing[name] = (seen, expected)
        assert differing == {}

    async def test_follows_the_bound_pair_for_its_own_table(self, host: Host) -> None:
        rights = host.rights(rule("invoices", read=ALL, update=MY), bound=(INVOICES, Action.UPDATE))
        async with host.unnarrowed() as session:
            assert (await session.scalars(scope_statement(rights, select(Invoice.number)))).all() == ["mine"]

    async def test_follows_read_for_other_tables(self, host: Host) -> None:
        rights = host.rights(
            rule("invoices", update=ALL), rule("customers", read=MY, update=ALL), bound=(INVOICES, Action.UPDATE)
        )
        joined = select(Customer.name).join(Customer.invoices)
        async with host.unnarrowed() as session:
            assert (await session.scalars(scope_statement(rights, joined))).all() == ["mine"]

    async def test_takes_another_action_by_name(self, host: Host) -> None:
        rights = host.rights(rule("invoices", read=ALL, delete=MY), bound=(INVOICES, Action.READ))
        async with host.unnarrowed() as session:
            statement = scope_statement(rights, select(Invoice.number), Action.DELETE)
            assert (await session.scalars(statement)).all() == ["mine"]

    async def test_a_view_is_no_right_to_rows(self, host: Host) -> None:
        rights = host.rights(rule("invoices", view=True, read=MY), bound=(INVOICES, Action.VIEW))
        async with host.unnarrowed() as session:
            assert (await session.scalars(scope_statement(rights, select(Invoice.number)))).all() == ["mine"]

    async def test_a_right_to_read_is_none_to_write(self, host: Host) -> None:
        rights = host.rights(rule("invoices", read=ALL, update=MY), bound=(INVOICES, Action.READ))
        async with host.unnarrowed() as session:
            changed = await session.execute(scope_statement(rights, update(Invoice).values(amount=5)))
            assert changed.rowcount == 1  # type: ignore[attr-defined]

    async def test_wins_over_what_the_session_would_do(self, host: Host) -> None:
        rights = host.rights(rule("invoices", read=MY, update=ALL), bound=(INVOICES, Action.UPDATE))
        async with host.first_wall(rights) as session:
            numbers = await session.scalars(scope_statement(rights, select(Invoice.number)))
            assert set(numbers) == REACHED[ALL]

    async def test_what_is_added_afterwards_is_narrowed_or_refused_too(self, host: Host) -> None:
        statement = scope_statement(host.everywhere(MY), select(Invoice.number))
        async with host.unnarrowed() as session:
            later = statement.add_columns(Currency.code).join(Currency, true())
            assert {row[0] for row in await session.execute(later)} == {"mine"}
            with pytest.raises(UnscopedStatement):
                await session.execute(statement.add_columns(Customer.__table__.c.name))

    async def test_relationships_loaded_later_stay_narrowed(self, host: Host) -> None:
        async with host.unnarrowed() as session:
            mine = await session.scalar(select(Invoice).where(Invoice.number == "mine"))
            assert mine is not None
            session.add(InvoiceLine(invoice_id=mine.id, words="theirs", mandate_id=host.mandate, owner_id=host.other))
        async with host.unnarrowed() as session:
            invoice = (await session.scalars(scope_statement(host.everywhere(MY), select(Invoice)))).one()
            lines = await session.run_sync(lambda _: invoice.lines)
        assert {line.words for line in lines} == {"mine 1", "mine 2"}

    def test_refuses_what_needs_no_narrowing(self) -> None:
        with pytest.raises(UnscopedStatement, match="no protected table"):
            scope_statement(_ANYONE, select(Currency))


class TestInstances:
    async def test_rows_of_another_instance_are_beyond_every_level(self, host: Host) -> None:
        rights = host.everywhere(ALL, instance=host.instance)
        async with host.first_wall(rights) as session:
            assert set(await session.scalars(select(Ticket.words))) == {"mine", "mates", "others"}

    @LEVELS
    async def test_levels_hold_inside_the_instance(self, host: Host, level: AccessLevel) -> None:
        async with host.first_wall(host.everywhere(level, instance=host.instance)) as session:
            assert set(await session.scalars(select(Ticket.words))) == REACHED[level]

    async def test_without_an_instance_nothing_is_there(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(ALL)) as session:
            assert (await session.scalars(select(Ticket))).all() == []
