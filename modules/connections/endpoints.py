"""`/connections`: accounts at Google, Microsoft or other providers that people lend to a mandate."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from starlette.requests import Request
from starlette.responses import RedirectResponse

from modules.auth.cookies import read_cookie
from modules.auth.endpoints.provider_pages import OpensAsPage, keep_begun
from modules.auth.endpoints.signatures import UNPROVEN
from modules.auth.identity_providers.flow import AuthorizationAnswer
from modules.auth.schemas.identities import ProviderRedirect
from modules.auth.service.provider_flows import public_id_of
from modules.connections.dependencies import (
    ComingBack,
    Connectings,
    MayCreateConnections,
    MayDeleteConnections,
    MayReadConnections,
    Names,
    Owned,
    WhoeverIsHere,
)
from modules.connections.schemas import ConnectionProviderList, ConnectionRead, ConnectionRequest, ConnectionSort
from modules.shared.pagination import Page, Paging
from modules.shared.wire import StorableText

router = APIRouter(prefix="/connections", tags=["connections"])
pages_router = APIRouter(prefix="/connections", tags=["connections"], route_class=OpensAsPage)

Parameter = Annotated[StorableText | None, Query(max_length=2048)]


@router.get("", operation_id="list_connections", summary="List data connections")
async def list_connections(
    context: MayReadConnections,
    connections: Owned,
    paging: Paging,
    sort: ConnectionSort = "created_at",
    *,
    own: Annotated[bool, Query(description="Only your own.")] = False,
) -> Page[ConnectionRead]:
    """Your own, those of your groups' members, or all of the mandate, as far as your level reaches. Never a token."""
    return await connections.list_page(context, sort, paging, own=own)


@router.get(
    "/providers", operation_id="list_connection_providers", summary="List providers whose data can be connected"
)
async def list_connection_providers(_: MayReadConnections, connections: Owned) -> ConnectionProviderList:
    """What `POST /connections/{provider}` takes in this installation."""
    return connections.list_providers()


@router.post("/{provider}", operation_id="begin_connection", summary="Begin to connect an account")
async def begin_connection(
    context: MayCreateConnections,
    provider: StorableText,
    wanted: ConnectionRequest,
    connecting: Connectings,
    names: Names,
    request: Request,
    response: Response,
) -> ProviderRedirect:
    """Answers the provider's address to open in this browser, within ten minutes. The account that signs in there is
    connected to the mandate; one connected before is replaced.
    """
    begun = await connecting.begin(context, provider, offline=wanted.offline)
    keep_begun(response, names, request, begun)
    return ProviderRedirect(url=begun.url, expires_at=begun.expires_at)


@pages_router.get(
    "/{provider}/callback",
    status_code=303,
    response_class=RedirectResponse,
    response_model=None,
    operation_id="finish_connection",
    summary="Come back from a provider",
    responses=UNPROVEN,
)
async def finish_connection(
    visitor: ComingBack,
    here: WhoeverIsHere,
    provider: StorableText,
    connecting: Connectings,
    names: Names,
    request: Request,
    state: Parameter = None,
    code: Parameter = None,
    error: Parameter = None,
    iss: Parameter = None,
) -> RedirectResponse:
    """Where the provider sends the browser. Keeps the access given, and goes on to the console. Opens no session."""
    public_id = public_id_of(state)
    header = "; ".join(request.headers.getlist("cookie"))
    cookie = read_cookie(header, names.flow_of(public_id)) if public_id else None
    answer = AuthorizationAnswer(code, error, iss)
    return_to = await connecting.complete(visitor, here, provider, state, answer, cookie=cookie)
    return RedirectResponse(return_to, status_code=303)


@router.delete("/{connection_id}", status_code=204, operation_id="end_connection", summary="End a data connection")
async def end_connection(context: MayDeleteConnections, connection_id: UUID, connections: Owned) -> None:
    """Erases it here at once, and has it revoked at the provider."""
    await connections.end(context, connection_id)
