"""`/auth/introspect` and `/auth/tickets`: for services that were shown a token, and for what cannot show one."""

from typing import Annotated

from fastapi import APIRouter, Form

from modules.auth.endpoints.signatures import AnyMember, AskingService, Introspections, Tickets
from modules.auth.schemas.api_keys import Introspection, TicketRead, TicketRequest
from modules.shared.wire import StorableText

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post(
    "/introspect",
    operation_id="introspect_token",
    summary="Ask what a token stands for",
    response_model_exclude_none=True,
)
async def introspect_token(
    caller: AskingService,
    token: Annotated[StorableText, Form(max_length=5000)],
    introspections: Introspections,
    token_type_hint: Annotated[StorableText | None, Form(max_length=100)] = None,  # noqa: ARG001  # RFC 7662: may be ignored
) -> Introspection:
    """As RFC 7662 has it, for access tokens, refresh tokens and API keys: whether it stands at this very moment. Needs
    an API key with the scope `introspect`. Why a token does not stand is never said.
    """
    return await introspections.introspect(caller, token)


@router.post("/tickets", status_code=201, operation_id="create_ticket", summary="Get a ticket for one download")
async def create_ticket(context: AnyMember, wanted: TicketRequest, tickets: Tickets) -> TicketRead:
    """Opens one path once, within a minute, as `?ticket=`: for downloads and connections that a browser starts without
    headers. It is bound to this session, the mandate and instance of the headers, the method and the path; routes that
    take one say so. An API key gets none: programs can send headers.
    """
    return await tickets.issue(context, wanted)
