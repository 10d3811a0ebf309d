"""What a browser keeps for us: reading the cookies of a request, setting those of a session, taking them away."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import Depends, Response
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from modules.auth.cookies import CookieNames, read_cookie
from modules.auth.endpoints.signatures import Names
from modules.auth.errors import InvalidToken
from modules.auth.keys import is_secret, new_secret
from modules.auth.service.entrance import PendingSignIn
from modules.auth.service.issuing import OpenedSession
from modules.auth.signed_tokens import SignedTokens
from modules.shared import clock
from modules.shared.context import Caller
from modules.shared.services import STATE, Services

_DEVICE_LIFETIME: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class BrowserCookies:
    """Our cookies on a request; None where there is none."""

    access: str | None
    refresh: str | None
    device: str | None
    flow: str | None
    pending: str | None


async def _cookies(connection: HTTPConnection, names: Names) -> BrowserCookies:
    header = "; ".join(connection.headers.getlist("cookie"))
    return BrowserCookies(
        *(read_cookie(header, name) for name in (names.access, names.refresh, names.device, names.flow, names.pending))
    )


Cookies = Annotated[BrowserCookies, Depends(_cookies, scope="function")]


def bearer_of(connection: HTTPConnection) -> str | None:
    """The bearer token of a request."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def came_by_cookie(caller: Caller, cookies: BrowserCookies, tokens: SignedTokens) -> bool:
    """Whether the caller's credential is the cookie's, so that the browser and nobody else gets new ones."""
    if cookies.access is None:
        return False
    try:
        return tokens.verify(cookies.access).token_id == caller.login.token_id
    except InvalidToken:
        return False


def keep_session(response: Response, names: CookieNames, opened: OpenedSession) -> None:
    """Give the browser the tokens of a session."""
    tokens = opened.tokens
    set_cookie(response, names, names.access, tokens.access, tokens.access_expires_at)
    set_cookie(response, names, names.refresh, tokens.refresh, tokens.refresh_expires_at)
    if opened.device_secret is not None:
        set_cookie(response, names, names.device, opened.device_secret, clock.now() + _DEVICE_LIFETIME)


def keep_pending(response: Response, names: CookieNames, pending: PendingSignIn) -> None:
    """Let the browser complete the sign-in with a second factor."""
    set_cookie(response, names, names.pending, pending.secret, pending.expires_at)


def forget_pending(response: Response, names: CookieNames) -> None:
    """The sign-in is complete."""
    delete_cookie(response, names, names.pending)


def flow_of(cookies: BrowserCookies) -> str:
    """What this browser proves by that it began something: one secret for everything it has begun, a new one if there
    is none.
    """
    return cookies.flow if cookies.flow is not None and is_secret(cookies.flow) else new_secret()


def keep_flow(response: Response, names: CookieNames, secret: str, lifetime: timedelta) -> None:
    """Let the browser prove later that it began this."""
    set_cookie(response, names, names.flow, secret, clock.now() + lifetime)


def forget_flow(response: Response, names: CookieNames) -> None:
    """The flow is over."""
    delete_cookie(response, names, names.flow)


def forget_session(response: Response, names: CookieNames) -> None:
    """Take the tokens away, and what waits to be connected by this person. The device stays known."""
    for name in (names.access, names.refresh, names.offer):
        delete_cookie(response, names, name)


class ForgetsSession(APIRoute):
    """A route whose every answer takes the session's cookies away, refusals and an absent database included: whoever
    signs out on a shared computer is signed out there, whatever else happens.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the base class, with our cookies deleted in the answer."""
        names = _names_of(scope)
        gone = Response()
        forget_session(gone, names)
        cookies = gone.headers.getlist("set-cookie")

        async def forget(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for cookie in cookies:
                    headers.append("set-cookie", cookie)
            await send(message)

        await super().handle(scope, receive, forget)


def _names_of(scope: Scope) -> CookieNames:
    services: Services = getattr(scope["app"].state, STATE)
    return services.get(CookieNames)


def set_cookie(response: Response, names: CookieNames, name: str, value: str, expires_at: datetime) -> None:
    """Give the browser a cookie that no script reads and no other site's form sends."""
    seconds = max(0, int((expires_at - clock.now()).total_seconds()))
    response.set_cookie(name, value, max_age=seconds, path="/", secure=names.secure, httponly=True, samesite="lax")


def delete_cookie(response: Response, names: CookieNames, name: str) -> None:
    """Take it away."""
    response.delete_cookie(name, path="/", secure=names.secure, httponly=True, samesite="lax")
