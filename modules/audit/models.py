"""The tables of the audit trail. No login may change a row of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from modules.shared.database import Base


class AuditEvent(Base):
    """Something that happened, in a mandate; installation-wide events belong to the root mandate. Names people by id
    only.
    """

    __tablename__ = "audit_events"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    code: Mapped[str]
    outcome: Mapped[str]
    actor_id: Mapped[UUID | None]
    subject_type: Mapped[str | None]
    subject_id: Mapped[str | None]
    session_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    count: Mapped[int]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)


class AuditSubject(Base):
    """What an event knows of a person; of the event's mandate, and erased with the account."""

    __tablename__ = "audit_subjects"

    mandate_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None]
    email: Mapped[str | None]
    ip: Mapped[str | None]
    device: Mapped[str | None]
