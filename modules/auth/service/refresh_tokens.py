"""The form of refresh tokens: the session, a secret, and a tag that proves we made it.

The secret's hash in the database decides. The tag is asked only when the hash says no: an old token of ours means theft
and ends its session, while a made-up one, for a session id somebody read, means nothing.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
import hmac
import re
from typing import Final
from uuid import UUID

from modules.auth.keys import KeyPurpose, KeyRing, SigningKey, hash_secret, new_secret, refresh_successor
from modules.shared.ids import SessionId

_FORM: Final = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{22})")
_TAG_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token taken apart."""

    session_id: SessionId
    secret: str
    tag: str

    @property
    def secret_hash(self) -> bytes:
        """What the database knows of it."""
        return hash_secret(self.secret)

    def __str__(self) -> str:
        return f"{_base64url(self.session_id.bytes)}.{self.secret}.{self.tag}"


def parse_refresh_token(text: str) -> RefreshToken | None:
    """Take a presented token apart; None when it has not the form of one."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    session_id = UUID(bytes=urlsafe_b64decode(f"{match[1]}=="))
    return RefreshToken(SessionId(session_id), match[2], match[3])


def first_refresh_token(ring: KeyRing, session_id: SessionId) -> RefreshToken:
    """The random first token of a session."""
    return _tagged(ring.signing(KeyPurpose.REFRESH), session_id, new_secret())


def next_refresh_token(key: SigningKey, presented: RefreshToken, generation: int) -> RefreshToken:
    """The one token that follows `presented`, which is of that generation."""
    secret = refresh_successor(key, presented.session_id, generation, presented.secret)
    return _tagged(key, presented.session_id, secret)


def is_genuine(ring: KeyRing, token: RefreshToken) -> bool:
    """Whether we made the token, however long ago its key signed."""
    keys = ring.verifying(KeyPurpose.REFRESH)
    return any(hmac.compare_digest(_tag(key, token.session_id, token.secret), token.tag) for key in keys)


def _tagged(key: SigningKey, session_id: SessionId, secret: str) -> RefreshToken:
    return RefreshToken(session_id, secret, _tag(key, session_id, secret))


def _tag(key: SigningKey, session_id: SessionId, secret: str) -> str:
    message = b"refresh tag\0" + session_id.bytes + secret.encode("ascii")
    return _base64url(hmac.digest(key.secret, message, "sha256")[:_TAG_BYTES])


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode("ascii")
