"""Data connections on the wire. Tokens never are."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from modules.shared.wire import WireModel

ConnectionSort = Literal["created_at", "-created_at", "provider", "-provider"]


class ConnectionState(StrEnum):
    """Whether a connection can be used."""

    ACTIVE = "active"
    BROKEN = "broken"
    SUSPENDED = "suspended"


class ConnectionRead(BaseModel):
    """An account at a provider, lent to the mandate."""

    id: UUID
    user_id: UUID = Field(description="The owner: the only person for whom it is used.")
    provider: str = Field(description="google, microsoft or oidc:<name>.")
    display_name: str = Field(description="What people call the provider.")
    account: str | None = Field(description="The address the provider told of the account; it decides nothing.")
    scopes: list[str] = Field(description="What the provider granted, which may be less than was asked for.")
    offline: bool = Field(description="Whether the owner agreed to use in their absence.")
    state: ConnectionState = Field(
        description="broken: the provider has ended it, the owner has to connect again. suspended: the owner cannot"
        " work in the mandate at present."
    )
    created_at: datetime
    refreshed_at: datetime = Field(description="When the provider last gave tokens.")


class ConnectionProviderRead(BaseModel):
    """A provider whose data people may connect."""

    name: str = Field(description="google, microsoft or oidc:<name>.")
    display_name: str = Field(description="What people call the provider.")
    scopes: list[str] = Field(description="What is asked for there.")


class ConnectionProviderList(BaseModel):
    """All of them, in the order to draw them; none where nothing is configured."""

    items: list[ConnectionProviderRead]


class ConnectionRequest(WireModel):
    """What the owner agrees to."""

    offline: bool = Field(
        default=False, description="Whether the application may use the account in the owner's absence, too."
    )
