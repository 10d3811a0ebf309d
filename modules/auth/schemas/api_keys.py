"""API keys, tickets and introspection on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.shared.clock import Moment
from modules.shared.key_scopes import LONGEST_SCOPE
from modules.shared.wire import WireModel

KeyName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Scope = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_SCOPE)]


class ApiKeyCreate(WireModel):
    """What a new key is for."""

    name: KeyName
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=50,
        description="Which of your rights it may use: `members:read`, `invoices:*`, `*:read`, `introspect`, …",
    )
    mandate_id: UUID | None = Field(default=None, description="The one mandate it is usable in; null: all of yours.")
    expires_at: Moment | None = Field(default=None, description="Its end; null: the latest the installation allows.")


class ApiKeyRead(BaseModel):
    """A key of mine; its secret is never told again."""

    id: UUID
    name: str
    scopes: list[str]
    mandate_id: UUID | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="To the minute.")


class ApiKeyMade(ApiKeyRead):
    """A new key, shown this once."""

    key: str = Field(description="Send it as `Authorization: Bearer mgk_…`.")


class ApiKeyList(BaseModel):
    """My keys, the newest first; those that have expired are among them."""

    items: list[ApiKeyRead]
    next_cursor: None = None


class Introspection(BaseModel):
    """What a token stands for at this moment (RFC 7662, section 2.2); of one that does not stand, `active` alone."""

    model_config = ConfigDict(extra="forbid")

    active: bool
    token_type: Literal["access_token", "refresh_token", "api_key"] | None = None
    sub: UUID | None = Field(default=None, description="The user.")
    jti: UUID | None = None
    sid: UUID | None = Field(default=None, description="The session; of an API key none.")
    scope: str | None = Field(default=None, description="Of an API key: its scopes, between spaces.")
    mandate_id: UUID | None = Field(default=None, description="Of an API key: the one mandate it is usable in.")
    authority: str | None = None
    amr: list[str] | None = None
    auth_time: int | None = None
    iat: int | None = None
    exp: int | None = None
    iss: str | None = None
    aud: str | None = None


class TicketRequest(WireModel):
    """What the ticket is to open, in the mandate (and instance) of the headers."""

    path: Annotated[str, StringConstraints(pattern=r"^/[!-~]*$", max_length=500)] = Field(
        description="The path, without host and query: /api/v1/audit.csv"
    )
    method: Literal["GET", "WEBSOCKET"] = "GET"


class TicketRead(BaseModel):
    """A ticket; it opens its path once, as `?ticket=`."""

    ticket: str
    expires_at: datetime
