"""The tables of identity: people, what they prove themselves with, their sessions, and every token ever issued.

Nothing here is bound to a mandate. Secrets stand here as hashes only, keys sealed.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from modules.shared.database import Base

_Moment = DateTime(timezone=True)


class User(Base):
    """A person. `ver` stands in every access token: raising it ends them all."""

    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    email: Mapped[str]
    display_name: Mapped[str] = mapped_column(default="")
    avatar_url: Mapped[str | None]
    language: Mapped[str | None]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    state: Mapped[str]
    is_sysadmin: Mapped[bool] = mapped_column(default=False)
    ver: Mapped[int] = mapped_column(default=1)
    home_mandate_id: Mapped[UUID | None]
    delete_after: Mapped[datetime | None] = mapped_column(_Moment)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(_Moment)


class PasswordCredential(Base):
    """The password of a user, as an argon2id hash."""

    __tablename__ = "password_credentials"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(_Moment)


class Device(Base):
    """A browser that has signed this user in before."""

    __tablename__ = "devices"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    secret_hash: Mapped[bytes]
    name: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(_Moment)
    last_used_at: Mapped[datetime] = mapped_column(_Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(_Moment)


class Identity(Base):
    """Who a user is at a provider: `issuer` and `subject` as the provider's ID token names them."""

    __tablename__ = "identities"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    authority: Mapped[str]
    issuer: Mapped[str]
    subject: Mapped[str]
    tenant: Mapped[str | None]
    email: Mapped[str | None]
    linked_at: Mapped[datetime] = mapped_column(_Moment)
    last_used_at: Mapped[datetime] = mapped_column(_Moment)


class Passkey(Base):
    """A WebAuthn credential of a user; `sign_count` as the authenticator last told it."""

    __tablename__ = "passkeys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    credential_id: Mapped[bytes]
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[str]] = mapped_column(ARRAY(Text))
    aaguid: Mapped[str] = mapped_column(default="")
    backed_up: Mapped[bool] = mapped_column(default=False)
    name: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(_Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(_Moment)


class TotpCredential(Base):
    """The seed of a user's authenticator app, sealed; counts once `confirmed_at` is set."""

    __tablename__ = "totp_credentials"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    sealed_seed: Mapped[bytes]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(_Moment)
    confirmed_at: Mapped[datetime | None] = mapped_column(_Moment)


class BackupCode(Base):
    """One of the codes for the day the other factor is lost, as an argon2id hash."""

    __tablename__ = "backup_codes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    code_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(_Moment)
    used_at: Mapped[datetime | None] = mapped_column(_Moment)


class UserSession(Base):
    """One sign-in on one device.

    `tenant` and `proven_email` are what the sign-in itself proved. `proven_at` is when the authority vouched for the
    person, if that was before `authenticated_at`. `generation` counts its refresh tokens;
    `confirmed_generation` is the newest of which an access token was used, so that its answer cannot have been lost.
    """

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    authority: Mapped[str]
    identity_id: Mapped[UUID | None]
    tenant: Mapped[str | None]
    proven_email: Mapped[str | None]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text))
    authenticated_at: Mapped[datetime] = mapped_column(_Moment)
    proven_at: Mapped[datetime | None] = mapped_column(_Moment)
    device_name: Mapped[str] = mapped_column(default="")
    device_id: Mapped[str | None]
    user_agent: Mapped[str] = mapped_column(default="")
    ip: Mapped[str] = mapped_column(default="")
    location: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(_Moment)
    last_seen_at: Mapped[datetime] = mapped_column(_Moment)
    idle_expires_at: Mapped[datetime] = mapped_column(_Moment)
    expires_at: Mapped[datetime] = mapped_column(_Moment)
    generation: Mapped[int] = mapped_column(default=1)
    confirmed_generation: Mapped[int] = mapped_column(default=0)
    rotated_at: Mapped[datetime] = mapped_column(_Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(_Moment)
    revoked_reason: Mapped[str | None]


class AccessToken(Base):
    """One access token; the id is its `jti`. Partitioned by week."""

    __tablename__ = "access_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    session_id: Mapped[UUID]
    user_id: Mapped[UUID]
    authority: Mapped[str]
    generation: Mapped[int]
    issued_at: Mapped[datetime] = mapped_column(_Moment)
    expires_at: Mapped[datetime] = mapped_column(_Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(_Moment)


class Token(Base):
    """Everything else that proves something once or for a while. `payload` says what, and is never a secret."""

    __tablename__ = "tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    user_id: Mapped[UUID | None]
    session_id: Mapped[UUID | None]
    authority: Mapped[str]
    secret_hash: Mapped[bytes | None]
    parent_hash: Mapped[bytes | None]
    attempts: Mapped[int] = mapped_column(default=0)
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    issued_at: Mapped[datetime] = mapped_column(_Moment)
    expires_at: Mapped[datetime] = mapped_column(_Moment)
    used_at: Mapped[datetime | None] = mapped_column(_Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(_Moment)


class ApiKey(Base):
    """What a token of purpose `api_key` may do: its scopes, cut with its owner's rights on every request.

    `identity_id`, `amr`, `tenant` and `proven_email` are those of the sign-in that made it.
    """

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    bound_mandate_id: Mapped[UUID | None]
    identity_id: Mapped[UUID | None]
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text))
    tenant: Mapped[str | None]
    proven_email: Mapped[str | None]
    last_used_at: Mapped[datetime | None] = mapped_column(_Moment)


class Registration(Base):
    """An account asked for and not proven: no user yet."""

    __tablename__ = "registrations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    password_hash: Mapped[str]
    display_name: Mapped[str] = mapped_column(default="")
    language: Mapped[str]
    flow_hash: Mapped[bytes]
    invitation_hash: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(_Moment)
    expires_at: Mapped[datetime] = mapped_column(_Moment)


class StoredKey(Base):
    """A key of the installation, its secret sealed by the master key."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    state: Mapped[str]
    algorithm: Mapped[str]
    sealed_secret: Mapped[bytes]
    public_key: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(_Moment)
    activated_at: Mapped[datetime | None] = mapped_column(_Moment)
    retired_at: Mapped[datetime | None] = mapped_column(_Moment)
