"""A host application's tables, its people, and rows of every kind of owner, behind both walls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import Connection, String, UniqueConstraint, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

from modules.rbac.evaluator import EffectiveTable
from modules.shared.catalogue import AccessLevel, Action, Item, ItemCatalogue, ItemKind, Reach
from modules.shared.database import Database, Tenant, sqlalchemy_url
from modules.shared.i18n import Text
from modules.shared.ids import GroupId, InstanceId, MandateId, UserId
from modules.shared.ownership import InstanceOwned, MandateOwned, owned_reference
from modules.shared.row_level_security import protect_table
from modules.shared.row_rights import RowRights
from modules.shared.rules import AccessRule
from modules.shared.scoping import bind_session
from tests.rbac.policies import in_mandate, rule, table
from tests.support.postgres import DatabaseUrls

NONE, MY, GROUP, ALL = AccessLevel


class HostBase(DeclarativeBase):
    """The host's own base."""


class Customer(MandateOwned, HostBase):
    __tablename__ = "customers"
    __table_args__ = (UniqueConstraint("mandate_id", "id"),)
    __item__ = "customers"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]
    invoices: Mapped[list["Invoice"]] = relationship(back_populates="customer")


class Invoice(MandateOwned, HostBase):
    __tablename__ = "invoices"
    __table_args__ = (UniqueConstraint("mandate_id", "id"), owned_reference("customer_id", "customers"))
    __item__ = "invoices"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str]
    amount: Mapped[int] = mapped_column("amount_cents", default=0)
    customer_id: Mapped[UUID]
    customer: Mapped[Customer] = relationship(
        back_populates="invoices", primaryjoin="Invoice.customer_id == Customer.id", foreign_keys="Invoice.customer_id"
    )
    lines: Mapped[list["InvoiceLine"]] = relationship(
        primaryjoin="Invoice.id == InvoiceLine.invoice_id",
        foreign_keys="InvoiceLine.invoice_id",
        cascade="all, delete-orphan",
    )


Invoice.amount_twice = column_property(Invoice.__table__.c.amount_cents * 2)


class InvoiceLine(MandateOwned, HostBase):
    __tablename__ = "invoice_lines"
    __table_args__ = (owned_reference("invoice_id", "invoices", ondelete="CASCADE"),)
    __item__ = "invoice_lines"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    invoice_id: Mapped[UUID | None]
    words: Mapped[str]


class Ticket(InstanceOwned, HostBase):
    __tablename__ = "tickets"
    __item__ = "tickets"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    words: Mapped[str]


class Currency(HostBase):
    """Nobody's in particular."""

    __tablename__ = "currencies"

    code: Mapped[str] = mapped_column(String(3), primary_key=True)
    invoice_id: Mapped[UUID | None]


def item(path: str, reach: Reach = Reach.MANDATE, *fields: str) -> Item:
    return Item(path, ItemKind.DATA, reach, Text(en=path, de=path), fields=frozenset(fields))


INVOICES = item("invoices", Reach.MANDATE, "amount")
CATALOGUE = ItemCatalogue([INVOICES, item("customers"), item("invoice_lines"), item("tickets", Reach.INSTANCE)])


def may_all(path: str, level: AccessLevel) -> AccessRule:
    return rule(path, create=level, read=level, update=level, delete=level)


@dataclass(frozen=True)
class Host:
    """The application, seen by `me`, who shares a group with `mate`, not with `other`. `foreign` is another mandate."""

    database: Database
    mandate: MandateId
    foreign: MandateId
    me: UserId
    mate: UserId
    other: UserId
    outsider: UserId
    group: GroupId
    instance: InstanceId
    second_instance: InstanceId

    def rights(
        self,
        *rules: AccessRule,
        bound: tuple[Item, Action] | None = None,
        instance: InstanceId | None = None,
        groups: frozenset[GroupId] | None = None,
    ) -> RowRights:
        """Mine, by these rules of one role of the mandate."""
        levels: EffectiveTable = table(in_mandate(*rules))
        mine = frozenset({self.group}) if groups is None else groups
        return RowRights(self.mandate, instance, self.me, mine, levels, CATALOGUE, bound)

    def everywhere(self, level: AccessLevel, *, instance: InstanceId | None = None) -> RowRights:
        """The same level for every action on every table."""
        return self.rights(may_all("*", level), instance=instance)

    @asynccontextmanager
    async def first_wall(self, rights: RowRights) -> AsyncIterator[AsyncSession]:
        """A session that only our statements narrow: its login sees every mandate."""
        async with self.database.system_session() as session:
            bind_session(session, rights)
            yield session

    @asynccontextmanager
    async def request(self, rights: RowRights) -> AsyncIterator[AsyncSession]:
        """A session as a request has it, behind both walls."""
        tenant = Tenant(rights.mandate_id, rights.instance_id, rights.user_id)
        async with self.database.session(tenant) as session:
            bind_session(session, rights)
            yield session

    @asynccontextmanager
    async def unnarrowed(self) -> AsyncIterator[AsyncSession]:
        """A session without a context that sees every mandate, to look behind the application."""
        async with self.database.system_session() as session:
            yield session

    def owners(self) -> dict[str, tuple[MandateId, UserId]]:
        """Whose rows there are, by the word that names them."""
        return {
            "mine": (self.mandate, self.me),
            "mates": (self.mandate, self.mate),
            "others": (self.mandate, self.other),
            "foreign": (self.foreign, self.me),
        }


