"""Declaring protected tables: what a host's class must say, and what is refused at the start."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import ForeignKey, column, table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from modules.shared import ownership
from modules.shared.catalogue import InvalidDeclaration, ItemCatalogue, Reach
from modules.shared.ownership import (
    InstanceOwned,
    MandateOwned,
    item_of,
    names_protected_table,
    owned_reference,
    protected_model,
)
from tests.shared.host_application import CATALOGUE, HostBase, Invoice, Ticket, item


@pytest.fixture(autouse=True)
def _register_as_before() -> Iterator[None]:
    """Classes made by a test leave the register with it."""
    models, tables, naming = dict(ownership._models), dict(ownership._tables), ownership._naming
    yield
    ownership._models.clear()
    ownership._models.update(models)
    ownership._tables.clear()
    ownership._tables.update(tables)
    ownership._naming = naming


class _Base(DeclarativeBase):
    """Another host's base."""


class TestDeclaring:
    def test_adds_whose_a_row_is(self) -> None:
        columns = Ticket.__table__.c
        assert [columns[name].nullable for name in ("mandate_id", "instance_id", "owner_id")] == [False] * 3

    def test_needs_an_item(self) -> None:
        with pytest.raises(InvalidDeclaration, match="__item__"):

            class Nameless(MandateOwned, _Base):
                __tablename__ = "nameless"
                id: Mapped[UUID] = mapped_column(primary_key=True)

    def test_takes_subclasses_in_the_same_table(self) -> None:
        class Paper(MandateOwned, _Base):
            __tablename__ = "papers"
            __item__ = "papers"
            __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "paper"}  # noqa: RUF012
            id: Mapped[UUID] = mapped_column(primary_key=True)
            kind: Mapped[str]

        class Letter(Paper):
            __mapper_args__ = {"polymorphic_identity": "letter"}  # noqa: RUF012

        assert protected_model(Letter.__table__) is Paper  # type: ignore[arg-type]

    def test_refuses_a_subclass_with_a_table_of_its_own(self) -> None:
        class Vehicle(MandateOwned, _Base):
            __tablename__ = "vehicles"
            __item__ = "vehicles"
            id: Mapped[UUID] = mapped_column(primary_key=True)

        with pytest.raises(InvalidDeclaration, match="share table"):

            class Car(Vehicle):
                __tablename__ = "cars"
                id: Mapped[UUID] = mapped_column(ForeignKey("vehicles.id"), primary_key=True)


class TestTheRegister:
    def test_knows_a_table_by_itself_and_by_its_name(self) -> None:
        assert protected_model(HostBase.metadata.tables["invoices"]) is Invoice
        assert protected_model(table("TICKETS", column("id"))) is Ticket
        assert protected_model(HostBase.metadata.tables["currencies"]) is None

    @pytest.mark.parametrize(
        ("sql", "named"),
        [
            ("SELECT * FROM invoices", True),
            ('DELETE FROM public."Invoices"', True),
            ("SELECT * FROM invoices_old", False),
            ("SELECT * FROM old_invoices", False),
            ("SELECT 1", False),
        ],
    )
    def test_finds_names_in_text_as_words(self, sql: str, named: bool) -> None:
        assert names_protected_table(sql) is named


class TestTheItem:
    def test_of_an_instance_table_has_instance_reach(self) -> None:
        assert item_of(Ticket, CATALOGUE).reach is Reach.INSTANCE

    @pytest.mark.parametrize(("model", "reach"), [(Invoice, Reach.INSTANCE), (Ticket, Reach.MANDATE)])
    def test_of_another_reach_is_refused(self, model: type[MandateOwned], reach: Reach) -> None:
        with pytest.raises(InvalidDeclaration, match="reach"):
            item_of(model, ItemCatalogue([item(model.__item__, reach)]))

    def test_must_be_declared(self) -> None:
        with pytest.raises(InvalidDeclaration, match="unknown item"):
            item_of(Invoice, ItemCatalogue())

    def test_has_only_fields_that_are_mapped(self) -> None:
        with pytest.raises(InvalidDeclaration, match="colour"):
            item_of(Invoice, ItemCatalogue([item("invoices", Reach.MANDATE, "amount", "colour")]))

    def test_may_have_fields_that_are_mapped(self) -> None:
        assert item_of(Invoice, CATALOGUE).fields == {"amount"}


class TestReference:
    def test_carries_the_mandate(self) -> None:
        assert owned_reference("invoice_id", "invoices").column_keys == ["mandate_id", "invoice_id"]

    def test_carries_the_instance_where_both_have_one(self) -> None:
        reference = owned_reference("ticket_id", "tickets", by_instance=True)
        assert reference.column_keys == ["mandate_id", "instance_id", "ticket_id"]


def test_the_mixins_are_no_tables() -> None:
    assert not hasattr(MandateOwned, "__table__")
    assert not hasattr(InstanceOwned, "__table__")
