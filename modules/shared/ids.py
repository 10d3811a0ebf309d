"""Distinct types for every id, so that a signature says which it takes. All are UUIDv7 (RFC 9562, section 5.7)."""

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
TokenId = NewType("TokenId", UUID)
MandateId = NewType("MandateId", UUID)
MembershipId = NewType("MembershipId", UUID)
GroupId = NewType("GroupId", UUID)
InstanceId = NewType("InstanceId", UUID)
InvitationId = NewType("InvitationId", UUID)
DomainId = NewType("DomainId", UUID)
RoleId = NewType("RoleId", UUID)
RuleId = NewType("RuleId", UUID)


def new_id() -> UUID:
    """A new UUIDv7: sortable by creation time (milliseconds), random in the rest."""
    return uuid7()
