"""A mandate as its people see it, and as the installation's administrators do."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from modules.mandates.login_policy import LoginPolicy, What
from modules.shared.email_address import EmailAddress
from modules.shared.i18n import Language
from modules.shared.merge_patch import MergePatch
from modules.shared.wire import WireModel

MandateName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]


class MandateChoice(BaseModel):
    """A mandate the caller may enter."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slug: str
    name: str
    color: str
    language: Language
    is_root: bool
    wants: What | None = Field(
        default=None,
        description="What the mandate asks of the sign-in that this session lacks; null: it can be entered.",
    )
    wants_one_of: list[str] = Field(
        default_factory=list,
        description="The authorities, directories or domains that would do, where there is a choice.",
    )


class MandateRead(BaseModel):
    """The mandate the request works in."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slug: str
    name: str
    color: str
    language: Language
    is_root: bool
    login_policy: LoginPolicy | None
    version: int
    created_at: datetime


class MandatePatch(MergePatch):
    """What its own people may change of a mandate. `login_policy` is replaced as a whole; null: any sign-in will do."""

    removable: ClassVar[frozenset[str]] = frozenset({"login_policy"})

    name: MandateName | None = None
    color: Color | None = None
    language: Language | None = None
    login_policy: LoginPolicy | None = None


class AdministeredMandate(BaseModel):
    """A mandate in the installation's list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slug: str
    name: str
    color: str
    language: Language
    is_root: bool
    enabled: bool
    disabled_at: datetime | None
    delete_after: datetime | None = Field(
        description="When a deleted mandate is erased; until then it can be restored."
    )
    members: int = Field(description="How many memberships there are, disabled ones included.")
    login_policy: dict[str, Any] | None
    version: int
    created_at: datetime


class MandateCreate(WireModel):
    """A new mandate. `administrator` becomes its first: at once if they have an account, else by invitation."""

    slug: Slug
    name: MandateName
    language: Language = "en"
    color: Color = "#3b6ea5"
    administrator: EmailAddress | None = None


class AdministeredMandatePatch(MergePatch):
    """What the installation's administrators may change of any mandate.

    `login_policy` can only be taken away, for when nobody can meet it any more.
    """

    removable: ClassVar[frozenset[str]] = frozenset({"login_policy"})

    slug: Slug | None = None
    name: MandateName | None = None
    color: Color | None = None
    language: Language | None = None
    login_policy: None = None


MandateSort = Literal["name", "-name", "created_at", "-created_at"]
