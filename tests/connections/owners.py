"""People who connect accounts, and what they ask for afterwards."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI
import httpx

from gateway import DataConnections, RequestContext, require_membership
from modules.connections.service.access_tokens import Connections
from modules.connections.service.endings import ConnectionEndings
from modules.shared.ids import MandateId, SessionId, UserId
from tests.auth.people import Browser, account
from tests.auth.providers import PEER, at_provider, come_back
from tests.support.gateway import BASE_URL, Person, RunningGateway

AnyMember = Annotated[RequestContext, require_membership(accepts_keys=True)]
CONNECT = f"/connections/{PEER}"


@dataclass(frozen=True, slots=True)
class Owner:
    """Somebody with a browser, in a mandate."""

    gateway: RunningGateway
    browser: Browser
    id: UserId
    mandate_id: MandateId
    membership_id: UUID
    email: str

    async def begin(self, provider: str = PEER, *, offline: bool = False) -> httpx.Response:
        return await self.browser.post(f"/connections/{provider}", json={"offline": offline})

    async def connect(self, provider: str = PEER, *, offline: bool = False) -> httpx.Response:
        """All of it."""
        begun = await self.begin(provider, offline=offline)
        assert begun.status_code == 200, begun.text
        return await come_back(self.browser, await at_provider(begun.json()["url"]))

    async def connections(self) -> list[dict[str, Any]]:
        answer = await self.browser.get("/connections")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def ask(self, provider: str = PEER) -> httpx.Response:
        """What a host's handler answers with the token it gets for the caller."""
        return await self.browser.get(f"{BASE_URL}/host/token/{provider}")

    async def token(self) -> str:
        answer = await self.ask()
        assert answer.status_code == 200, answer.text
        return str(answer.json())

    async def code(self) -> tuple[int, str]:
        """How asking for a token is refused."""
        answer = await self.ask()
        return answer.status_code, answer.json()["code"]

    async def background_token(self) -> str:
        """As a host's job gets it."""
        connections = self.gateway.services.get(Connections)
        return await connections.background_access_token(self.mandate_id, self.id, PEER)

    async def in_mandate(self, mandate_id: MandateId) -> "Owner":
        """The same person in another mandate."""
        membership_id = await _join(self.gateway, self.id, mandate_id, "member")
        browser = Browser(self.gateway, **{"X-Mandate-Id": str(mandate_id)})
        assert (await browser.log_in(self.email)).status_code == 200
        return Owner(self.gateway, browser, self.id, mandate_id, membership_id, self.email)


def host() -> FastAPI:
    """A host application whose handler uses the caller's account at a provider."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.get("/host/token/{provider}")
    async def token(context: AnyMember, provider: str, connections: DataConnections) -> str:
        return await connections.access_token(context, provider)

    return app


async def new_owner(gateway: RunningGateway, email: str, mandate_id: MandateId, role: str = "member") -> Owner:
    """A new person in the mandate, signed in."""
    user_id = await account(gateway, email)
    membership_id = await _join(gateway, user_id, mandate_id, role)
    browser = Browser(gateway, **{"X-Mandate-Id": str(mandate_id)})
    assert (await browser.log_in(email)).status_code == 200
    return Owner(gateway, browser, user_id, mandate_id, membership_id, email)


async def _join(gateway: RunningGateway, user_id: UserId, mandate_id: MandateId, role: str) -> UUID:
    return await gateway.join(Person(user_id, "", SessionId(user_id), ""), mandate_id, role)


async def age(gateway: RunningGateway, column: str, by: timedelta) -> None:
    """Move a moment of every connection back."""
    await gateway.sql(f"UPDATE connections SET {column} = {column} - CAST(:by AS interval)", by=by)


async def run_jobs(gateway: RunningGateway) -> None:
    """What a worker does in an hour."""
    endings = gateway.services.get(ConnectionEndings)
    await endings.sweep()
    await endings.revoke_due()
