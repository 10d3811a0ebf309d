"""The tables of data connections. Tokens of providers stand here sealed, and nowhere else."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, Text
from sqlalchemy.orm import Mapped, mapped_column

from modules.shared.database import Base

_Moment = DateTime(timezone=True)


class Connection(Base):
    """One account at one provider, lent to one mandate by one of its members. `expires_at` is the access token's."""

    __tablename__ = "connections"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    mandate_id: Mapped[UUID]
    user_id: Mapped[UUID]
    provider: Mapped[str]
    issuer: Mapped[str]
    subject: Mapped[str]
    account: Mapped[str | None]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    offline: Mapped[bool]
    state: Mapped[str]
    sealed_tokens: Mapped[bytes]
    token_id: Mapped[UUID | None]
    expires_at: Mapped[datetime] = mapped_column(_Moment)
    created_at: Mapped[datetime] = mapped_column(_Moment)
    refreshed_at: Mapped[datetime] = mapped_column(_Moment)
    suspended_at: Mapped[datetime | None] = mapped_column(_Moment)


class ConnectionEnding(Base):
    """Tokens of a connection that is gone, to be revoked at the provider. A trigger writes it, whatever deletes."""

    __tablename__ = "connection_endings"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider: Mapped[str]
    issuer: Mapped[str]
    subject: Mapped[str]
    associated: Mapped[bytes]
    sealed_tokens: Mapped[bytes]
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(_Moment)
    ended_at: Mapped[datetime] = mapped_column(_Moment)
