"""Invitations. Whoever invited owns the invitation: level `my` reaches one's own."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from modules.mandates.models import Invitation
from modules.mandates.repository.reach import within_reach
from modules.mandates.schemas.invitations import InvitationState
from modules.shared.context import RequestContext
from modules.shared.ids import InvitationId, MandateId
from modules.shared.pagination import Ordering, PageQuery, read_page

_COLUMNS = {
    "created_at": Invitation.created_at,
    "email": Invitation.email,
    "expires_at": Invitation.expires_at,
}
_UNSETTLED = Invitation.accepted_at.is_(None) & Invitation.revoked_at.is_(None)


def state_of(invitation: Invitation, now: datetime) -> InvitationState:
    """`open`, `accepted`, `revoked` or `expired`."""
    if invitation.accepted_at is not None:
        return "accepted"
    if invitation.revoked_at is not None:
        return "revoked"
    return "open" if invitation.expires_at > now else "expired"


async def list_page(
    context: RequestContext, words: str | None, state: str | None, sort: str, now: datetime, paging: PageQuery
) -> tuple[list[Invitation], str | None]:
    """The invitations within the caller's reach."""
    statement = _visible(context)
    if words:
        statement = statement.where(Invitation.email.icontains(words, autoescape=True))
    if state is not None:
        statement = statement.where(_in_state(state, now))
    rows, cursor = await read_page(context.db, statement, Ordering.choose(sort, _COLUMNS, Invitation.id), paging)
    return [row[0] for row in rows], cursor


async def lock(context: RequestContext, invitation_id: InvitationId) -> Invitation | None:
    """One invitation within the caller's reach, locked until the transaction ends."""
    statement = _visible(context).where(Invitation.id == invitation_id).with_for_update()
    found: Invitation | None = await context.db.scalar(statement, execution_options={"populate_existing": True})
    return found


async def is_open_for(session: AsyncSession, mandate_id: MandateId, email: str, now: datetime) -> bool:
    """Whether an invitation to this address can still be accepted."""
    wanted = select(Invitation.id).where(
        Invitation.mandate_id == mandate_id, Invitation.email == email, _in_state("open", now)
    )
    return await session.scalar(wanted.limit(1)) is not None


async def find_open(
    session: AsyncSession, mandate_id: MandateId, invitation_id: InvitationId, now: datetime, *, lock: bool = False
) -> Invitation | None:
    """The invitation if it can still be accepted."""
    statement = select(Invitation).where(
        Invitation.mandate_id == mandate_id, Invitation.id == invitation_id, _in_state("open", now)
    )
    return await session.scalar(statement.with_for_update() if lock else statement)


def _visible(context: RequestContext) -> Select[Any]:
    return select(Invitation).where(
        Invitation.mandate_id == context.mandate.id, within_reach(context, Invitation.invited_by.expression)
    )


def _in_state(state: str, now: datetime) -> ColumnElement[bool]:
    match state:
        case "accepted":
            return Invitation.accepted_at.is_not(None)
        case "revoked":
            return Invitation.revoked_at.is_not(None)
        case "open":
            return and_(_UNSETTLED, Invitation.expires_at > now)
        case _:
            return and_(_UNSETTLED, Invitation.expires_at <= now)
