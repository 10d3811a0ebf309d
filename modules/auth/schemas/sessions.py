"""Sessions and tokens on the wire."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from modules.auth.schemas.accounts import UserRead


class SessionRead(BaseModel):
    """One sign-in on one device."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    authority: str = Field(description="How it was opened: local (a password here).")
    amr: list[str] = Field(description="What was shown (RFC 8176).")
    authenticated_at: datetime
    device_name: str = Field(description="From the user agent: the client's word.")
    device_id: str | None = Field(description="The X-Device-Id given at the sign-in.")
    ip: str = Field(description="The network it was opened from.")
    location: str = Field(description="City and country of that network, where a database of places is at hand.")
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    current: bool = Field(default=False, description="Whether this very request belongs to it.")


class DeviceRead(BaseModel):
    """A browser that has signed this person in before."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str = Field(description="From the user agent at the last sign-in.")
    created_at: datetime = Field(description="The first sign-in with it.")
    last_used_at: datetime = Field(description="The last sign-in with it.")
    current: bool = Field(default=False, description="Whether this very request comes from it.")


class DeviceList(BaseModel):
    """The browsers a person is known by, the newest first."""

    items: list[DeviceRead]
    next_cursor: None = None


class SessionList(BaseModel):
    """The sessions that stand, the newest first."""

    items: list[SessionRead]
    next_cursor: None = None


class SignedIn(BaseModel):
    """Who signed in, and the session. The tokens are in cookies."""

    user: UserRead
    session: SessionRead
    access_expires_at: datetime = Field(description="Refresh before this moment.")


class SecondFactorWanted(BaseModel):
    """One proof is shown; the sign-in is completed by one of these factors, in this browser, before it expires."""

    factors: list[Literal["totp", "passkey", "backup_code"]]
    expires_at: datetime


class SessionTokens(BaseModel):
    """Tokens for a client without cookies (RFC 6749, section 5.1)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  # the name of the scheme
    expires_in: int = Field(description="Seconds.")
    refresh_token: str


class SteppedUp(SignedIn):
    """The new session; its tokens are in cookies if the request's was."""

    tokens: SessionTokens | None


class RevokedCount(BaseModel):
    """How many sessions ended."""

    revoked: int
