"""Routes that a browser opens as pages, on its way to a provider and back.

A person sees no JSON: a refusal takes them to the console, which has the words for its code. Programs get the problem
document. Nothing that came from outside stands in the address but a code of ours.
"""

import json
import re
from typing import Any, Final

from fastapi import Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import Message, Receive, Scope, Send

from modules.auth.cookies import CookieNames
from modules.auth.endpoints.browser import delete_cookie, set_cookie
from modules.auth.service.identities import LinkOffer
from modules.auth.service.provider_flows import BegunFlow, public_id_of
from modules.shared.services import STATE, Services

_CONSOLE: Final = "/console/"
_FLOW_NAME: Final = re.compile(r"_([0-9a-f]{32})=")
_CODE: Final = re.compile(r"[a-z0-9_]{1,64}")
_MOST_FLOWS: Final = 5


class OpensAsPage(APIRoute):
    """A route whose refusals become redirects to the console where a browser opened it as a page; the answer to a state
    takes the cookie of its flow away, whatever it is.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the base class."""
        gone = Response()
        public_id = public_id_of(QueryParams(scope["query_string"]).get("state"))
        if public_id is not None:
            names = _names_of(scope)
            delete_cookie(gone, names, names.flow_of(public_id))
        page = "text/html" in Headers(scope=scope).get("accept", "")
        await super().handle(scope, receive, _Answering(scope, receive, send, gone, as_page=page))


class _Answering:
    """Sends an answer on: with the cookies of `gone`, and a refusal as a redirect if it is for a page."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, gone: Response, *, as_page: bool) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._cookies = gone.headers.getlist("set-cookie")
        self._as_page = as_page
        self._refusal: bytearray | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._as_page and message["status"] >= 400:
                self._refusal = bytearray()
                return
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for cookie in self._cookies:
                headers.append("set-cookie", cookie)
            headers["cache-control"] = "no-store"
        elif self._refusal is not None:
            self._refusal += message.get("body", b"")
            if not message.get("more_body"):
                await self._redirect(_code_in(self._refusal))
            return
        await self._send(message)

    async def _redirect(self, code: str) -> None:
        answer = RedirectResponse(f"{_CONSOLE}#/sign-in-error/{code}", status_code=303)
        answer.headers["cache-control"] = "no-store"
        for cookie in self._cookies:
            answer.headers.append("set-cookie", cookie)
        await answer(self._scope, self._receive, self._send)


def keep_begun(response: Response, names: CookieNames, request: Request, begun: BegunFlow) -> None:
    """Let the browser answer for a flow it began, and forget its oldest ones: nobody signs in ten times at once."""
    header = "; ".join(request.headers.getlist("cookie"))
    before = sorted({f"{found[1]}" for found in _FLOW_NAME.finditer(header)})  # UUIDv7: the oldest first
    for public_id in before[: max(0, len(before) - _MOST_FLOWS + 1)]:
        delete_cookie(response, names, names.flow_of(public_id))
    set_cookie(response, names, names.flow_of(begun.public_id), begun.cookie, begun.expires_at)


def keep_offer(response: Response, names: CookieNames, offer: LinkOffer) -> None:
    """Let the browser connect the identity once its person has signed in."""
    set_cookie(response, names, names.offer, offer.secret, offer.expires_at)


def forget_offer(response: Response, names: CookieNames) -> None:
    """It is connected."""
    delete_cookie(response, names, names.offer)


def go_on(path: str) -> RedirectResponse:
    """To where the person wanted. The console has to learn that there is a session, and goes on by itself."""
    if path.startswith(_CONSOLE):
        wanted = path.partition("#")[2].removeprefix("/")
        path = f"{_CONSOLE}#/signed-in" + (f"/{_escaped(wanted)}" if wanted else "")
    return RedirectResponse(path, status_code=303)


def console_page(name: str) -> RedirectResponse:
    """To a page of the console."""
    return RedirectResponse(f"{_CONSOLE}#/{name}", status_code=303)


def _escaped(fragment: str) -> str:
    """The fragment as one word of an address."""
    return fragment.replace("%", "%25").replace("/", "%2F").replace("#", "%23").replace("?", "%3F")


def _code_in(body: bytearray) -> str:
    problem: Any = None
    try:
        problem = json.loads(bytes(body))
    except ValueError:
        return "unknown"
    code = problem.get("code") if isinstance(problem, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "unknown"


def _names_of(scope: Scope) -> CookieNames:
    services: Services = getattr(scope["app"].state, STATE)
    return services.get(CookieNames)
