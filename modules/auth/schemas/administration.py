"""Accounts, tokens and keys as those see them who run the installation."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from modules.auth.schemas.accounts import UserRead
from modules.shared.wire import WireModel


class UserList(BaseModel):
    """Holders of the flag."""

    items: list[UserRead]
    next_cursor: None = None


class TokenRead(BaseModel):
    """One issued token; never its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    purpose: str = Field(description="access, refresh, password_reset, …")
    user_id: UUID | None
    session_id: UUID | None
    authority: str
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class KeyRead(BaseModel):
    """One key of the installation; never its secret."""

    model_config = ConfigDict(from_attributes=True)

    kid: str
    purpose: str
    state: Literal["next", "signing", "verify", "retired"]
    algorithm: str
    public_key: str | None
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None


class KeyList(BaseModel):
    """All keys, the oldest first."""

    items: list[KeyRead]
    next_cursor: None = None


class RotateRequest(WireModel):
    """How to rotate."""

    compromised: bool = Field(
        default=False, description="Retire the present keys at once, and with them every session of the installation."
    )
