"""The two ceremonies of WebAuthn (level 3): making a passkey and using one. The only file that knows `webauthn`.

What a browser sends is hostile until proven: whatever the library trips over is a refusal. User verification is always
required, so a passkey alone is two factors: the device, and the finger or code that unlocks it.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
import ipaddress
import json
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from modules.auth.factor_errors import PasskeyNotAccepted, PasskeyRefused

_PORTS: Final = {"http": 80, "https": 443}
_TIMEOUT: Final = 300_000
"""Milliseconds the browser waits for the person."""
_LONGEST_CREDENTIAL_ID: Final = 1023
"""Bytes (WebAuthn, section 5.8.3)."""
_TRANSPORTS: Final = frozenset(each.value for each in AuthenticatorTransport)


@dataclass(frozen=True, slots=True)
class KnownPasskey:
    """What a browser is told to find, or not to make again."""

    credential_id: bytes
    transports: Sequence[str]


@dataclass(frozen=True, slots=True)
class MadePasskey:
    """A passkey whose making was proven. `aaguid` names the kind of authenticator."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    aaguid: str
    transports: list[str]
    backed_up: bool
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UsedPasskey:
    """A passkey whose use was proven. `methods` as in RFC 8176."""

    sign_count: int
    backed_up: bool
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PresentedPasskey:
    """What a browser says it used; nothing of it is proven."""

    credential_id: bytes
    user_id: UUID | None


class PasskeyCeremonies:
    """The ceremonies of one site: its domain and its origin come from `[http] public_url` alone."""

    def __init__(self, rp_id: str, origin: str, product: str) -> None:
        self._rp_id = rp_id
        self._origin = origin
        self._product = product

    @classmethod
    def for_url(cls, public_url: str, product: str) -> Self:
        """The site at `public_url`, called `product` in the browser's dialogue."""
        parts = urlsplit(public_url)
        host = (parts.hostname or "").lower()
        name = f"[{host}]" if ":" in host else host
        port = "" if parts.port in {None, _PORTS.get(parts.scheme)} else f":{parts.port}"
        return cls(host, f"{parts.scheme}://{name}{port}", product)

    @property
    def are_possible(self) -> bool:
        """Whether browsers make passkeys here: a site needs a name, and an address is none."""
        try:
            ipaddress.ip_address(self._rp_id)
        except ValueError:
            return True
        return False

    def ask_to_make(
        self, challenge: str, *, user_id: UUID, user_name: str, display_name: str, known: Iterable[KnownPasskey]
    ) -> dict[str, Any]:
        """For `navigator.credentials.create`, as `PublicKeyCredential.parseCreationOptionsFromJSON` takes it."""
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._product,
            user_id=user_id.bytes,
            user_name=user_name,
            user_display_name=display_name or user_name,
            challenge=_bytes(challenge),
            timeout=_TIMEOUT,
            exclude_credentials=_descriptors(known),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        return options_to_json_dict(options)

    def ask_to_use(self, challenge: str, known: Iterable[KnownPasskey] = ()) -> dict[str, Any]:
        """For `navigator.credentials.get`; without `known` passkeys the browser offers every one it has for us."""
        options = generate_authentication_options(
            rp_id=self._rp_id,
            challenge=_bytes(challenge),
            timeout=_TIMEOUT,
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def challenge_of(self, credential: Mapping[str, Any]) -> str | None:
        """The challenge that was answered; None when that cannot be read. Proves nothing."""
        try:
            challenge = _client_data(credential)["challenge"]
        except Exception:  # noqa: BLE001  # hostile input fails in many ways
            return None
        return challenge if isinstance(challenge, str) else None

    def prove_making(self, credential: Mapping[str, Any], challenge: str) -> MadePasskey:
        """The passkey that was made for this challenge. Raises PasskeyNotAccepted."""
        try:
            _refuse_frames(credential)
            made = verify_registration_response(
                credential=dict(credential),
                expected_challenge=_bytes(challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except Exception as error:
            raise PasskeyNotAccepted(pointer="/credential") from error
        if len(made.credential_id) > _LONGEST_CREDENTIAL_ID:
            raise PasskeyNotAccepted(pointer="/credential")
        offered = credential["response"].get("transports") or ()
        return MadePasskey(
            made.credential_id,
            made.credential_public_key,
            made.sign_count,
            made.aaguid,
            sorted(_TRANSPORTS.intersection(offered)),
            made.credential_backed_up,
            _methods(made.credential_device_type),
        )

    def presented(self, credential: Mapping[str, Any]) -> PresentedPasskey:
        """Which passkey the browser says it used, to look for it. Raises PasskeyRefused."""
        try:
            handle = credential["response"].get("userHandle")
            user_id = UUID(bytes=_bytes(handle)) if handle else None
            return PresentedPasskey(_bytes(credential["rawId"]), user_id)
        except Exception as error:
            raise PasskeyRefused from error

    def prove_use(self, credential: Mapping[str, Any], challenge: str, public_key: bytes) -> UsedPasskey:
        """The use of the passkey with this key for this challenge. Raises PasskeyRefused.

        Whether its count went on is for the caller to judge, who knows the count.
        """
        try:
            _refuse_frames(credential)
            used = verify_authentication_response(
                credential=dict(credential),
                expected_challenge=_bytes(challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except Exception as error:
            raise PasskeyRefused from error
        return UsedPasskey(used.new_sign_count, used.credential_backed_up, _methods(used.credential_device_type))


def _methods(device: CredentialDeviceType) -> tuple[str, ...]:
    """A key bound to one device is kept by hardware; one that can be copied to others counts as software's."""
    return ("hwk" if device is CredentialDeviceType.SINGLE_DEVICE else "swk", "user")


def _refuse_frames(credential: Mapping[str, Any]) -> None:
    """A page of somebody else may show ours in a frame, but not have it answer (WebAuthn, section 13.4.2)."""
    client_data = _client_data(credential)
    if client_data.get("crossOrigin") or "topOrigin" in client_data:
        raise ValueError("answered inside a frame of another site")


def _client_data(credential: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(_bytes(credential["response"]["clientDataJSON"])))


def _descriptors(known: Iterable[KnownPasskey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=each.credential_id, transports=[AuthenticatorTransport(name) for name in each.transports]
        )
        for each in known
    ]


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
