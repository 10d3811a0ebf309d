"""`/invitations`: asking people to come, and coming."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from modules.mandates.dependencies import (
    Acceptance,
    Invitations,
    MayCreateInvitations,
    MayDeleteInvitations,
    MayReadInvitations,
    MayUpdateInvitations,
    SignedIn,
    Words,
)
from modules.mandates.schemas.invitations import (
    InvitationAccept,
    InvitationCreate,
    InvitationRead,
    InvitationSort,
    InvitationState,
)
from modules.mandates.schemas.mandates import MandateChoice
from modules.shared.idempotency import Once
from modules.shared.ids import InvitationId
from modules.shared.pagination import Page, Paging

router = APIRouter(prefix="/invitations", tags=["invitations"])


@router.get("", operation_id="list_invitations", summary="List invitations")
async def list_invitations(
    context: MayReadInvitations,
    invitations: Invitations,
    paging: Paging,
    words: Words = None,
    state: Annotated[InvitationState | None, Query(description="Only invitations in this state.")] = None,
    sort: InvitationSort = "-created_at",
) -> Page[InvitationRead]:
    """The invitations your level reaches; your own at least."""
    return await invitations.list_page(context, words, state, sort, paging)


@router.post("", status_code=201, response_model=InvitationRead, operation_id="create_invitation", summary="Invite")
async def create_invitation(
    context: MayCreateInvitations, invitation: InvitationCreate, invitations: Invitations, once: Once
) -> Response:
    """Send a mail with a link. The answer is the same whether or not the address has an account."""
    return await once.answer(context, invitation, lambda: invitations.create(context, invitation))


@router.post(
    "/accept",
    operation_id="accept_invitation",
    summary="Accept an invitation",
    responses={404: {"description": "The link leads to no open invitation."}},
)
async def accept_invitation(caller: SignedIn, accepted: InvitationAccept, acceptance: Acceptance) -> MandateChoice:
    """Become a member, signed in as the owner of the address the mail went to. Works once, and needs no header."""
    return await acceptance.accept(caller, accepted.token)


@router.post("/{invitation_id}/resend", operation_id="resend_invitation", summary="Send an invitation again")
async def resend_invitation(
    context: MayUpdateInvitations, invitation_id: InvitationId, invitations: Invitations
) -> InvitationRead:
    """A new mail with a new link, and the full time to accept again."""
    return await invitations.resend(context, invitation_id)


@router.delete("/{invitation_id}", status_code=204, operation_id="revoke_invitation", summary="Withdraw an invitation")
async def revoke_invitation(
    context: MayDeleteInvitations, invitation_id: InvitationId, invitations: Invitations
) -> None:
    """Every link of the invitation stops working."""
    await invitations.revoke(context, invitation_id)
