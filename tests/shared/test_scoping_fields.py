"""Fields with rules of their own: what may not be read is neither shown nor sorted nor filtered by."""

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import and_, case, column, func, literal_column, select, text, union, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import (
    aliased,
    defer,
    joinedload,
    load_only,
    selectinload,
    undefer,
    with_loader_criteria,
)
from sqlalchemy.sql.base import Executable

from modules.shared.errors import PermissionDenied
from modules.shared.row_rights import RowRights
from modules.shared.scoping import scope_statement
from tests.rbac.policies import rule
from tests.shared.host_application import (
    ALL,
    GROUP,
    MY,
    NONE,
    Customer,
    Host,
    Invoice,
    add_rows,
    installed_host,
    may_all,
)
from tests.support.postgres import DatabaseUrls

_invoices = Invoice.__table__
_other = aliased(Invoice)


@pytest.fixture
async def host(database_urls: DatabaseUrls) -> AsyncIterator[Host]:
    async with installed_host(database_urls) as host:
        await add_rows(host)
        yield host


def _without_amounts(host: Host) -> RowRights:
    return host.rights(may_all("*", ALL), rule("invoices.amount", read=NONE, update=ALL, create=ALL))


def _only_own_amounts(host: Host) -> RowRights:
    return host.rights(may_all("*", ALL), rule("invoices.amount", read=MY))


USES: dict[str, Callable[[], Executable]] = {
    "selected": lambda: select(Invoice.amount),
    "of an alias": lambda: select(_other.amount),
    "Core column beside the entity": lambda: select(Invoice.id, _invoices.c.amount_cents),
    "in an expression": lambda: select(func.max(Invoice.amount) * 2),
    "in a case": lambda: select(Invoice.id, case((Invoice.amount > 2, 1), else_=0)),
    "computed from it": lambda: select(Invoice.amount_twice),  # type: ignore[attr-defined]
    "filtered": lambda: select(Invoice.number).where(Invoice.amount > 2),
    "filter_by": lambda: select(Invoice.number).filter_by(amount=2),
    "sorted": lambda: select(Invoice.number).order_by(Invoice.amount.desc()),
    "sorted by a string": lambda: select(Invoice.number).order_by("amount_cents"),
    "grouped": lambda: select(func.count(Invoice.id)).group_by(Invoice.amount),
    "in text": lambda: select(Invoice.number).where(text("amount_cents > 2")),
    "as a literal column": lambda: select(Invoice.number, literal_column("amount_cents")),
    "as a free column": lambda: select(Invoice.number).order_by(column("amount_cents")),
    "star": lambda: select(literal_column("*")).select_from(Invoice),
    "in a subquery": lambda: select(select(Invoice.amount).subquery()),
    "with the whole entity in a subquery": lambda: select(select(Invoice).subquery().c.number),
    "with the whole entity in a union": lambda: union(select(Invoice), select(_other)),
    "with the whole entity by from_statement": lambda: select(Invoice).from_statement(select(Invoice)),
    "in ON": lambda: select(Customer.name).join(Invoice, and_(Invoice.customer_id == Customer.id, Invoice.amount > 2)),
    "in a relationship's criteria": lambda: select(Customer.name).join(Customer.invoices.and_(Invoice.amount > 2)),
    "in any()": lambda: select(Customer.name).where(Customer.invoices.any(Invoice.amount > 2)),
    "in loader criteria": lambda: select(Customer).options(selectinload(Customer.invoices.and_(Invoice.amount > 2))),
    "in global loader criteria": lambda: select(Customer).options(with_loader_criteria(Invoice, Invoice.amount > 2)),
    "to update another": lambda: update(Invoice).values(number=func.cast(Invoice.amount, Invoice.number.type)),
    "to choose what to update": lambda: update(Invoice).values(number="x").where(Invoice.amount > 2),
    "returned": lambda: update(Invoice).values(number="x").returning(Invoice.amount),
    "returned with the entity": lambda: update(Invoice).values(number="x").returning(Invoice),
    "undeferred": lambda: select(Invoice).options(undefer(Invoice.amount)),
    "named by load_only": lambda: select(Invoice).options(load_only(Invoice.amount)),
    "undeferred behind a relationship": lambda: select(Customer).options(
        selectinload(Customer.invoices).undefer(Invoice.amount)
    ),
    "loaded by joinedload": lambda: select(Customer).options(joinedload(Customer.invoices)),
}


class TestUsingAnUnreadableColumn:
    @pytest.mark.parametrize("rights_of", [_without_amounts, _only_own_amounts], ids=["nowhere", "in own rows only"])
    async def test_is_refused_in_every_place(self, host: Host, rights_of: Callable[[Host], RowRights]) -> None:
        accepted, named = {}, set()
        for name, form in USES.items():
            async with host.first_wall(rights_of(host)) as session:
                try:
                    accepted[name] = (await session.execute(form())).unique().all()
                except PermissionDenied as refusal:
                    named.add(refusal.fields["item"])
        assert accepted == {}
        # a whole entity brings both: the field, and the column computed from it
        assert named <= {"invoices.amount", "invoices.amount_twice"}
        assert "invoices.amount" in named

    async def test_is_as_good_as_any_other_where_it_is_readable(self, host: Host) -> None:
        for form in USES.values():
            async with host.first_wall(host.everywhere(ALL)) as session:
                await session.execute(form())

    async def test_is_no_use_when_rows_are_as_narrow(self, host: Host) -> None:
        rights = host.rights(may_all("*", MY))
        async with host.first_wall(rights) as session:
            assert (await session.scalars(select(Invoice.amount))).all() == [1]


