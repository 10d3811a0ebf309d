"""The audit trail on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field


class Outcome(StrEnum):
    """Whether it happened or was refused."""

    DONE = "done"
    REFUSED = "refused"


class AuditPerson(BaseModel):
    """What the event knows of a person; empty once their account is erased."""

    user_id: UUID | None
    email: str | None
    ip: str | None
    device: str | None


class AuditEventRead(BaseModel):
    """Something that happened."""

    id: UUID
    mandate_id: UUID
    occurred_at: datetime
    code: str
    outcome: Outcome
    actor_id: UUID | None = Field(description="Who acted; null: the installation itself, or somebody unknown.")
    subject_type: str | None
    subject_id: str | None
    request_id: str | None
    count: int = Field(description="How often within a minute; refusals are joined.")
    details: dict[str, Any]
    person: AuditPerson | None
