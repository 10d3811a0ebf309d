"""People on the wire: how they register, prove themselves, and what they may change about themselves."""

from datetime import datetime
from functools import cache
from typing import Annotated, ClassVar, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from modules.shared.email_address import EmailAddress
from modules.shared.i18n import Language
from modules.shared.merge_patch import MergePatch
from modules.shared.wire import WireModel

Password = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
"""Any password; whether it is good enough is said by the service, with its reason."""

Secret = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""The secret of a link, as it stands behind the `#`."""

DisplayName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120)]


_zones = cache(available_timezones)  # opens hundreds of files


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("not a time zone of the IANA database")
    return name


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]


class LoginRequest(WireModel):
    """A mail address and the password of its account."""

    email: EmailAddress
    password: Password


class TokenRequest(WireModel):
    """A token request (RFC 6749, sections 4.3 and 6); parameters it does not know are ignored, as section 3.2 asks."""

    model_config = ConfigDict(extra="ignore")

    grant_type: Annotated[str, StringConstraints(max_length=100)] = ""
    username: Annotated[str, StringConstraints(max_length=254)] = ""
    password: Annotated[str, StringConstraints(max_length=1024)] = ""
    refresh_token: Annotated[str, StringConstraints(max_length=200)] = ""
    otp: Annotated[str, StringConstraints(max_length=10)] = ""


class RegisterRequest(WireModel):
    """An account to be made once the address is proven."""

    email: EmailAddress
    password: Password
    display_name: DisplayName = ""
    language: Language | None = Field(default=None, description="Of mails; without it the one of the request.")
    invitation: Secret | None = Field(default=None, description="The secret of an invitation's link.")


class VerifyRequest(WireModel):
    """The secret of the link, and what else proves who opened it."""

    token: Secret
    password: Password | None = Field(default=None, description="Needed in another browser than the registering one.")
    set_up_code: Secret | None = Field(default=None, description="Needed for the very first account.")


class LinkRequest(WireModel):
    """The secret of a link."""

    token: Secret


class AddressRequest(WireModel):
    """A mail address to write to."""

    email: EmailAddress


class PasswordResetConfirm(WireModel):
    """The secret of the link and the new password."""

    token: Secret
    password: Password


class PasswordChange(WireModel):
    """A new password."""

    password: Password


class ProfilePatch(MergePatch):
    """What people change about themselves; absent members stay (RFC 7396)."""

    removable: ClassVar[frozenset[str]] = frozenset({"avatar_url", "language"})

    display_name: DisplayName | None = None
    avatar_url: Annotated[str, StringConstraints(max_length=500, pattern=r"^https://[^\s\"'<>]+$")] | None = None
    language: Language | None = None
    time_zone: TimeZone | None = None


class UserRead(BaseModel):
    """A person as they see themselves, and as administrators of the installation see them."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    slug: str
    email: str
    display_name: str
    avatar_url: str | None
    language: Language | None
    time_zone: str
    state: Literal["verified", "active", "disabled"]
    is_sysadmin: bool
    delete_after: datetime | None = Field(description="When a deleted account is erased; signing in before keeps it.")
    version: int
    created_at: datetime


class Accepted(BaseModel):
    """The same words in every case, so that nobody learns who has an account."""

    message: str


SecondFactorName = Literal["totp", "passkey", "backup_code"]


class SignInMethodRead(BaseModel):
    """One way to sign in."""

    name: str = Field(description="password, magic_link, passkey, google, microsoft or oidc:<name>.")
    kind: Literal["password", "magic_link", "passkey", "provider"] = Field(
        description="What to draw: a form for address and password, one for the address alone, a button that asks the"
        " browser for a passkey, a link to the provider."
    )
    display_name: str = Field(description="For people, in the language asked for.")
    login_path: str = Field(description="Where it begins: a page to open for a provider, else a path to POST to.")


class MethodsRead(BaseModel):
    """How one signs in and registers here."""

    single_user: bool = Field(description="Whether whoever can connect is signed in, as the one local user.")
    product: str = Field(description="What the installation calls itself.")
    methods: list[SignInMethodRead] = Field(description="Ways to sign in, in the order to draw them.")
    second_factors: list[SecondFactorName] = Field(description="What people may set up besides.")
    registration: Literal["open", "invitation", "closed"]
    password_minimum_length: int
    needs_first_account: bool = Field(description="Whether nobody has an account yet.")
    set_up_code_required: bool = Field(description="Whether that first account needs the printed code.")
