"""Mail domains of a mandate, and mandates to join by one, on the wire."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from modules.shared.email_address import EmailDomain
from modules.shared.i18n import Language
from modules.shared.merge_patch import MergePatch
from modules.shared.wire import WireModel

DomainState = Literal["waiting", "verified", "suspended"]
DomainSort = Literal["domain", "-domain", "created_at", "-created_at"]


class DnsRecord(BaseModel):
    """What proves the domain when it stands in its DNS, for as long as people may join."""

    type: Literal["TXT"] = "TXT"
    name: str
    value: str


class DomainRead(BaseModel):
    """A mail domain of the mandate."""

    id: UUID
    domain: str
    state: DomainState = Field(description="suspended: it was proven, and its record has gone.")
    enabled: bool = Field(description="Whether people may join by it, once it is proven.")
    role_id: UUID | None = Field(description="What those who join get; null: membership alone.")
    record: DnsRecord
    offered_by: UUID = Field(description="Who set up the joining last: what that person may give is what is given.")
    verified_at: datetime | None
    checked_at: datetime | None = Field(description="When the record was last looked for.")
    failures: int = Field(description="How often in a row it was not found; joining is suspended at the third time.")
    suspended_at: datetime | None
    version: int
    created_at: datetime


class DomainCreate(WireModel):
    """A domain whose people shall be able to join, and with which role."""

    domain: EmailDomain
    role_id: UUID | None = None


class DomainPatch(MergePatch):
    """Whether people may join, and with which role; null: with none."""

    removable: ClassVar[frozenset[str]] = frozenset({"role_id"})

    enabled: bool | None = None
    role_id: UUID | None = None


class JoinableMandate(BaseModel):
    """A mandate the caller may join by the address that their sign-in proved."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slug: str
    name: str
    color: str
    language: Language


class JoinableMandates(BaseModel):
    """All of them: a domain belongs to one mandate, so there is one at most."""

    items: list[JoinableMandate]
