"""`/invoices`: each route says in its signature what one must be allowed to do; `scope` does the rest."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from examples.invoices.models import Invoice
from examples.invoices.schemas import InvoiceCreate, InvoiceList, InvoicePatch, InvoiceRead
from gateway import Action, RequestContext, Text, errors, require

router = APIRouter(prefix="/invoices", tags=["invoices"])

MayRead = Annotated[RequestContext, require("invoices", Action.READ)]
MayCreate = Annotated[RequestContext, require("invoices", Action.CREATE)]
MayUpdate = Annotated[RequestContext, require("invoices", Action.UPDATE)]
MayDelete = Annotated[RequestContext, require("invoices", Action.DELETE)]


class NumberTaken(errors.Conflict):
    """The mandate has an invoice of this number."""

    code = "invoice_number_taken"
    title = Text(en="There is an invoice with this number", de="Eine Rechnung mit dieser Nummer gibt es schon")


@router.get("")
async def list_invoices(context: MayRead) -> InvoiceList:
    """All that the caller may read: their own, their groups', or the mandate's."""
    invoices = await context.db.scalars(context.scope(select(Invoice).order_by(Invoice.number).limit(200)))
    return InvoiceList(items=[_shown(context, invoice) for invoice in invoices])


@router.get("/{invoice_id}")
async def get_invoice(context: MayRead, invoice_id: UUID) -> InvoiceRead:
    """One invoice. Not found is also the answer for one beyond the caller's reach."""
    return _shown(context, await _find(context, invoice_id))


@router.post("", status_code=201)
async def create_invoice(context: MayCreate, wanted: InvoiceCreate) -> InvoiceRead:
    """The mandate and the owner are filled in from the context when the row is written."""
    invoice = Invoice(**wanted.model_dump())
    context.db.add(invoice)
    try:
        await context.db.flush()
    except IntegrityError as error:
        raise NumberTaken(pointer="/number") from error
    return _shown(context, invoice)


@router.patch("/{invoice_id}")
async def update_invoice(context: MayUpdate, invoice_id: UUID, patch: InvoicePatch) -> InvoiceRead:
    """Refused when it touches the margin and the caller may not change margins."""
    invoice = await _find(context, invoice_id)
    for name, value in patch.model_dump(exclude_unset=True).items():
        setattr(invoice, name, value)
    await context.db.flush()
    return _shown(context, invoice)


@router.delete("/{invoice_id}", status_code=204)
async def delete_invoice(context: MayDelete, invoice_id: UUID) -> None:
    """Gone for good."""
    await context.db.delete(await _find(context, invoice_id))


async def _find(context: RequestContext, invoice_id: UUID) -> Invoice:
    """The invoice, if the action this route required reaches it."""
    invoice = await context.db.scalar(context.scope(select(Invoice).where(Invoice.id == invoice_id)))
    if invoice is None:
        raise errors.NotFound
    return invoice


def _shown(context: RequestContext, invoice: Invoice) -> InvoiceRead:
    readable = context.readable_fields(Invoice)
    return InvoiceRead.model_validate(
        {name: getattr(invoice, name) if name in readable else None for name in InvoiceRead.model_fields}
    )
