"""Groups on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.shared.merge_patch import MergePatch
from modules.shared.wire import WireModel

GroupName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
GroupSort = Literal["name", "-name", "created_at", "-created_at"]
GroupMemberSort = Literal["display_name", "-display_name", "email", "-email"]


class GroupRead(BaseModel):
    """A group of members."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    members: int = Field(description="How many members are in it.")
    version: int
    created_at: datetime


class GroupCreate(WireModel):
    """A new, empty group."""

    name: GroupName


class GroupPatch(MergePatch):
    """A group's new name."""

    name: GroupName | None = None


class GroupMemberRead(BaseModel):
    """A member of a group."""

    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    email: str
    display_name: str
