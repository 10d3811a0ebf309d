"""Access tokens: JSON Web Tokens (RFC 7519, typed as in RFC 9068). Only this file speaks to python-jose.

`SignedTokens.verify` guards the library: form, header, one key and one algorithm are settled before it is called, the
claims after. A token that passes is genuine, not necessarily in force: the database is asked on every request.
"""

import base64
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
import hashlib
import json
import re
from threading import Lock
import time
from typing import Final, NoReturn
from uuid import UUID

from jose import jwk, jws
from jose.backends.base import Key

from modules.auth.errors import InvalidToken, UnknownKey
from modules.auth.keys import KeyPurpose, KeyRing, KeyState, SigningKey
from modules.shared.ids import SessionId, TokenId, UserId

MAXIMUM_TOKEN_LENGTH: Final = 4096
MAXIMUM_LEEWAY_SECONDS: Final = 5
MEMO_ENTRIES: Final = 20_000

_TYPE: Final = "at+jwt"
_HEADER_PARAMETERS: Final = frozenset({"alg", "kid", "typ"})
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Ours need three: two objects and one list. Counting is enough: nothing nests deeper than it has brackets.
_MAXIMUM_BRACKETS: Final = 16
_MAXIMUM_METHODS: Final = 10
_MAXIMUM_METHOD_LENGTH: Final = 32
_END_OF_TIME: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second a `datetime` can hold


@dataclass(frozen=True, slots=True)
class AccessTokenClaims:
    """What an access token says: identity only. Times are seconds since 1970; `amr` names the methods (RFC 8176).

    Everything about the session is a copy that decides nothing. `ver` is the user's version at the time: "log out
    everywhere" raises it.
    """

    user_id: UserId
    session_id: SessionId
    token_id: TokenId
    issued_at: int
    expires_at: int
    auth_time: int
    amr: tuple[str, ...]
    ver: int


class SignedTokens:
    """Issues and verifies access tokens with the access keys of a ring, for one issuer and one audience.

    Verified signatures are remembered until `exp`, at most `MEMO_ENTRIES` of them. Safe to call from several threads.
    """

    def __init__(
        self,
        key_ring: KeyRing,
        issuer: str,
        audience: str,
        *,
        leeway: int = MAXIMUM_LEEWAY_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not 0 <= leeway <= MAXIMUM_LEEWAY_SECONDS:
            raise ValueError(f"leeway is at most {MAXIMUM_LEEWAY_SECONDS} seconds")
        self._keys = _AccessKeys(key_ring)
        self._memo = _VerifiedTokens()
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway
        self._now = now

    @property
    def key_set_number(self) -> int:
        """The number of the key ring in use."""
        return self._keys.number

    def use_keys(self, key_ring: KeyRing) -> None:
        """Take a newer ring and forget all verified signatures. One that is not newer came late and is ignored."""
        if key_ring.number > self._keys.number:
            self._keys = _AccessKeys(key_ring)
            self._memo.clear()

    def issue(self, claims: AccessTokenClaims) -> str:
        """A token signed by the access key in force; raises `SigningKeyMissing` when there is none."""
        key, signer = self._keys.signing()
        payload = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(claims.user_id),
            "sid": str(claims.session_id),
            "jti": str(claims.token_id),
            "iat": claims.issued_at,
            "nbf": claims.issued_at,
            "exp": claims.expires_at,
            "auth_time": claims.auth_time,
            "amr": list(claims.amr),
            "ver": claims.ver,
        }
        header = {"typ": _TYPE, "kid": key.kid}
        return str(jws.sign(payload, signer, headers=header, algorithm=key.algorithm.value))

    def verify(self, token: str) -> AccessTokenClaims:
        """The claims of a token that is well-formed, signed by a key of ours and within its time.

        Raises `UnknownKey` when it names a key this ring does not hold, `InvalidToken` for everything else. Not
        checked: whether the session, the user or the token's row still stands.
        """
        try:
            return self._verify(token)
        except InvalidToken:
            raise
        # Whatever a hostile token provokes below, RecursionError included, is a refusal and no failure of the request.
        except Exception as error:
            raise InvalidToken from error

    def _verify(self, token: str) -> AccessTokenClaims:
        if len(token) > MAXIMUM_TOKEN_LENGTH:
            raise InvalidToken
        keys = self._keys
        now = self._now()
        name = hashlib.sha256(b"%d\0%s" % (keys.number, token.encode("ascii"))).digest()
        remembered = self._memo.find(name, now)
        if remembered is not None:
            return remembered
        claims = self._claims(_verified_payload(token, keys), now)
        self._memo.remember(name, claims, now)
        return claims

    def _claims(self, payload: bytes, now: float) -> AccessTokenClaims:
        claims = _json_object(payload)
        if claims["iss"] != self._issuer or claims["aud"] != self._audience:
            raise InvalidToken
        issued_at, not_before, expires_at = (_natural_number(claims[name]) for name in ("iat", "nbf", "exp"))
        latest = now + self._leeway
        if issued_at > latest or not_before > latest or expires_at <= now - self._leeway:
            raise InvalidToken
        if expires_at <= issued_at or expires_at <= not_before:
            raise InvalidToken
        return AccessTokenClaims(
            user_id=UserId(_identifier(claims["sub"])),
            session_id=SessionId(_identifier(claims["sid"])),
            token_id=TokenId(_identifier(claims["jti"])),
            issued_at=issued_at,
            expires_at=expires_at,
            auth_time=_natural_number(claims["auth_time"]),
            amr=_methods(claims["amr"]),
            ver=_natural_number(claims["ver"]),
        )


