"""Codes of authenticator apps (RFC 6238): six digits that change every half minute. Knows `pyotp` and `segno` alone."""

import base64
from datetime import datetime
import hmac
import secrets
from typing import Final

import pyotp
import segno

SECONDS: Final = 30
_SEED_BYTES: Final = 20
"""RFC 4226, section 4: 160 bits are recommended."""
_WINDOW: Final = (-1, 0, 1)


def new_seed() -> bytes:
    """What the app and we both keep."""
    return secrets.token_bytes(_SEED_BYTES)


def seed_as_text(seed: bytes) -> str:
    """The seed as people type it into an app that sees no picture."""
    return base64.b32encode(seed).decode("ascii").rstrip("=")


def provisioning_uri(seed: bytes, account: str, product: str) -> str:
    """The `otpauth:` address that apps understand."""
    return pyotp.TOTP(seed_as_text(seed)).provisioning_uri(name=account, issuer_name=product)


def qr_code(uri: str) -> str:
    """The address as a picture: an `<svg>` element that takes the size of its place."""
    return segno.make(uri, error="m", micro=False).svg_inline(omitsize=True, border=4, dark="#000", light="#fff")


def matching_step(seed: bytes, code: str, now: datetime, *, after: int) -> int | None:
    """The time step whose code this is: the present one or its neighbours, later than `after`. None when it is none."""
    totp = pyotp.TOTP(seed_as_text(seed), interval=SECONDS)
    present = totp.timecode(now)
    steps = [present + offset for offset in _WINDOW]
    matching = [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())]
    return next((step for step in matching if step > after), None)