class TestAnEntityWithAnUnreadableColumn:
    async def test_comes_without_it(self, host: Host) -> None:
        async with host.first_wall(_without_amounts(host)) as session:
            invoices = (await session.scalars(select(Invoice))).all()
            assert {each.number for each in invoices} == {"mine", "mates", "others"}
            assert not any({"amount", "amount_twice"} & each.__dict__.keys() for each in invoices)

    async def test_refuses_to_fetch_it_later(self, host: Host) -> None:
        async with host.first_wall(_without_amounts(host)) as session:
            invoice = (await session.scalars(select(_other).limit(1))).one()
            with pytest.raises(InvalidRequestError, match="raiseload"):
                _ = invoice.amount

    async def test_refuses_a_refresh_of_it(self, host: Host) -> None:
        async with host.first_wall(_without_amounts(host)) as session:
            invoice = (await session.scalars(select(Invoice).limit(1))).one()
            with pytest.raises(PermissionDenied):
                await session.refresh(invoice, ["amount"])

    async def test_is_refreshed_without_it(self, host: Host) -> None:
        async with host.first_wall(_without_amounts(host)) as session:
            invoice = (await session.scalars(select(Invoice).limit(1))).one()
            await session.refresh(invoice)
            assert "amount" not in invoice.__dict__

    async def test_is_expired_and_loaded_without_it(self, host: Host) -> None:
        async with host.first_wall(_without_amounts(host)) as session:
            invoice = (await session.scalars(select(Invoice).limit(1))).one()
            session.expire(invoice)
            assert await session.run_sync(lambda _: invoice.number)
            assert "amount" not in invoice.__dict__

    @pytest.mark.parametrize("options", [defer(Invoice.amount), load_only(Invoice.number), defer(Invoice.number)])
    async def test_comes_without_it_whatever_is_asked(self, host: Host, options: object) -> None:
        async with host.first_wall(_without_amounts(host)) as session:
            for invoice in await session.scalars(select(Invoice).options(options)):  # type: ignore[arg-type]
                assert "amount" not in invoice.__dict__

    async def test_comes_without_it_by_key_and_by_relationship(self, host: Host) -> None:
        async with host.first_wall(_without_amounts(host)) as session:
            customers = (await session.scalars(select(Customer).options(selectinload(Customer.invoices)))).all()
            assert [each.number for customer in customers for each in customer.invoices]
            assert not any("amount" in each.__dict__ for customer in customers for each in customer.invoices)
        async with host.first_wall(_without_amounts(host)) as session:
            customer = (await session.scalars(select(Customer).limit(1))).one()
            (invoice,) = await session.run_sync(lambda _: customer.invoices)
            assert "amount" not in invoice.__dict__
            session.expunge_all()
            again = await session.get(Invoice, invoice.id)
            assert again is not None
            assert "amount" not in again.__dict__


class TestReadablePart:
    async def test_shows_the_column_where_it_may_be_read(self, host: Host) -> None:
        rights = _only_own_amounts(host)
        async with host.first_wall(rights) as session:
            rows = await session.execute(select(Invoice.number, rights.readable_part(Invoice.amount)))
            assert dict(map(tuple, rows)) == {"mine": 1, "mates": None, "others": None}

    async def test_reaches_the_rows_of_ones_groups(self, host: Host) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoices.amount", read=GROUP))
        async with host.first_wall(rights) as session:
            rows = await session.execute(select(_other.number, rights.readable_part(_other.amount)))
            assert dict(map(tuple, rows)) == {"mine": 1, "mates": 2, "others": None}

    async def test_may_be_filtered_and_sorted_by(self, host: Host) -> None:
        rights = _only_own_amounts(host)
        part = rights.readable_part(Invoice.amount)
        async with host.first_wall(rights) as session:
            numbers = await session.scalars(select(Invoice.number).where(part > 0).order_by(part.desc()))
            assert numbers.all() == ["mine"]

    def test_is_refused_where_there_is_none(self, host: Host) -> None:
        with pytest.raises(PermissionDenied):
            _without_amounts(host).readable_part(Invoice.amount)


class TestReadableFields:
    def test_leaves_out_what_is_not_readable_everywhere(self, host: Host) -> None:
        hidden = {"amount", "amount_twice"}
        readable = {"id", "number", "customer_id", "mandate_id", "owner_id"}
        assert _only_own_amounts(host).readable_fields(Invoice) == readable
        assert host.everywhere(ALL).readable_fields(Invoice) == readable | hidden

    def test_is_empty_for_whoever_reads_nothing(self, host: Host) -> None:
        assert host.everywhere(NONE).readable_fields(Invoice) == frozenset()


class TestUpdatingAField:
    @pytest.mark.parametrize("as_parameter", [False, True])
    async def test_reaches_as_far_as_its_own_level(self, host: Host, as_parameter: bool) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoices.amount", update=MY))
        async with host.first_wall(rights) as session:
            statement = update(Invoice) if as_parameter else update(Invoice).values(amount=9)
            changed = await session.execute(statement, {"amount_cents": 9} if as_parameter else None)
            assert changed.rowcount == 1  # type: ignore[attr-defined]

    async def test_leaves_other_columns_to_the_tables_level(self, host: Host) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoices.amount", update=MY))
        async with host.first_wall(rights) as session:
            assert (await session.execute(update(Invoice).values(number="x"))).rowcount == 3  # type: ignore[attr-defined]

    async def test_reaches_no_further_when_the_value_comes_after_scoping(self, host: Host) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoices.amount", update=MY))
        async with host.unnarrowed() as session:
            changed = await session.execute(scope_statement(rights, update(Invoice)), {"amount_cents": 9})
            assert changed.rowcount == 1  # type: ignore[attr-defined]
