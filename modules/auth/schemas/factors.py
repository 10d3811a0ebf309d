"""Second factors on the wire. What browsers say about passkeys is as `PublicKeyCredential.toJSON()` writes it."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from modules.auth.schemas.accounts import Password
from modules.shared.wire import WireModel

_BASE64URL = r"^[A-Za-z0-9_-]+={0,2}$"


def _encoded(longest: int) -> StringConstraints:
    return StringConstraints(min_length=1, max_length=longest, pattern=_BASE64URL)


CredentialId = Annotated[str, _encoded(1400)]
ClientData = Annotated[str, _encoded(4096)]

PasskeyName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
TotpCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
BackupCodeText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]


class _FromBrowser(WireModel):
    """Browsers add members as the standard grows."""

    model_config = ConfigDict(extra="ignore")


class AttestationResponse(_FromBrowser):
    """AuthenticatorAttestationResponseJSON (WebAuthn, section 5.1)."""

    clientDataJSON: ClientData  # noqa: N815  # the standard's name
    attestationObject: Annotated[str, _encoded(32_768)]  # noqa: N815
    transports: list[Annotated[str, StringConstraints(max_length=50)]] = Field(default=[], max_length=20)


class AssertionResponse(_FromBrowser):
    """AuthenticatorAssertionResponseJSON (WebAuthn, section 5.1)."""

    clientDataJSON: ClientData  # noqa: N815
    authenticatorData: Annotated[str, _encoded(4096)]  # noqa: N815
    signature: Annotated[str, _encoded(8192)]
    userHandle: Annotated[str, _encoded(100)] | None = None  # noqa: N815


class NewCredential(_FromBrowser):
    """RegistrationResponseJSON."""

    id: CredentialId
    rawId: CredentialId  # noqa: N815
    type: Literal["public-key"]
    response: AttestationResponse


class UsedCredential(_FromBrowser):
    """AuthenticationResponseJSON."""

    id: CredentialId
    rawId: CredentialId  # noqa: N815
    type: Literal["public-key"]
    response: AssertionResponse


class PasskeyOptions(BaseModel):
    """What to ask the browser for."""

    public_key: dict[str, Any] = Field(
        description="For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`."
    )


class PasskeyCreate(WireModel):
    """The passkey the browser made, and what to call it."""

    name: PasskeyName = "Passkey"
    credential: NewCredential


class PasskeyRename(WireModel):
    """What to call it."""

    name: PasskeyName


class PasskeySignInRequest(WireModel):
    """What the browser answered."""

    credential: UsedCredential


class PasskeyRead(BaseModel):
    """A passkey; never its key."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    transports: list[str] = Field(description="How the authenticator is reached: internal, hybrid, usb, nfc, ble.")
    aaguid: str = Field(description="The kind of authenticator.")
    backed_up: bool = Field(description="Whether it is kept in several places, as by a password manager.")
    created_at: datetime
    last_used_at: datetime | None


class PasskeyList(BaseModel):
    """My passkeys, the oldest first."""

    items: list[PasskeyRead]
    next_cursor: None = None


class TotpSeed(BaseModel):
    """For the authenticator app; shown once."""

    secret: str = Field(description="To type in (base32).")
    uri: str = Field(description="The same as an otpauth: address.")
    qr_svg: str = Field(description="The same as a picture: an <svg> element.")


class TotpConfirm(WireModel):
    """A code the app shows."""

    code: TotpCode


class BackupCodeList(BaseModel):
    """Ten codes; shown once."""

    codes: list[str]


class FactorsRead(BaseModel):
    """What I can prove myself with."""

    password: bool
    totp_since: datetime | None = Field(description="Since when an authenticator app counts.")
    passkeys: int = Field(description="How many there are.")
    backup_codes_left: int


class SecondFactorRequest(WireModel):
    """Exactly one of these."""

    totp: TotpCode | None = Field(default=None, description="The code the authenticator app shows.")
    backup_code: BackupCodeText | None = None
    passkey: UsedCredential | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len([name for name in type(self).model_fields if getattr(self, name) is not None]) != 1:
            names = ", ".join(type(self).model_fields)
            raise PydanticCustomError("not_exactly_one", "Exactly one of {names} is needed", {"names": names})
        return self


class StepUpRequest(SecondFactorRequest):
    """Exactly one of these."""

    password: Password | None = None
