"""Who calls, as FastAPI sees it: the credential of a request, verified without any I/O.

Whether the token's row, its session and its user still stand is asked of the database afterwards, with everything else
the request needs.
"""

import asyncio
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from fastapi.security import HTTPBearer
from starlette.requests import Request
from starlette.types import Scope

from modules.auth.api_key_errors import ApiKeyPresented
from modules.auth.api_keys import PREFIX as API_KEY_PREFIX
from modules.auth.api_keys import read_api_key
from modules.auth.cookies import CookieNames, read_cookie
from modules.auth.errors import CredentialConflict, InvalidToken, UnknownKey
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.shared import clock
from modules.shared.errors import Unauthenticated
from modules.shared.guards import authorizer


class Credential(NamedTuple):
    """A token whose signature and time hold, and what it claims; of a ticket only the claims. `local`: this process
    holds it, nobody sent it.
    """

    token: str
    claims: AccessTokenClaims
    local: bool = False


class Credentials:
    """Finds the credential in force on a request: the cookie if it holds, else the bearer token."""

    def __init__(self, tokens: SignedTokens, cookies: CookieNames) -> None:
        self._tokens = tokens
        self._cookies = cookies

    def read(self, scope: Scope) -> Credential:
        """The credential in force.

        Raises Unauthenticated when there is none, InvalidToken when none holds, UnknownKey when one names a key not
        loaded yet, ApiKeyPresented for an API key, which the database has to judge, and CredentialConflict when both
        hold for different people.
        """
        cookie, bearer = self._presented(scope)
        if cookie is None and bearer is None:
            raise Unauthenticated
        by_cookie = self._verify(cookie)
        by_bearer = self._verify(bearer) if bearer != cookie else by_cookie
        if by_bearer is None and bearer is not None and bearer.startswith(API_KEY_PREFIX):
            raise _presented_key(bearer, beside=by_cookie)
        if by_cookie and by_bearer and by_cookie.claims.user_id != by_bearer.claims.user_id:
            raise CredentialConflict
        credential = by_cookie or by_bearer
        if credential is None:
            raise InvalidToken
        return credential

    def _presented(self, scope: Scope) -> tuple[str | None, str | None]:
        cookie = bearer = None
        for name, value in scope["headers"]:
            if name == b"cookie" and cookie is None:
                cookie = read_cookie(value.decode("latin-1"), self._cookies.access)
            elif name == b"authorization" and value[:7].lower() == b"bearer ":
                bearer = value[7:].decode("latin-1").strip() or None
        return cookie, bearer

    def _verify(self, token: str | None) -> Credential | None:
        if token is None:
            return None
        try:
            return Credential(token, self._tokens.verify(token))
        except UnknownKey:
            raise
        except InvalidToken:
            return None


def _presented_key(bearer: str, *, beside: Credential | None) -> InvalidToken | CredentialConflict:
    """A key is not looked at beside a cookie that holds: one of them would be used although nobody meant it."""
    secret_hash = read_api_key(bearer)
    if secret_hash is None:
        return InvalidToken()
    return ApiKeyPresented(secret_hash) if beside is None else CredentialConflict()


class IssuesForLocalUser(Protocol):
    """Issues access tokens of the local user."""

    async def issue(self) -> str:
        """A new one, in a session proven just now. Raises SingleUserModeEnded."""
        ...


class LocalCredential:
    """In single-user mode, what stands for every request without a bearer token: the process holds it.

    It is issued anew before it expires, before its sign-in stops being recent, and whenever it was refused: its
    session was ended, or the keys were changed.
    """

    def __init__(self, issuing: IssuesForLocalUser, tokens: SignedTokens, fresh_for: timedelta) -> None:
        self._issuing = issuing
        self._tokens = tokens
        self._fresh_for = fresh_for
        self._held: Credential | None = None
        self._fresh_until: datetime | None = None
        self._renewing = asyncio.Lock()

    async def of(self, scope: Scope) -> Credential | None:
        """The one in force; None when the request brings a token of its own."""
        if any(name == b"authorization" for name, _ in scope["headers"]):
            return None
        if self._held is not None and self._fresh_until is not None and clock.now() < self._fresh_until:
            return self._held
        return await self.replace(self._held)

    async def replace(self, refused: Credential | None) -> Credential:
        """A new one instead of `refused`, issued once however many requests ask at the same time."""
        async with self._renewing:
            if self._held is None or self._held is refused:
                token = await self._issuing.issue()
                self._held = Credential(token, self._tokens.verify(token), local=True)
                self._fresh_until = clock.now() + self._fresh_for
            return self._held


class CookieAuth(HTTPBearer):
    """A FastAPI security dependency that yields the access token in force: cookie if valid, else `Authorization:
    Bearer`.

    Checks signature and time only (no I/O); guards such as `require` go on to ask the database. With `auto_error=False`
    it yields None where it would raise 401.
    """

    def __init__(self, *, auto_error: bool = True) -> None:
        super().__init__(auto_error=auto_error, scheme_name="bearerAuth")

    async def __call__(self, request: Request) -> str | None:  # type: ignore[override]
        """The token string."""
        try:
            credential: Credential = await authorizer(request).credential(request)
        except Unauthenticated:
            if self.auto_error:
                raise
            return None
        return credential.token
