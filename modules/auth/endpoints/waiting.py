"""The sign-in at a provider that waits in a browser to be connected: whoever signs in there next may have it, and
nobody after them.
"""

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from modules.auth.cookies import read_cookie
from modules.auth.endpoints.signatures import Identities, Names
from modules.auth.service.entrance import PendingSignIn
from modules.auth.service.identities import IdentityService
from modules.auth.service.issuing import OpenedSession
from modules.shared.context import Visitor


class WaitingIdentity:
    """The one of this browser; most have none."""

    def __init__(self, identities: IdentityService, secret: str | None) -> None:
        self._identities = identities
        self._secret = secret

    async def is_for(self, visitor: Visitor, admitted: OpenedSession | PendingSignIn) -> None:
        """Let whoever is in now have it. Who still has to show a second factor is nobody yet."""
        if self._secret is not None and isinstance(admitted, OpenedSession):
            await self._identities.keep_for(visitor, self._secret, admitted.user.id)

    async def is_over(self, visitor: Visitor) -> None:
        """Whoever was here has gone."""
        if self._secret is not None:
            await self._identities.withdraw(visitor, self._secret)


async def _waiting(connection: HTTPConnection, identities: Identities, names: Names) -> WaitingIdentity:
    return WaitingIdentity(identities, read_cookie("; ".join(connection.headers.getlist("cookie")), names.offer))


Waiting = Annotated[WaitingIdentity, Depends(_waiting, scope="function")]