REACHED: dict[AccessLevel, set[str]] = {
    NONE: set(),
    MY: {"mine"},
    GROUP: {"mine", "mates"},
    ALL: {"mine", "mates", "others"},
}


async def create_tables(owner_url: str) -> None:
    """What the host's migration does."""
    engine = create_async_engine(sqlalchemy_url(owner_url))

    def migrate(connection: Connection) -> None:
        HostBase.metadata.create_all(connection)
        for protected in ("customers", "invoices", "invoice_lines"):
            protect_table(connection, protected)
        protect_table(connection, "tickets", by_instance=True)
        connection.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON currencies TO mandate_app, mandate_system"))

    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


@asynccontextmanager
async def installed_host(urls: DatabaseUrls, **pool: int) -> AsyncIterator[Host]:
    """Tables and people, no rows yet."""
    await create_tables(urls.owner)
    async with Database(urls.app, urls.system, **pool) as database:  # type: ignore[arg-type]
        names = ("mandate", "foreign", "me", "mate", "other", "outsider", "group", "instance", "second_instance")
        host = Host(database, *[uuid4() for _ in names])  # type: ignore[arg-type]
        connection = await asyncpg.connect(urls.superuser)
        await _people(connection, host)
        await connection.close()
        yield host


async def _people(connection: asyncpg.Connection, host: Host) -> None:
    for mandate in (host.mandate, host.foreign):
        await connection.execute("INSERT INTO mandates (id, slug, name) VALUES ($1, $2, 'x')", mandate, str(mandate))
    for user in (host.me, host.mate, host.other, host.outsider):
        sql = "INSERT INTO users (id, slug, email, state) VALUES ($1, $2, $2, 'active')"
        await connection.execute(sql, user, str(user))
    members = [(host.mandate, host.me), (host.mandate, host.mate), (host.mandate, host.other), (host.foreign, host.me)]
    for mandate, user in members:
        sql = "INSERT INTO memberships (id, mandate_id, user_id) VALUES ($1, $2, $3)"
        await connection.execute(sql, uuid4(), mandate, user)
    sql = "INSERT INTO groups (id, mandate_id, name) VALUES ($1, $2, 'g')"
    await connection.execute(sql, host.group, host.mandate)
    for user in (host.me, host.mate):
        sql = "INSERT INTO group_members (mandate_id, group_id, user_id) VALUES ($1, $2, $3)"
        await connection.execute(sql, host.mandate, host.group, user)


async def add_rows(host: Host) -> None:
    """A customer, an invoice with two lines, and tickets in two instances for each kind of owner."""
    async with host.unnarrowed() as session:
        for amount, (word, (mandate, owner)) in enumerate(host.owners().items(), 1):
            whose: dict[str, Any] = {"mandate_id": mandate, "owner_id": owner}
            customer = Customer(id=uuid4(), name=word, **whose)
            invoice = Invoice(id=uuid4(), number=word, amount=amount, customer_id=customer.id, **whose)
            session.add(customer)
            await session.flush()
            session.add(invoice)
            await session.flush()
            session.add_all(InvoiceLine(invoice_id=invoice.id, words=f"{word} {n}", **whose) for n in (1, 2))
            session.add(Ticket(words=word, instance_id=host.instance, **whose))
            session.add(Ticket(words=f"{word} elsewhere", instance_id=host.second_instance, **whose))
