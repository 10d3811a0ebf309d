"""A small OpenID provider of our own: real HTTP, and honest until a test has it misbehave.

It does what it is told to do wrong and everything else right: it checks the client's secret, the redirect URI and the
PKCE verifier, and a code works once.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import hashlib
import hmac
import json
import secrets
import socket
import time
from typing import Any
from urllib.parse import parse_qs, urlencode

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
import uvicorn

from tests.support.waiting import eventually

CLIENT_ID = "gateway"
CLIENT_SECRET = "a secret of the peer"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Begun:
    """What an authorization request asked for."""

    redirect_uri: str
    nonce: str
    challenge: str
    scope: str


@dataclass
class DataAccess:
    """The tokens it has given for data, each good for `lifetime` seconds. A refresh token works once."""

    lifetime: int = 3600
    rotates: bool = True
    access: list[str] = field(default_factory=list)
    refresh: set[str] = field(default_factory=set)
    refreshed: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    revocation: Callable[[], Response] = lambda: Response()  # noqa: PLW0108  # a class is no method

    def give(self, scope: str) -> Json:
        access, refresh = (f"{kind}-{secrets.token_urlsafe(24)}" for kind in ("access", "refresh"))
        self.access.append(access)
        self.refresh.add(refresh)
        given = {"access_token": access, "refresh_token": refresh, "expires_in": self.lifetime, "scope": scope}
        return {"token_type": "Bearer", **given}

    def renew(self, form: dict[str, list[str]]) -> Response:
        (refresh,) = form["refresh_token"]
        assert "scope" not in form
        self.refreshed.append(refresh)
        if refresh not in self.refresh:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        given = self.give("openid calendar")
        if self.rotates:
            self.refresh.remove(refresh)
        else:
            self.refresh.remove(given.pop("refresh_token"))
        return JSONResponse(given)

    def revoke(self, form: dict[str, list[str]]) -> Response:
        (token,) = form["token"]
        assert form["token_type_hint"] == [token.partition("-")[0] + "_token"]
        self.revoked.append(token)
        self.refresh.discard(token)
        return self.revocation()


@dataclass
class Misbehaviour:
    """What the provider does wrong. Nothing, unless a test says so."""

    claims: Callable[[Json], Json] = lambda claims: claims
    header: Callable[[Json], Json] = lambda header: header
    sign: Callable[["OpenIdPeer", Json, Json], str] | None = None
    token_answer: Callable[[Json], Response] | None = None
    metadata: Callable[[Json], Json] = lambda metadata: metadata
    answer: Callable[[Json], Json] = lambda parameters: parameters
    jwks: Callable[[Json], Json] = lambda keys: keys
    delay: float = 0.0
    codes_last: bool = False


@dataclass
class OpenIdPeer:
    """The provider as tests know it. `person` are the claims of whoever signs in."""

    issuer: str
    person: Json = field(default_factory=lambda: {"sub": "ada", "name": "Ada"})
    wrong: Misbehaviour = field(default_factory=Misbehaviour)
    key: RSAKey = field(
        default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
    )
    asked: list[str] = field(default_factory=list)
    begun: dict[str, Begun] = field(default_factory=dict)
    data: DataAccess = field(default_factory=DataAccess)

    def rotate(self, kid: str) -> None:
        """Sign with another key from now on; the former one is published no more."""
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})

    def app(self) -> Starlette:
        async def metadata(_: Request) -> Response:
            self.asked.append("metadata")
            await asyncio.sleep(self.wrong.delay)
            return JSONResponse(self.wrong.metadata(self._metadata()))

        async def jwks(_: Request) -> Response:
            self.asked.append("jwks")
            return JSONResponse(self.wrong.jwks({"keys": [self.key.as_dict(private=False)]}))

        async def authorize(request: Request) -> Response:
            return self._authorize(request)

        async def token(request: Request) -> Response:
            self.asked.append("token")
            await asyncio.sleep(self.wrong.delay)
            return self._token(request, parse_qs((await request.body()).decode()))

        async def revoke(request: Request) -> Response:
            self.asked.append("revoke")
            form = parse_qs((await request.body()).decode())
            return self._unless_stranger(request) or self.data.revoke(form)

        async def events(request: Request) -> Response:
            token = request.headers["authorization"].removeprefix("Bearer ")
            return JSONResponse(["stand-up"]) if token in self.data.access else Response(status_code=401)

        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", metadata),
                Route("/jwks", jwks),
                Route("/authorize", authorize),
                Route("/token", token, methods=["POST"]),
                Route("/revoke", revoke, methods=["POST"]),
                Route("/events", events),
            ]
        )

    def _metadata(self) -> Json:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "authorization_response_iss_parameter_supported": True,
        }

    def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.begun[code] = Begun(asked["redirect_uri"], asked["nonce"], asked["code_challenge"], asked["scope"])
        parameters = self.wrong.answer({"code": code, "state": asked["state"], "iss": self.issuer})
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(parameters)}", status_code=303)

    def _token(self, request: Request, form: dict[str, list[str]]) -> Response:
        if form["grant_type"] == ["refresh_token"]:
            renewed = self._unless_stranger(request) or self.data.renew(form)
            return self.wrong.token_answer({}) if self.wrong.token_answer else renewed
        begun = self.begun.get(form["code"][0]) if self.wrong.codes_last else self.begun.pop(form["code"][0], None)
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        challenge = encoded(digest)
        if begun is None or begun.challenge != challenge:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        assert form["redirect_uri"] == [begun.redirect_uri]
        assert self._unless_stranger(request) is None
        given = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 60}
        if "offline_access" in begun.scope.split():
            given = self.data.give(begun.scope)
        answer = {**given, "id_token": self._id_token(begun)}
        return self.wrong.token_answer(answer) if self.wrong.token_answer else JSONResponse(answer)

    def _unless_stranger(self, request: Request) -> Response | None:
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        given = request.headers.get("authorization", "").replace("%20", " ")
        return None if given == f"Basic {expected}" else JSONResponse({"error": "invalid_client"}, status_code=401)

    def _id_token(self, begun: Begun) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "nonce": begun.nonce,
            "iat": now,
            "exp": now + 300,
            **self.person,
        }
        header = self.wrong.header({"alg": "RS256", "kid": self.key.kid, "typ": "JWT"})
        sign = self.wrong.sign or (lambda peer, header, claims: signed(header, claims, peer.key))
        return sign(self, header, self.wrong.claims(claims))


def signed(header: Json, claims: Json | str, key: RSAKey | bytes) -> str:
    """A token with any header and body: signed with an RSA key (RS256) or a secret (HS256), as nobody sane would."""
    body = claims if isinstance(claims, str) else json.dumps(claims)
    message = ".".join((encoded(json.dumps(header).encode()), encoded(body.encode())))
    if isinstance(key, bytes):
        return f"{message}.{encoded(hmac.digest(key, message.encode(), 'sha256'))}"
    private = key.private_key
    assert private is not None
    return f"{message}.{encoded(private.sign(message.encode(), PKCS1v15(), SHA256()))}"


def encoded(part: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@asynccontextmanager
async def openid_peer() -> AsyncIterator[OpenIdPeer]:
    """The provider, serving on a port of its own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        peer = OpenIdPeer(f"http://127.0.0.1:{listening.getsockname()[1]}")
        config = uvicorn.Config(peer.app(), log_level="warning", lifespan="off", access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await eventually(lambda: server.started)
            yield peer
        finally:
            server.should_exit = True
            await serving
