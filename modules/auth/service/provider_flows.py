"""Sign-ins with providers that are under way: one row and one cookie each, so that any number run side by side.

The cookie's secret is the only one: state, nonce and PKCE verifier are derived from it, and the row holds no more than
the hash of the state. What comes back therefore fits to one browser and one row, and works once.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import hmac
import re
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.identity_providers.flow import FlowSecrets, ProviderClient
from modules.auth.keys import hash_secret, is_secret, new_secret
from modules.auth.models import Token
from modules.auth.provider_errors import ProviderNotFound, SignInFlowEnded
from modules.auth.repository import one_time_tokens, sessions, users
from modules.shared import clock
from modules.shared.context import Caller
from modules.shared.database import Database
from modules.shared.ids import SessionId, new_id

FLOW: Final = "flow"
CONNECTION_FLOW: Final = "connection_flow"
"""Of data connections: their scopes and those of a sign-in never meet."""
FLOW_LIFETIME: Final = timedelta(minutes=10)
_STATE: Final = re.compile(r"([0-9a-f]{32})([A-Za-z0-9_-]{43})")
_SEPARATOR: Final = "."
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class BegunFlow:
    """Where to send the browser, and what it keeps meanwhile under a name with `public_id` in it."""

    url: str
    public_id: str
    cookie: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FoundFlow:
    """A flow whose answer has come. `linking` names the session in which a person asked to connect something, `about`
    says what. To `confirm`, the person had to prove themselves to the provider anew.
    """

    secrets: FlowSecrets
    return_to: str
    begun_at: datetime
    user_id: UUID | None
    linking: SessionId | None
    invitation: str | None = field(repr=False)
    about: Mapping[str, Any] = field(default_factory=dict)
    confirm: bool = False


class ProviderFlows:
    """The rows of flows, and the providers they go to. A flow of one purpose is unknown to those of another."""

    def __init__(self, database: Database, clients: Mapping[str, ProviderClient], purpose: str = FLOW) -> None:
        self._database = database
        self._clients = clients
        self._purpose = purpose

    @property
    def clients(self) -> Mapping[str, ProviderClient]:
        """What is configured, in the order to offer it."""
        return self._clients

    def client(self, authority: str) -> ProviderClient:
        """Raises ProviderNotFound."""
        found = self._clients.get(authority)
        if found is None:
            raise ProviderNotFound
        return found

    async def begin(
        self, session: AsyncSession, authority: str, url: str, secret: str, public_id: str, return_to: str,
        *, caller: Caller | None, invitation: str | None = None, about: Mapping[str, Any] = _NOTHING,
        confirm: bool = False,
    ) -> BegunFlow:  # fmt: skip
        """Keep what the answer will be compared with. An invitation's secret goes into the cookie, not the row."""
        now = clock.now()
        expires_at = now + FLOW_LIFETIME
        payload: dict[str, Any] = {"return_to": return_to, "confirm": confirm}
        if about:
            payload["about"] = dict(about)
        if caller is not None:
            payload["session_id"] = str(caller.login.session_id)
        one_time_tokens.add(
            session,
            self._purpose,
            authority=authority,
            user_id=caller.user.id if caller else None,
            payload=payload,
            now=now,
            expires_at=expires_at,
            secret_hash=hash_secret(secrets_of(secret, public_id).state),
        )
        cookie = f"{secret}{_SEPARATOR}{invitation}" if invitation else secret
        return BegunFlow(url, public_id, cookie, expires_at)

    async def take(self, authority: str, state: str | None, cookie: str | None) -> FoundFlow:
        """The flow that this browser began with this provider; it counts as over from now on, whatever comes of it.

        Raises SignInFlowEnded.
        """
        public_id = public_id_of(state)
        secret, _, invitation = (cookie or "").partition(_SEPARATOR)
        if public_id is None or state is None or not is_secret(secret):
            raise SignInFlowEnded
        secrets = secrets_of(secret, public_id)
        if not hmac.compare_digest(secrets.state, state):
            raise SignInFlowEnded
        # A transaction of its own: no connection waits for the provider, and a refused answer cannot come again.
        async with self._database.session() as session:
            token = await one_time_tokens.consume(session, self._purpose, hash_secret(state), clock.now())
        if token is None or token.authority != authority:
            raise SignInFlowEnded
        return _found(token, secrets, invitation or None)

    async def is_still_asked(self, session: AsyncSession, flow: FoundFlow) -> bool:
        """Whether the session in which the person asked to connect something stands, and the person may act. Nobody
        changes the person until the transaction ends.
        """
        if flow.linking is None or flow.user_id is None:
            return False
        user = await users.lock_user(session, flow.user_id)
        asking = await sessions.find_open(session, flow.linking, clock.now())
        return asking is not None and user is not None and user.state != "disabled"


def new_flow() -> tuple[str, str]:
    """A secret for the cookie, and a public id for its name."""
    return new_secret(), new_id().hex


def public_id_of(state: str | None) -> str | None:
    """The flow a state belongs to; None for what is none of ours."""
    found = _STATE.fullmatch(state or "")
    return found[1] if found else None


def secrets_of(secret: str, public_id: str) -> FlowSecrets:
    """What is derived from a cookie's secret. Each has 256 bits, and none tells anything about another."""
    state, nonce, verifier = (_derived(secret, f"{use} {public_id}") for use in ("state", "nonce", "verifier"))
    return FlowSecrets(f"{public_id}{state}", nonce, verifier)


def _derived(secret: str, use: str) -> str:
    digest = hmac.digest(secret.encode("ascii"), use.encode("ascii"), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _found(token: Token, secrets: FlowSecrets, invitation: str | None) -> FoundFlow:
    linking = token.payload.get("session_id")
    session_id = SessionId(UUID(linking)) if linking else None
    told = token.payload
    about, confirm = told.get("about", {}), told["confirm"]
    return FoundFlow(secrets, told["return_to"], token.issued_at, token.user_id, session_id, invitation, about, confirm)
