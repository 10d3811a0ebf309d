"""Keys: fit for their purpose, sealed in their rows, and what is derived from them."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import hashlib
import os
from pathlib import Path
import stat
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, strategies
import pytest

from modules.auth.key_errors import (
    MasterKeyExposed,
    MasterKeyMalformed,
    MasterKeyMissing,
    SealBroken,
    SigningKeyMissing,
    WeakKey,
)
from modules.auth.keys import (
    KeyAlgorithm,
    KeyPurpose,
    KeyRing,
    KeyState,
    SigningKey,
    generate_key,
    hash_secret,
    new_secret,
    open_key,
    public_key_set,
    refresh_successor,
    seal_key,
)
from modules.auth.sealing import MasterKey, SealingKey
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.shared.ids import SessionId, TokenId, UserId, new_id

MASTER = MasterKey(b"m" * 32)
RSA_KEY = generate_key(KeyPurpose.ACCESS, KeyState.SIGNING, KeyAlgorithm.RS256)
EC_KEY = generate_key(KeyPurpose.ACCESS, KeyState.VERIFY, KeyAlgorithm.ES256)
REFRESH_KEY = generate_key(KeyPurpose.REFRESH, KeyState.SIGNING)
SESSION = SessionId(new_id())


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def from_base64url(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


class TestMasterKey:
    def test_is_made_once_for_its_owner_only(self, tmp_path: Path) -> None:
        path = tmp_path / "new folder" / "master.key"
        sealed = MasterKey.load_or_create(path).seal(b"plain", b"purpose")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.stat().st_size == 32
        assert MasterKey.load_or_create(path).open(sealed, b"purpose") == b"plain"

    def test_is_not_made_where_another_one_has_sealed_already(self, tmp_path: Path) -> None:
        path = tmp_path / "new folder" / "master.key"
        with pytest.raises(MasterKeyMissing) as caught:
            MasterKey.load_or_create(path, sealed_already=True)
        assert list(tmp_path.iterdir()) == []
        assert str(path) in caught.value.describe("en")

    def test_is_the_same_for_all_who_start_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "master.key"
        with ThreadPoolExecutor(8) as threads:
            keys = list(threads.map(lambda _: MasterKey.load_or_create(path), range(32)))
        sealed = keys[0].seal(b"plain", b"")
        assert {key.open(sealed, b"") for key in keys} == {b"plain"}
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o644])
    def test_is_refused_when_others_can_touch_the_file(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "master.key"
        path.write_bytes(b"x" * 32)
        path.chmod(mode)
        with pytest.raises(MasterKeyExposed) as caught:
            MasterKey.load(path)
        assert str(path) in caught.value.describe("de")

    @pytest.mark.parametrize("size", [0, 31, 33, 44])
    def test_is_refused_at_another_length(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "master.key"
        path.write_bytes(b"x" * size)
        path.chmod(0o600)
        with pytest.raises(MasterKeyMalformed):
            MasterKey.load_or_create(path)
        assert path.stat().st_size == size

    def test_is_refused_when_it_is_a_pipe(self, tmp_path: Path) -> None:
        path = tmp_path / "master.key"
        os.mkfifo(path, 0o600)
        with pytest.raises(MasterKeyMalformed):
            MasterKey.load(path)

    def test_is_missing_where_it_is_only_to_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            MasterKey.load(tmp_path / "master.key")


class TestSealing:
    @given(strategies.binary(), strategies.binary())
    def test_opens_what_it_sealed(self, plain: bytes, associated: bytes) -> None:
        assert MASTER.open(MASTER.seal(plain, associated), associated) == plain

    def test_never_seals_twice_alike(self) -> None:
        assert MASTER.seal(b"plain", b"") != MASTER.seal(b"plain", b"")

    def test_opens_only_for_what_it_was_sealed_for(self) -> None:
        with pytest.raises(SealBroken):
            MASTER.open(MASTER.seal(b"plain", b"one"), b"other")

    def test_opens_only_with_the_same_key(self) -> None:
        with pytest.raises(SealBroken):
            SealingKey(b"o" * 32).open(MASTER.seal(b"plain", b""), b"")

    @pytest.mark.parametrize("position", [0, 1, 12, 13, 17, -1])
    def test_notices_every_change(self, position: int) -> None:
        sealed = bytearray(MASTER.seal(b"plain", b""))
        sealed[position] ^= 1
        with pytest.raises(SealBroken):
            MASTER.open(bytes(sealed), b"")

    @given(strategies.binary(max_size=60))
    def test_refuses_anything_else(self, sealed: bytes) -> None:
        with pytest.raises(SealBroken):
            MASTER.open(sealed, b"")

    @pytest.mark.parametrize("size", [0, 16, 24, 31, 33])
    def test_needs_256_bits(self, size: int) -> None:
        with pytest.raises(ValueError, match="32 bytes"):
            SealingKey(b"x" * size)


class TestSigningKey:
    @pytest.mark.parametrize("purpose", KeyPurpose)
    def test_is_generated_random_for_every_purpose(self, purpose: KeyPurpose) -> None:
        one, other = generate_key(purpose), generate_key(purpose)
        assert (one.purpose, one.state, len(one.secret)) == (purpose, KeyState.NEXT, 32)
        assert one.kid != other.kid
        assert one.secret != other.secret

    @pytest.mark.parametrize("size", [0, 1, 31])
    @pytest.mark.parametrize("purpose", KeyPurpose)
    def test_of_less_than_32_bytes_is_refused(self, purpose: KeyPurpose, size: int) -> None:
        with pytest.raises(WeakKey):
            replace(generate_key(purpose), secret=b"x" * size)

    @pytest.mark.parametrize(
        ("algorithm", "private"),
        [
            pytest.param(KeyAlgorithm.RS256, rsa.generate_private_key(65537, 1024), id="short modulus"),  # noqa: S505 - that is the point
            pytest.param(KeyAlgorithm.RS256, ec.generate_private_key(ec.SECP256R1()), id="curve for RSA"),
            pytest.param(KeyAlgorithm.ES256, ec.generate_private_key(ec.SECP384R1()), id="another curve"),
            pytest.param(KeyAlgorithm.ES256, rsa.generate_private_key(65537, 2048), id="RSA for a curve"),
        ],
    )
    def test_of_another_kind_is_refused(
        self, algorithm: KeyAlgorithm, private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    ) -> None:
        with pytest.raises(WeakKey):
            SigningKey("k", KeyPurpose.ACCESS, KeyState.NEXT, algorithm, pem(private))

    def test_that_is_no_pem_is_refused(self) -> None:
        with pytest.raises(WeakKey):
            SigningKey("k", KeyPurpose.ACCESS, KeyState.NEXT, KeyAlgorithm.RS256, b"x" * 32)

    @pytest.mark.parametrize(
        ("purpose", "algorithm"),
        [
            (KeyPurpose.REFRESH, KeyAlgorithm.RS256),
            (KeyPurpose.CODE, KeyAlgorithm.A256GCM),
            (KeyPurpose.DATA, KeyAlgorithm.HS256),
            (KeyPurpose.ACCESS, KeyAlgorithm.A256GCM),
        ],
    )
    def test_of_an_algorithm_its_purpose_does_not_use_is_refused(
        self, purpose: KeyPurpose, algorithm: KeyAlgorithm
    ) -> None:
        with pytest.raises(WeakKey):
            generate_key(purpose, algorithm=algorithm)

    @pytest.mark.parametrize("kid", ["", "a b", "a\0b", "x" * 65, "é"])
    def test_of_an_odd_name_is_refused(self, kid: str) -> None:
        with pytest.raises(WeakKey):
            replace(REFRESH_KEY, kid=kid)

    def test_does_not_show_its_secret(self) -> None:
        assert "PRIVATE" not in repr(RSA_KEY)
        assert repr(REFRESH_KEY.secret) not in repr(REFRESH_KEY)


class TestKeyRing:
    def test_finds_the_signing_key_of_a_purpose(self) -> None:
        ring = KeyRing(7, [EC_KEY, RSA_KEY, REFRESH_KEY])
        assert ring.number == 7
        assert ring.signing(KeyPurpose.ACCESS) is RSA_KEY
        assert ring.signing(KeyPurpose.REFRESH) is REFRESH_KEY

    @pytest.mark.parametrize("state", [KeyState.NEXT, KeyState.VERIFY, KeyState.RETIRED])
    def test_signs_with_no_key_in_another_state(self, state: KeyState) -> None:
        with pytest.raises(SigningKeyMissing):
            KeyRing(1, [replace(REFRESH_KEY, state=state)]).signing(KeyPurpose.REFRESH)

    def test_finds_a_key_by_its_name(self) -> None:
        ring = KeyRing(1, [RSA_KEY, replace(EC_KEY, state=KeyState.RETIRED)])
        assert ring.by_kid(RSA_KEY.kid) is RSA_KEY
        assert ring.by_kid(EC_KEY.kid) is not None
        assert ring.by_kid("elsewhere") is None

    def test_refuses_a_name_given_twice(self) -> None:
        with pytest.raises(ValueError, match="once"):
            KeyRing(1, [RSA_KEY, replace(EC_KEY, kid=RSA_KEY.kid)])

    def test_refuses_two_signing_keys_of_one_purpose(self) -> None:
        with pytest.raises(ValueError, match="once"):
            KeyRing(1, [RSA_KEY, replace(EC_KEY, state=KeyState.SIGNING)])


class TestKeyRow:
    @pytest.mark.parametrize("key", [RSA_KEY, EC_KEY, REFRESH_KEY, generate_key(KeyPurpose.DATA)])
    def test_opens_to_the_same_key(self, key: SigningKey) -> None:
        row = seal_key(MASTER, key)
        assert open_key(MASTER, row) == key
        assert key.secret not in row["sealed_secret"]

    @pytest.mark.parametrize(
        "change", [{"kid": "other"}, {"purpose": "ticket"}, {"public_key": EC_KEY.public_key}, {"sealed_secret": b""}]
    )
    def test_is_refused_when_a_column_was_exchanged(self, change: dict[str, object]) -> None:
        row = seal_key(MASTER, REFRESH_KEY)
        with pytest.raises(SealBroken):
            open_key(MASTER, {**row, **change})  # type: ignore[typeddict-item]

    def test_is_refused_when_the_algorithm_was_exchanged(self) -> None:
        row = seal_key(MASTER, RSA_KEY)
        row["algorithm"] = "HS256"
        with pytest.raises(SealBroken):
            open_key(MASTER, row)

    def test_is_refused_when_the_public_half_was_exchanged(self) -> None:
        row = seal_key(MASTER, EC_KEY)
        row["public_key"] = RSA_KEY.public_key
        with pytest.raises(SealBroken):
            open_key(MASTER, row)

    def test_may_change_its_state(self) -> None:
        row = seal_key(MASTER, REFRESH_KEY)
        row["state"] = "verify"
        assert open_key(MASTER, row).state is KeyState.VERIFY


class TestPublicKeySet:
    def test_verifies_an_rsa_signature_elsewhere(self) -> None:
        jwk = public_key_set(KeyRing(1, [RSA_KEY]))["keys"][0]
        modulus, exponent = (int.from_bytes(from_base64url(jwk[name]), "big") for name in ("n", "e"))
        signing_input, _, signature = _token(RSA_KEY).rpartition(".")
        rsa.RSAPublicNumbers(exponent, modulus).public_key().verify(
            from_base64url(signature), signing_input.encode(), padding.PKCS1v15(), hashes.SHA256()
        )

    def test_verifies_an_elliptic_signature_elsewhere(self) -> None:
        key = replace(EC_KEY, state=KeyState.SIGNING)
        jwk = public_key_set(KeyRing(1, [key]))["keys"][0]
        x, y = (int.from_bytes(from_base64url(jwk[name]), "big") for name in ("x", "y"))
        signing_input, _, signature = _token(key).rpartition(".")
        raw = from_base64url(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        public.verify(der, signing_input.encode(), ec.ECDSA(hashes.SHA256()))

    def test_keeps_the_leading_zeros_of_a_point(self) -> None:
        keys = [generate_key(KeyPurpose.ACCESS, algorithm=KeyAlgorithm.ES256) for _ in range(400)]
        jwks = public_key_set(KeyRing(1, keys))["keys"]
        assert {len(from_base64url(jwk["x"])) for jwk in jwks} == {32}
        assert any(from_base64url(jwk["x"])[0] == 0 or from_base64url(jwk["y"])[0] == 0 for jwk in jwks)

    def test_names_every_living_key_and_nothing_private(self) -> None:
        following = replace(generate_key(KeyPurpose.ACCESS, algorithm=KeyAlgorithm.ES256), state=KeyState.NEXT)
        retired = replace(generate_key(KeyPurpose.ACCESS, algorithm=KeyAlgorithm.ES256), state=KeyState.RETIRED)
        keys = public_key_set(KeyRing(1, [RSA_KEY, EC_KEY, following, retired]))["keys"]
        assert [key["kid"] for key in keys] == [RSA_KEY.kid, EC_KEY.kid, following.kid]
        assert set(keys[0]) == {"kty", "kid", "use", "alg", "n", "e"}
        assert set(keys[1]) == {"kty", "kid", "use", "alg", "crv", "x", "y"}

    def test_is_empty_while_the_keys_are_symmetric_or_not_for_access(self) -> None:
        workspace = generate_key(KeyPurpose.WORKSPACE, algorithm=KeyAlgorithm.ES256)
        assert public_key_set(KeyRing(1, [generate_key(KeyPurpose.ACCESS), workspace])) == {"keys": []}


class TestSecret:
    def test_is_256_random_bits_for_urls(self) -> None:
        secrets = {new_secret() for _ in range(100)}
        assert len(secrets) == 100
        assert {len(from_base64url(secret)) for secret in secrets} == {32}

    def test_is_kept_as_sha_256(self) -> None:
        assert hash_secret("abc") == hashlib.sha256(b"abc").digest()

    def test_with_a_lone_surrogate_is_wrong_and_no_error(self) -> None:
        assert hash_secret("\ud800") != hash_secret("?")


class TestRefreshSuccessor:
    def test_is_the_same_for_whoever_presents_the_parent(self) -> None:
        first = new_secret()
        successor = refresh_successor(REFRESH_KEY, SESSION, 1, first)
        assert refresh_successor(REFRESH_KEY, SESSION, 1, first) == successor
        assert len(successor) == len(first) == 43

    def test_is_another_for_every_key_session_generation_and_parent(self) -> None:
        first = new_secret()
        successors = {
            refresh_successor(REFRESH_KEY, SESSION, 1, first),
            refresh_successor(generate_key(KeyPurpose.REFRESH), SESSION, 1, first),
            refresh_successor(REFRESH_KEY, SessionId(new_id()), 1, first),
            refresh_successor(REFRESH_KEY, SESSION, 2, first),
            refresh_successor(REFRESH_KEY, SESSION, 1, new_secret()),
        }
        assert len(successors) == 5

    def test_follows_the_written_formula(self) -> None:
        """HMAC-SHA256(key, sid ‖ generation ‖ parent), calculated elsewhere: no release may end everybody's session."""
        key = replace(REFRESH_KEY, secret=bytes(range(32)))
        session = SessionId(UUID(int=1))
        assert refresh_successor(key, session, 1, "parent") == "ZtBUg9Jko107fIcBBdO6hO_RMnSoNBojyW9bzsiiKmk"

    def test_takes_any_text_for_a_parent(self) -> None:
        assert refresh_successor(REFRESH_KEY, SESSION, 1, "\ud800é")

    def test_needs_a_key_of_its_purpose(self) -> None:
        with pytest.raises(ValueError, match="refresh key"):
            refresh_successor(generate_key(KeyPurpose.ACCESS), SESSION, 1, "parent")


def _token(key: SigningKey) -> str:
    claims = AccessTokenClaims(UserId(new_id()), SESSION, TokenId(new_id()), 1, 2, 1, ("pwd",), 0)
    return SignedTokens(KeyRing(1, [key]), "issuer", "audience").issue(claims)
