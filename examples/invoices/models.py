"""The tables of the application. Who owns a row, and in which mandate or instance it lives, comes with the mixins."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import DateTime, Numeric, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gateway import InstanceOwned, MandateOwned


class Base(DeclarativeBase):
    """The application's own declarative base."""


class Invoice(MandateOwned, Base):
    """An invoice of a mandate. What is earned on it (`margin`) has rules of its own."""

    __tablename__ = "invoices"
    __item__ = "invoices"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[str]
    customer: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    margin: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class PettyCashEntry(InstanceOwned, Base):
    """What one office paid in cash: seen only by requests that name that office's instance."""

    __tablename__ = "petty_cash_entries"
    __item__ = "petty-cash"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    purpose: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
