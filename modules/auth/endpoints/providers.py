"""`/auth/{provider}` and `/auth/identities`: signing in with Google, Microsoft or any OpenID provider."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from starlette.requests import Request
from starlette.responses import RedirectResponse

from modules.auth.cookies import CookieNames, read_cookie
from modules.auth.endpoints.browser import Cookies, keep_pending, keep_session
from modules.auth.endpoints.provider_pages import (
    OpensAsPage,
    console_page,
    forget_offer,
    go_on,
    keep_begun,
    keep_offer,
)
from modules.auth.endpoints.signatures import (
    UNPROVEN,
    HoldingASecret,
    Identities,
    Names,
    ProviderSignIns,
    ProvingThemselves,
    SignedInPerson,
    WhoeverIsHere,
)
from modules.auth.endpoints.waiting import Waiting
from modules.auth.identity_providers.flow import AuthorizationAnswer
from modules.auth.schemas.identities import (
    CONFIRM,
    IdentityList,
    IdentityRead,
    ProviderLinkRequest,
    ProviderRedirect,
    ProviderSignInRequest,
    ReturnPath,
)
from modules.auth.service.entrance import PendingSignIn
from modules.auth.service.identities import LinkOffer
from modules.auth.service.provider_flows import public_id_of
from modules.auth.service.provider_sign_in import Arrived
from modules.shared.i18n import negotiate_language
from modules.shared.wire import StorableText

router = APIRouter(prefix="/auth", tags=["auth"])
pages_router = APIRouter(prefix="/auth", tags=["auth"], route_class=OpensAsPage)

Parameter = Annotated[StorableText | None, Query(max_length=2048)]


@pages_router.get(
    "/{provider}/login",
    status_code=303,
    response_class=RedirectResponse,
    response_model=None,
    operation_id="open_provider_login",
    summary="Sign in with a provider",
)
async def open_provider_login(
    visitor: ProvingThemselves,
    provider: StorableText,
    sign_ins: ProviderSignIns,
    names: Names,
    request: Request,
    return_to: Annotated[ReturnPath, Query(description="A path of this installation.")] = "/console/",
    confirm: Annotated[bool, Query(description=CONFIRM)] = False,  # noqa: FBT002  # a parameter of the query
) -> RedirectResponse:
    """A page to open, not to fetch: sets the cookie of this sign-in and goes to the provider. Any number can be under
    way at once, each for ten minutes.
    """
    begun = await sign_ins.begin(visitor, provider, return_to, confirm=confirm)
    answer = RedirectResponse(begun.url, status_code=303)
    keep_begun(answer, names, request, begun)
    return answer


@router.post("/{provider}/login", operation_id="begin_provider_login", summary="Begin to sign in with a provider")
async def begin_provider_login(
    visitor: ProvingThemselves,
    provider: StorableText,
    wanted: ProviderSignInRequest,
    sign_ins: ProviderSignIns,
    names: Names,
    request: Request,
    response: Response,
) -> ProviderRedirect:
    """As the page, for a script: answers the address to open. Takes an invitation, which no address may carry."""
    begun = await sign_ins.begin(
        visitor, provider, wanted.return_to, invitation=wanted.invitation, confirm=wanted.confirm
    )
    keep_begun(response, names, request, begun)
    return ProviderRedirect(url=begun.url, expires_at=begun.expires_at)


@pages_router.get(
    "/{provider}/callback",
    status_code=303,
    response_class=RedirectResponse,
    response_model=None,
    operation_id="finish_provider_login",
    summary="Come back from a provider",
    responses=UNPROVEN,
)
async def finish_provider_login(
    visitor: HoldingASecret,
    provider: StorableText,
    here: WhoeverIsHere,
    sign_ins: ProviderSignIns,
    identities: Identities,
    waiting: Waiting,
    cookies: Cookies,
    names: Names,
    request: Request,
    state: Parameter = None,
    code: Parameter = None,
    error: Parameter = None,
    iss: Parameter = None,
) -> RedirectResponse:
    """Where the provider sends the browser. Opens a session, connects an identity, or offers to connect one to whoever
    is signed in here or signs in next, another way; goes on to the console or where the sign-in was begun for.
    """
    completed = await sign_ins.complete(
        visitor,
        provider,
        state,
        AuthorizationAnswer(code, error, iss),
        cookie=_flow_cookie(request, names, state),
        device_secret=cookies.device,
        language=negotiate_language(request.headers.get("accept-language")),
    )
    if isinstance(completed, LinkOffer):
        if here is not None:
            await identities.keep_for(visitor, completed.secret, here.user.id)
        answer = console_page("connect-identity")
        keep_offer(answer, names, completed)
        return answer
    if isinstance(completed, Arrived):
        if isinstance(completed.admitted, PendingSignIn):
            answer = console_page("second-factor")
            keep_pending(answer, names, completed.admitted)
            return answer
        answer = go_on(completed.return_to)
        await waiting.is_for(visitor, completed.admitted)
        keep_session(answer, names, completed.admitted)
        return answer
    return go_on(completed.return_to)


@router.post("/{provider}/link", operation_id="link_provider", summary="Connect a provider with my account")
async def link_provider(
    caller: SignedInPerson,
    provider: StorableText,
    wanted: ProviderLinkRequest,
    sign_ins: ProviderSignIns,
    names: Names,
    request: Request,
    response: Response,
) -> ProviderRedirect:
    """Needs a recent sign-in. Answers the address to open in this browser; whoever signs in there is connected."""
    begun = await sign_ins.begin_linking(caller, provider, wanted.return_to)
    keep_begun(response, names, request, begun)
    return ProviderRedirect(url=begun.url, expires_at=begun.expires_at)


@router.get("/identities", operation_id="list_identities", summary="List my connected sign-ins")
async def list_identities(
    caller: SignedInPerson, identities: Identities, names: Names, request: Request
) -> IdentityList:
    """Those at providers, and one that waits in this browser to be connected."""
    return await identities.list_own(caller, _cookie(request, names.offer))


@router.post("/identities", status_code=201, operation_id="accept_identity", summary="Connect the offered sign-in")
async def accept_identity(
    caller: SignedInPerson, identities: Identities, names: Names, request: Request, response: Response
) -> IdentityRead:
    """Needs a recent sign-in. Connects the one that `GET /auth/identities` shows as offered."""
    connected = await identities.accept_offer(caller, _cookie(request, names.offer))
    forget_offer(response, names)
    return connected


@router.delete(
    "/identities/{identity_id}", status_code=204, operation_id="unlink_identity", summary="Disconnect a sign-in"
)
async def unlink_identity(caller: SignedInPerson, identity_id: UUID, identities: Identities) -> None:
    """Needs a recent sign-in. The sessions it opened end; the last way to sign in stays."""
    await identities.unlink(caller, identity_id)


def _flow_cookie(request: Request, names: CookieNames, state: str | None) -> str | None:
    public_id = public_id_of(state)
    return _cookie(request, names.flow_of(public_id)) if public_id else None


def _cookie(request: Request, name: str) -> str | None:
    return read_cookie("; ".join(request.headers.getlist("cookie")), name)
