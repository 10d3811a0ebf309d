"""Invitations on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.mandates.schemas.members import RoleIds
from modules.shared.email_address import EmailAddress
from modules.shared.i18n import Language
from modules.shared.wire import WireModel

InvitationState = Literal["open", "accepted", "revoked", "expired"]
InvitationSort = Literal["created_at", "-created_at", "email", "-email", "expires_at", "-expires_at"]


class InvitationRead(BaseModel):
    """An invitation; whether the address has an account is not said."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    language: Language
    role_ids: list[UUID]
    group_ids: list[UUID]
    state: InvitationState
    invited_by: UUID
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    accepted_by: UUID | None
    revoked_at: datetime | None


class InvitationCreate(WireModel):
    """Whom to invite, and what they get when they accept."""

    email: EmailAddress
    language: Language | None = Field(default=None, description="Of the mail; null: the mandate's.")
    role_ids: RoleIds = Field(default_factory=list)
    group_ids: list[UUID] = Field(default_factory=list, max_length=50)


class InvitationAccept(WireModel):
    """The secret of the mail's link."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
