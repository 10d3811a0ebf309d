"""Invoices and petty cash on the wire."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Amount = Annotated[Decimal, Field(max_digits=12, decimal_places=2, allow_inf_nan=False)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00]*$")]
Number = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/-]{1,40}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class InvoiceCreate(_Body):
    """A new invoice; it belongs to whoever makes it."""

    number: Number
    customer: Line
    amount: Amount
    margin: Amount | None = None


class InvoicePatch(_Body):
    """What changes; what is left out stays."""

    customer: Line | None = None
    amount: Amount | None = None
    margin: Amount | None = None


class InvoiceRead(BaseModel):
    """An invoice as its reader may see it: without the right to the margin, `margin` is null."""

    id: UUID
    owner_id: UUID
    number: str
    customer: str
    amount: Decimal
    margin: Decimal | None


class InvoiceList(BaseModel):
    """The invoices within the reader's reach, by number."""

    items: list[InvoiceRead]


class PettyCashCreate(_Body):
    """Something paid in cash."""

    purpose: Line
    amount: Amount


class PettyCashRead(BaseModel):
    """Something that was paid in cash."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    owner_id: UUID
    purpose: str
    amount: Decimal


class PettyCashList(BaseModel):
    """The cash book of the instance, the oldest entry first."""

    items: list[PettyCashRead]
