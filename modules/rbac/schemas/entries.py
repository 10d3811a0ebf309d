"""Visits of sysadmins on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.shared.wire import WireModel


class EntryCreate(WireModel):
    """Entering a mandate."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = Field(
        default="",
        description="Why; required where the installation asks for it. The mandate's administrators read it.",
    )


class EntryRead(BaseModel):
    """A visit; it stands until `valid_until` unless `ended_at` says otherwise."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    mandate_id: UUID
    user_id: UUID
    session_id: UUID
    mode: Literal["open", "break_glass"]
    reason: str
    created_at: datetime
    valid_until: datetime
    ended_at: datetime | None
