"""Sign-ins at providers on the wire."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from modules.auth.schemas.accounts import Secret
from modules.shared.wire import WireModel

ReturnPath = Annotated[str, StringConstraints(max_length=500)]


CONFIRM: Final = "Have the person prove themselves to the provider anew, though they are signed in there."


class ProviderSignInRequest(WireModel):
    """Where to go on afterwards, and what a new account may need."""

    return_to: ReturnPath = Field(default="/console/", description="A path of this installation, with its fragment.")
    invitation: Secret | None = Field(default=None, description="The secret of an invitation's link.")
    confirm: bool = Field(default=False, description=CONFIRM)


class ProviderLinkRequest(WireModel):
    """Where to go on afterwards."""

    return_to: ReturnPath = Field(default="/console/", description="A path of this installation, with its fragment.")


class ProviderRedirect(BaseModel):
    """Where the browser goes to sign in; within ten minutes, and in the browser that asked."""

    url: str
    expires_at: datetime


class IdentityRead(BaseModel):
    """A sign-in at a provider that belongs to the account."""

    id: UUID
    provider: str = Field(description="google, microsoft or oidc:<name>.")
    display_name: str = Field(description="What people call the provider.")
    email: str | None = Field(description="The address the provider last claimed; it decides nothing.")
    linked_at: datetime
    last_used_at: datetime


class OfferedIdentity(BaseModel):
    """A sign-in at a provider that no account has, waiting in this browser to be connected by this person."""

    provider: str
    display_name: str
    email: str | None = Field(description="The address the provider claims.")
    email_proven: bool = Field(description="Whether that is proven; otherwise anybody may have claimed it.")
    expires_at: datetime


class IdentityList(BaseModel):
    """Everything connected with the account, and what could be."""

    items: list[IdentityRead]
    offered: OfferedIdentity | None
