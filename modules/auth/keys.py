"""The keys of the installation, the ring of them in force, their rows, and what is derived from them.

Every purpose has keys of its own, so a proof made for one is worthless for another. A key moves
`next → signing → verify → retired` and never back. Its row in the database has the secret sealed by the master key.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
import hashlib
import hmac
import re
import secrets
from typing import Final, TypedDict

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from modules.auth.key_errors import SealBroken, SigningKeyMissing, WeakKey
from modules.auth.sealing import SEALING_KEY_BYTES, MasterKey
from modules.shared.ids import SessionId

SECRET_BYTES: Final = 32
_RSA_BITS: Final = 2048
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class KeyPurpose(StrEnum):
    """What a key is for; one key never serves two purposes."""

    ACCESS = "access"
    REFRESH = "refresh"
    WORKSPACE = "workspace"
    TICKET = "ticket"
    DATA = "data"
    CODE = "code"


class KeyState(StrEnum):
    """`next` is published but does not sign yet; `verify` no longer signs; `retired` proves nothing any more."""

    NEXT = "next"
    SIGNING = "signing"
    VERIFY = "verify"
    RETIRED = "retired"


class KeyAlgorithm(StrEnum):
    """The names of RFC 7518; `A256GCM` seals, the others sign."""

    HS256 = "HS256"
    RS256 = "RS256"
    ES256 = "ES256"
    A256GCM = "A256GCM"


_SIGNATURES: Final = (KeyAlgorithm.HS256, KeyAlgorithm.RS256, KeyAlgorithm.ES256)
_ASYMMETRIC: Final = (KeyAlgorithm.RS256, KeyAlgorithm.ES256)

# The first of each is the default. Only what other services verify may be asymmetric.
_ALGORITHMS: Final[dict[KeyPurpose, tuple[KeyAlgorithm, ...]]] = {
    KeyPurpose.ACCESS: _SIGNATURES,
    KeyPurpose.WORKSPACE: _SIGNATURES,
    KeyPurpose.REFRESH: (KeyAlgorithm.HS256,),
    KeyPurpose.TICKET: (KeyAlgorithm.HS256,),
    KeyPurpose.CODE: (KeyAlgorithm.HS256,),
    KeyPurpose.DATA: (KeyAlgorithm.A256GCM,),
}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key, open. `secret` is raw bytes, or a private key as PKCS #8 PEM; only then it has a `public_key` (PEM).

    Raises `WeakKey` when the material is not fit for the algorithm or the algorithm not for the purpose.
    """

    kid: str
    purpose: KeyPurpose
    state: KeyState
    algorithm: KeyAlgorithm
    secret: bytes = field(repr=False)
    public_key: str | None = field(init=False)

    def __post_init__(self) -> None:
        if not _KID.fullmatch(self.kid) or self.algorithm not in _ALGORITHMS[self.purpose]:
            raise WeakKey(kid=self.kid)
        object.__setattr__(self, "public_key", self._derived_public_key())

    def _derived_public_key(self) -> str | None:
        if self.algorithm in _ASYMMETRIC:
            public = _load_private(self).public_key()
            return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
        # AES-256 takes exactly 32 bytes; an HMAC key may be longer (RFC 7518, section 3.2).
        too_long = self.algorithm is KeyAlgorithm.A256GCM and len(self.secret) > SEALING_KEY_BYTES
        if len(self.secret) < SECRET_BYTES or too_long:
            raise WeakKey(kid=self.kid)
        return None


def generate_key(
    purpose: KeyPurpose, state: KeyState = KeyState.NEXT, algorithm: KeyAlgorithm | None = None
) -> SigningKey:
    """A new random key, by default A256GCM for `data`, else HS256. Raises `WeakKey` for an unfit algorithm."""
    chosen = algorithm or _ALGORITHMS[purpose][0]
    # hex: a kid that begins with "-" is a nuisance on command lines
    return SigningKey(secrets.token_hex(8), purpose, state, chosen, _new_material(chosen))


def _new_material(algorithm: KeyAlgorithm) -> bytes:
    match algorithm:
        case KeyAlgorithm.RS256:
            return _private_pem(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS))
        case KeyAlgorithm.ES256:
            return _private_pem(ec.generate_private_key(ec.SECP256R1()))
        case _:
            return secrets.token_bytes(SECRET_BYTES)


def _private_pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_private(key: SigningKey) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    try:
        private = load_pem_private_key(key.secret, password=None)
    except (ValueError, TypeError) as error:
        raise WeakKey(kid=key.kid) from error
    if key.algorithm is KeyAlgorithm.RS256 and isinstance(private, rsa.RSAPrivateKey) and private.key_size >= _RSA_BITS:
        return private
    if (
        key.algorithm is KeyAlgorithm.ES256
        and isinstance(private, ec.EllipticCurvePrivateKey)
        and isinstance(private.curve, ec.SECP256R1)
    ):
        return private
    raise WeakKey(kid=key.kid)


