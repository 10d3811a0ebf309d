"""Who was given a role, on the wire."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from modules.shared.clock import Moment
from modules.shared.ids import MembershipId
from modules.shared.wire import WireModel


class AssignmentCreate(WireModel):
    """A role for a member, for a time: from `valid_from` until just before `valid_until`."""

    membership_id: MembershipId
    valid_from: Moment | None = Field(
        default=None, description="In the future: the role is given then, if whoever gives it still may. Null: now."
    )
    valid_until: Moment | None = Field(default=None, description="Null: without end.")


class AssignmentRead(BaseModel):
    """A role given to a member, by membership or through an instance, or promised."""

    id: UUID
    state: Literal["held", "scheduled"]
    membership_id: UUID
    user_id: UUID
    instance_id: UUID | None
    valid_from: datetime | None
    valid_until: datetime | None
    granted_by: UUID | None
    created_at: datetime


class AssignmentList(BaseModel):
    """Everybody who holds a role or will."""

    items: list[AssignmentRead]
    next_cursor: None = Field(default=None, description="Always null: the list is complete.")
