"""`/petty-cash`: the cash book of one feature instance, which the header `X-Instance-Id` names."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from sqlalchemy import select

from examples.invoices.models import PettyCashEntry
from examples.invoices.schemas import PettyCashCreate, PettyCashList, PettyCashRead
from gateway import Action, RequestContext, errors, require

router = APIRouter(prefix="/petty-cash", tags=["petty cash"])

MayRead = Annotated[RequestContext, require("petty-cash", Action.READ)]
MayCreate = Annotated[RequestContext, require("petty-cash", Action.CREATE)]
MayDelete = Annotated[RequestContext, require("petty-cash", Action.DELETE)]


@router.get("")
async def list_entries(context: MayRead) -> PettyCashList:
    """The entries of this instance; those of another office are out of reach whatever the rules say."""
    statement = select(PettyCashEntry).order_by(PettyCashEntry.created_at, PettyCashEntry.id).limit(200)
    entries = await context.db.scalars(context.scope(statement))
    return PettyCashList(items=[PettyCashRead.model_validate(entry) for entry in entries])


@router.post("", status_code=201)
async def create_entry(context: MayCreate, wanted: PettyCashCreate) -> PettyCashRead:
    """Write down what was paid."""
    entry = PettyCashEntry(**wanted.model_dump())
    context.db.add(entry)
    await context.db.flush()
    return PettyCashRead.model_validate(entry)


@router.delete("/{entry_id}", status_code=204)
async def delete_entry(context: MayDelete, entry_id: UUID) -> None:
    """Strike an entry out."""
    entry = await context.db.scalar(context.scope(select(PettyCashEntry).where(PettyCashEntry.id == entry_id)))
    if entry is None:
        raise errors.NotFound
    await context.db.delete(entry)
