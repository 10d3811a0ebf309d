"""Rows written through objects: created, changed and deleted within the level of that action, in both images."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import make_transient_to_detached, selectinload
from sqlalchemy.orm.exc import ObjectDeletedError

from modules.shared.catalogue import AccessLevel
from modules.shared.errors import PermissionDenied
from modules.shared.ids import UserId
from modules.shared.scoping import unscoped
from tests.rbac.policies import rule
from tests.shared.host_application import (
    ALL,
    GROUP,
    MY,
    NONE,
    REACHED,
    Customer,
    Host,
    Invoice,
    InvoiceLine,
    Ticket,
    add_rows,
    installed_host,
    may_all,
)
from tests.support.postgres import DatabaseUrls

LEVELS = pytest.mark.parametrize("level", [NONE, MY, GROUP, ALL])


@pytest.fixture
async def host(database_urls: DatabaseUrls) -> AsyncIterator[Host]:
    async with installed_host(database_urls) as host:
        await add_rows(host)
        yield host


async def _invoices(session: AsyncSession, *options: object) -> dict[str, Invoice]:
    """Every invoice there is, whatever the session may do with them."""
    statement = unscoped(select(Invoice).options(*options), "the write is what is asked")  # type: ignore[arg-type]
    return {each.number: each for each in await session.scalars(statement)}


async def _is_allowed(session: AsyncSession) -> bool:
    """Whether the flush passes; nothing of it stays."""
    try:
        await session.flush()
    except PermissionDenied:
        return False
    else:
        return True
    finally:
        await session.rollback()


class TestCreating:
    async def test_fills_in_whose_it_is(self, host: Host) -> None:
        async with host.request(host.everywhere(MY, instance=host.instance)) as session:
            customer, ticket = Customer(name="new"), Ticket(words="new")
            session.add_all([customer, ticket])
            await session.flush()
            assert (customer.mandate_id, customer.owner_id) == (host.mandate, host.me)
            assert (ticket.mandate_id, ticket.instance_id, ticket.owner_id) == (host.mandate, host.instance, host.me)

    @pytest.mark.parametrize(
        ("level", "owners"),
        [(NONE, set()), (MY, {"me"}), (GROUP, {"me", "mate"}), (ALL, {"me", "mate", "other"})],
    )
    async def test_is_for_owners_within_the_level(self, host: Host, level: AccessLevel, owners: set[str]) -> None:
        allowed = set()
        for name in ("me", "mate", "other", "outsider"):
            async with host.first_wall(host.rights(rule("customers", create=level))) as session:
                session.add(Customer(name="new", owner_id=getattr(host, name)))
                if await _is_allowed(session):
                    allowed.add(name)
        assert allowed == owners

    async def test_is_for_oneself_without_being_a_member(self, host: Host) -> None:
        visitor = host.rights(may_all("*", ALL))
        object.__setattr__(visitor, "user_id", UserId(host.outsider))
        async with host.first_wall(visitor) as session:
            session.add(Customer(name="new"))
            await session.flush()

    async def test_in_another_mandate_is_refused(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(ALL)) as session:
            session.add(Customer(name="new", mandate_id=host.foreign))
            assert not await _is_allowed(session)

    async def test_in_another_instance_is_refused(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(ALL, instance=host.instance)) as session:
            session.add(Ticket(words="new", instance_id=host.second_instance))
            assert not await _is_allowed(session)

    async def test_without_an_instance_is_refused_where_one_is_needed(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(ALL)) as session:
            session.add(Ticket(words="new", instance_id=host.instance))
            assert not await _is_allowed(session)

    async def test_with_a_field_beyond_its_level_is_refused(self, host: Host) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoices.amount", create=NONE))
        async with host.first_wall(rights) as session:
            invoices = await _invoices(session)
            session.add(Invoice(number="new", amount=3, customer_id=invoices["mine"].customer_id))
            with pytest.raises(PermissionDenied) as refusal:
                await session.flush()
            assert refusal.value.fields["item"] == "invoices.amount"
            await session.rollback()

    async def test_is_refused_before_anything_is_written(self, host: Host) -> None:
        async with host.request(host.rights(rule("customers", create=NONE, read=ALL))) as session:
            refused = Customer(name="new")
            session.add(refused)
            with pytest.raises(PermissionDenied):
                await session.flush()
            session.expunge(refused)
            assert len((await session.scalars(select(Customer))).all()) == 3


class TestChanging:
    @LEVELS
    async def test_reaches_as_far_as_update(self, host: Host, level: AccessLevel) -> None:
        changed = set()
        for word in host.owners():
            async with host.first_wall(host.rights(rule("invoices", read=ALL, update=level))) as session:
                invoices = await _invoices(session)
                invoices[word].number = "changed"
                if await _is_allowed(session):
                    changed.add(word)
        assert changed == REACHED[level]

    @pytest.mark.parametrize(
        ("level", "owners"), [(MY, {"me"}), (GROUP, {"me", "mate"}), (ALL, {"me", "mate", "other"})]
    )
    async def test_gives_a_row_only_to_owners_within_the_level(
        self, host: Host, level: AccessLevel, owners: set[str]
    ) -> None:
        allowed = set()
        for name in ("me", "mate", "other", "outsider"):
            async with host.first_wall(host.rights(rule("invoices", update=level))) as session:
                invoices = await _invoices(session)
                invoices["mine"].owner_id = getattr(host, name)
                if await _is_allowed(session):
                    allowed.add(name)
        assert allowed == owners

    async def test_does_not_take_a_row_from_beyond_reach(self, host: Host) -> None:
        async with host.first_wall(host.rights(rule("invoices", update=GROUP))) as session:
            invoices = await _invoices(session)
            invoices["others"].owner_id = host.me
            assert not await _is_allowed(session)

    async def test_does_not_take_a_row_whose_owner_was_never_loaded(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(MY)) as session:
            key = (await _invoices(session))["others"].id
            session.expunge_all()
            invoice = Invoice(id=key)
            make_transient_to_detached(invoice)
            session.add(invoice)
            with pytest.raises(ObjectDeletedError):
                await session.run_sync(lambda _: setattr(invoice, "owner_id", host.me))

    async def test_does_not_move_a_row(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(ALL)) as session:
            invoices = await _invoices(session)
            invoices["mine"].mandate_id = host.foreign
            assert not await _is_allowed(session)

    async def test_does_not_move_a_row_to_another_instance(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(ALL, instance=host.instance)) as session:
            ticket = (await session.scalars(select(Ticket).limit(1))).one()
            ticket.instance_id = host.second_instance
            assert not await _is_allowed(session)

    async def test_does_not_bring_a_row_in(self, host: Host) -> None:
        async with host.first_wall(host.everywhere(ALL)) as session:
            invoices = await _invoices(session)
            invoices["foreign"].mandate_id = host.mandate
            assert not await _is_allowed(session)

    async def test_of_a_field_reaches_as_far_as_its_own_level(self, host: Host) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoices.amount", update=MY))
        async with host.first_wall(rights) as session:
            invoices = await _invoices(session)
            invoices["others"].number = "changed"
            invoices["mine"].amount = 50
            await session.flush()
            invoices["others"].amount = 50
            assert not await _is_allowed(session)

    async def test_of_nothing_needs_no_right(self, host: Host) -> None:
        async with host.first_wall(host.rights(rule("*", read=ALL))) as session:
            invoice = (await _invoices(session))["mine"]
            invoice.number = str(invoice.number)
            await session.flush()

    async def test_a_merged_copy_is_checked_as_the_row_it_stands_for(self, host: Host) -> None:
        async with host.first_wall(host.rights(may_all("*", MY), rule("invoices", read=ALL, update=MY))) as session:
            stored = (await _invoices(session))["others"]
            await session.merge(
                Invoice(
                    id=stored.id,
                    number="taken",
                    mandate_id=host.mandate,
                    owner_id=host.me,
                    customer_id=stored.customer_id,
                )
            )
            assert not await _is_allowed(session)


class TestDeleting:
    @LEVELS
    async def test_reaches_as_far_as_delete(self, host: Host, level: AccessLevel) -> None:
        deleted = set()
        for word in host.owners():
            rights = host.rights(rule("*", read=ALL, delete=ALL), rule("invoices", read=ALL, delete=level))
            async with host.first_wall(rights) as session:
                await session.delete((await _invoices(session, selectinload(Invoice.lines)))[word])
                if await _is_allowed(session):
                    deleted.add(word)
        assert deleted == REACHED[level]

    async def test_looks_at_the_owner_before_a_change(self, host: Host) -> None:
        async with host.first_wall(host.rights(may_all("*", ALL), may_all("invoices", MY))) as session:
            invoice = (await _invoices(session, selectinload(Invoice.lines)))["others"]
            with session.no_autoflush:
                invoice.owner_id = host.me
                await session.delete(invoice)
            assert not await _is_allowed(session)


class TestWhatOnlyTheFlushTouches:
    async def test_an_orphan_is_deleted_only_with_the_right_to(self, host: Host) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoice_lines", read=ALL, update=ALL, delete=NONE))
        async with host.first_wall(rights) as session:
            invoices = await _invoices(session, selectinload(Invoice.lines))
            invoices["mine"].lines.pop()
            assert not await _is_allowed(session)

    async def test_a_foreign_key_is_set_only_with_the_right_to(self, host: Host) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoice_lines", read=ALL, update=NONE))
        async with host.first_wall(rights) as session:
            invoices = await _invoices(session, selectinload(Invoice.lines))
            (line, *_) = invoices["mates"].lines
            invoices["mine"].lines.append(line)
            assert not await _is_allowed(session)

    async def test_a_child_made_by_its_parent_is_checked_too(self, host: Host) -> None:
        rights = host.rights(may_all("*", ALL), rule("invoice_lines", read=ALL, create=MY))
        async with host.first_wall(rights) as session:
            invoice = (await _invoices(session, selectinload(Invoice.lines)))["mine"]
            invoice.lines.append(InvoiceLine(id=uuid4(), words="mine"))
            await session.flush()
            invoice.lines.append(InvoiceLine(id=uuid4(), words="theirs", owner_id=host.other))
            assert not await _is_allowed(session)


class TestWithoutAContext:
    async def test_nothing_is_checked(self, host: Host) -> None:
        async with host.unnarrowed() as session:
            session.add(Customer(name="new", mandate_id=host.foreign, owner_id=host.outsider))
            await session.flush()
            assert await session.scalar(text("SELECT count(*) FROM customers")) == 5