class KeyRing:
    """All keys of the installation at one moment, for every purpose; never changes.

    `number` is the key-set number: it grows with every change of the rows. Raises ValueError for two keys of one `kid`
    or two signing keys of one purpose: the rows must not say so.
    """

    __slots__ = ("_by_kid", "_signing", "keys", "number")

    def __init__(self, number: int, keys: Iterable[SigningKey]) -> None:
        self.number: Final = number
        self.keys: Final = tuple(keys)
        self._by_kid: Final = {key.kid: key for key in self.keys}
        signing = [key for key in self.keys if key.state is KeyState.SIGNING]
        self._signing: Final = {key.purpose: key for key in signing}
        if len(self._by_kid) != len(self.keys) or len(self._signing) != len(signing):
            raise ValueError("a key ring holds each kid once and at most one signing key per purpose")

    def signing(self, purpose: KeyPurpose) -> SigningKey:
        """The key that makes new proofs for `purpose`; raises `SigningKeyMissing`."""
        try:
            return self._signing[purpose]
        except KeyError:
            raise SigningKeyMissing(purpose=purpose.value) from None

    def by_kid(self, kid: str) -> SigningKey | None:
        """The key named `kid`, in whatever state, or None."""
        return self._by_kid.get(kid)

    def verifying(self, purpose: KeyPurpose) -> tuple[SigningKey, ...]:
        """All keys whose proofs for `purpose` still hold.

        That includes `next`: another process may have switched to it already.
        """
        return tuple(key for key in self.keys if key.purpose is purpose and key.state is not KeyState.RETIRED)


def public_key_set(ring: KeyRing) -> dict[str, list[dict[str, str]]]:
    """The JSON Web Key Set (RFC 7517) to verify access tokens with elsewhere; empty while the keys are symmetric."""
    keys = [key for key in ring.verifying(KeyPurpose.ACCESS) if key.algorithm in _ASYMMETRIC]
    return {"keys": [_public_jwk(key) for key in keys]}


def _public_jwk(key: SigningKey) -> dict[str, str]:
    public = _load_private(key).public_key()
    common = {"kid": key.kid, "use": "sig", "alg": key.algorithm.value}
    if isinstance(public, rsa.RSAPublicKey):
        rsa_numbers = public.public_numbers()
        return {"kty": "RSA", **common, "n": _base64url_integer(rsa_numbers.n), "e": _base64url_integer(rsa_numbers.e)}
    point = public.public_numbers()
    # RFC 7518, section 6.2.1.2: coordinates keep their leading zeros
    size = (public.curve.key_size + 7) // 8
    coordinates = {"x": _base64url_integer(point.x, size), "y": _base64url_integer(point.y, size)}
    return {"kty": "EC", "crv": "P-256", **common, **coordinates}


def _base64url_integer(value: int, size: int | None = None) -> str:
    return _base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


class KeyRow(TypedDict):
    """The columns of `signing_keys` that describe the key itself; the times belong to whoever writes the row."""

    kid: str
    purpose: str
    state: str
    algorithm: str
    sealed_secret: bytes
    public_key: str | None


def seal_key(master: MasterKey, key: SigningKey) -> KeyRow:
    """The row of `key`, its secret bound to kid, purpose and algorithm so that rows cannot be mixed."""
    return KeyRow(
        kid=key.kid,
        purpose=key.purpose.value,
        state=key.state.value,
        algorithm=key.algorithm.value,
        sealed_secret=master.seal(key.secret, _key_identity(key.kid, key.purpose, key.algorithm)),
        public_key=key.public_key,
    )


def open_key(master: MasterKey, row: KeyRow) -> SigningKey:
    """The key of `row`. The public half is derived again, never believed; raises `SealBroken` or `WeakKey`."""
    purpose, algorithm = KeyPurpose(row["purpose"]), KeyAlgorithm(row["algorithm"])
    secret = master.open(row["sealed_secret"], _key_identity(row["kid"], purpose, algorithm))
    key = SigningKey(row["kid"], purpose, KeyState(row["state"]), algorithm, secret)
    if key.public_key != row["public_key"]:
        raise SealBroken
    return key


def _key_identity(kid: str, purpose: KeyPurpose, algorithm: KeyAlgorithm) -> bytes:
    return f"signing key\0{purpose}\0{algorithm}\0{kid}".encode()


def new_secret() -> str:
    """32 random bytes as 43 characters of base64url: what a token, a ticket or a flow is proven by."""
    return _base64url(secrets.token_bytes(SECRET_BYTES))


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a `new_secret`."""
    return _SECRET.fullmatch(text) is not None


def hash_secret(secret: str) -> bytes:
    """SHA-256 of a `new_secret` or a refresh successor, for the database. Too fast for passwords and short codes."""
    return hashlib.sha256(_injective_bytes(secret)).digest()


def refresh_successor(key: SigningKey, session_id: SessionId, generation: int, presented: str) -> str:
    """The refresh token after `presented`: the same for whoever presents it, so that a lost answer can be repeated.

    `generation` is that of the presented token. A replay needs the key of the first time: keep its kid with the
    session.
    """
    if key.purpose is not KeyPurpose.REFRESH:
        raise ValueError("a refresh successor needs a refresh key")
    message = session_id.bytes + generation.to_bytes(8, "big") + _injective_bytes(presented)
    return _base64url(hmac.digest(key.secret, message, "sha256"))


def _injective_bytes(text: str) -> bytes:
    """UTF-8 that also takes the lone surrogates JSON can smuggle in: a hostile secret is wrong, not an error."""
    return text.encode("utf-8", "surrogatepass")


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")