class _AccessKeys:
    """The access keys of a ring as python-jose wants them, each built once and for its own algorithm only."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring: Final = ring
        self.number: Final = ring.number
        self._verifiers: Final = {
            key.kid: (key.algorithm.value, jwk.construct(key.public_key or key.secret, key.algorithm.value))
            for key in ring.verifying(KeyPurpose.ACCESS)
        }
        self._signers: Final = {
            key.kid: jwk.construct(key.secret, key.algorithm.value)
            for key in ring.verifying(KeyPurpose.ACCESS)
            if key.state is KeyState.SIGNING
        }

    def signing(self) -> tuple[SigningKey, Key]:
        key = self.ring.signing(KeyPurpose.ACCESS)
        return key, self._signers[key.kid]

    def verifier(self, kid: str) -> tuple[str, Key]:
        """Algorithm and key of `kid`. One that is retired or of another purpose is refused, but not unknown."""
        found = self._verifiers.get(kid)
        if found is None:
            raise InvalidToken if self.ring.by_kid(kid) else UnknownKey
        return found


class _VerifiedTokens:
    """The claims of tokens whose signature was right, least recently used first out; each until its `exp`."""

    def __init__(self) -> None:
        self._claims: OrderedDict[bytes, AccessTokenClaims] = OrderedDict()
        self._lock = Lock()

    def find(self, name: bytes, now: float) -> AccessTokenClaims | None:
        with self._lock:
            claims = self._claims.get(name)
            if claims is None:
                return None
            if claims.expires_at <= now:
                del self._claims[name]
                return None
            self._claims.move_to_end(name)
            return claims

    def remember(self, name: bytes, claims: AccessTokenClaims, now: float) -> None:
        if claims.expires_at <= now:
            return
        with self._lock:
            self._claims[name] = claims
            if len(self._claims) > MEMO_ENTRIES:
                self._claims.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._claims.clear()

    def __len__(self) -> int:
        return len(self._claims)


def _verified_payload(token: str, keys: _AccessKeys) -> bytes:
    """The guard: everything python-jose would let through is refused before it is asked for the signature."""
    if not _TOKEN.fullmatch(token):
        raise InvalidToken
    header, _, _ = [_decoded_part(part) for part in token.split(".")]
    parameters = _json_object(header)
    # Exactly these three: `crit`, `jku`, `jwk`, `x5u` and the like would ask us to understand or fetch something.
    if parameters.keys() != _HEADER_PARAMETERS or parameters["typ"] != _TYPE:
        raise InvalidToken
    kid = parameters["kid"]
    if not isinstance(kid, str):
        raise InvalidToken
    algorithm, key = keys.verifier(kid)
    if parameters["alg"] != algorithm:
        raise InvalidToken
    verified = jws.verify(token, key, algorithms=[algorithm])
    if not isinstance(verified, bytes):
        raise InvalidToken
    return verified


def _decoded_part(part: str) -> bytes:
    """The bytes of one part, which must be their only spelling: no padding, no spare bits (RFC 7515, section 2)."""
    encoded = part.encode("ascii")
    try:
        decoded = base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    except Base64Error as error:
        raise InvalidToken from error
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != encoded:
        raise InvalidToken
    return decoded


def _json_object(document: bytes) -> dict[str, object]:
    """A flat JSON object in UTF-8 that names each member once and knows no NaN."""
    if document.count(b"{") + document.count(b"[") > _MAXIMUM_BRACKETS:
        raise InvalidToken
    decoded = _DECODER.decode(document.decode("utf-8"))
    if not isinstance(decoded, dict):
        raise InvalidToken
    return decoded


def _members_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidToken
    return members


def _refuse_constant(_constant: str) -> NoReturn:
    raise InvalidToken


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_members_once, parse_constant=_refuse_constant)


def _natural_number(value: object) -> int:
    # `type`, not isinstance: true and false are instances of int
    if type(value) is not int or not 0 <= value <= _END_OF_TIME:
        raise InvalidToken
    return value


def _identifier(value: object) -> UUID:
    if not isinstance(value, str):
        raise InvalidToken
    identifier = UUID(value)
    if str(identifier) != value:
        raise InvalidToken
    return identifier


def _methods(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MAXIMUM_METHODS:
        raise InvalidToken
    if not all(isinstance(method, str) and 0 < len(method) <= _MAXIMUM_METHOD_LENGTH for method in value):
        raise InvalidToken
    return tuple(value)
