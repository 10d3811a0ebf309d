"""Access tokens: what we issue is read back, and everything anybody could make of it is refused in one way."""

import base64
from collections.abc import Callable
from dataclasses import replace
import hmac
from itertools import permutations
import json
import subprocess
import sys
from time import perf_counter
from uuid import UUID, uuid4

from hypothesis import given, settings, strategies
from jose import jwk, jws
import pytest

from modules.auth import signed_tokens
from modules.auth.errors import InvalidToken, UnknownKey
from modules.auth.key_errors import SigningKeyMissing
from modules.auth.keys import KeyAlgorithm, KeyPurpose, KeyRing, KeyState, SigningKey, generate_key
from modules.auth.signed_tokens import AccessTokenClaims, SignedTokens
from modules.shared.ids import SessionId, TokenId, UserId

ISSUER = "https://gateway.example"
AUDIENCE = "mandate-gateway"
NOW = 1_800_000_000
KEYS = {
    algorithm: generate_key(KeyPurpose.ACCESS, KeyState.SIGNING, algorithm)
    for algorithm in (KeyAlgorithm.HS256, KeyAlgorithm.RS256, KeyAlgorithm.ES256)
}
KEY = KEYS[KeyAlgorithm.HS256]
RSA_KEY = KEYS[KeyAlgorithm.RS256]
CLAIMS = AccessTokenClaims(
    user_id=UserId(UUID("01a1fdb8-c3ad-74ad-b7e3-0e7fd8b36ef3")),
    session_id=SessionId(UUID("01a1fdb8-c3ad-74ad-b7e3-0e7fd8b36ef4")),
    token_id=TokenId(UUID("01a1fdb8-c3ad-74ad-b7e3-0e7fd8b36ef5")),
    issued_at=NOW,
    expires_at=NOW + 600,
    auth_time=NOW - 5000,
    amr=("pwd", "otp"),
    ver=3,
)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, at: float = NOW + 1) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def tokens_of(*keys: SigningKey, number: int = 1, at: float = NOW + 1) -> SignedTokens:
    return SignedTokens(KeyRing(number, keys), ISSUER, AUDIENCE, now=Clock(at))


TOKENS = tokens_of(KEY)
TOKEN = TOKENS.issue(CLAIMS)


def encoded(value: bytes | object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def header(**changes: object) -> dict[str, object]:
    return {"alg": "HS256", "typ": "at+jwt", "kid": KEY.kid} | changes


def payload(**changes: object) -> dict[str, object]:
    part = TOKEN.split(".")[1]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims | changes


def signed(head: bytes | object, body: bytes | object, secret: bytes = KEY.secret) -> str:
    """A token with a right HMAC signature over whatever it is given."""
    signing_input = f"{encoded(head)}.{encoded(body)}"
    return f"{signing_input}.{encoded(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


def assert_refused(token: str, tokens: SignedTokens = TOKENS) -> None:
    with pytest.raises(InvalidToken) as caught:
        tokens.verify(token)
    assert type(caught.value) is InvalidToken


class TestIssue:
    @pytest.mark.parametrize("algorithm", KEYS)
    def test_makes_a_token_that_verifies_to_the_same_claims(self, algorithm: KeyAlgorithm) -> None:
        tokens = tokens_of(KEYS[algorithm])
        assert tokens.verify(tokens.issue(CLAIMS)) == CLAIMS

    def test_writes_exactly_the_claims_of_the_contract(self) -> None:
        assert set(payload()) == {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "auth_time", "amr", "ver"}

    def test_names_type_and_key_in_the_header(self) -> None:
        assert jws.get_unverified_header(TOKEN) == {"alg": "HS256", "typ": "at+jwt", "kid": KEY.kid}

    def test_needs_a_signing_key(self) -> None:
        with pytest.raises(SigningKeyMissing):
            tokens_of(replace(KEY, state=KeyState.NEXT)).issue(CLAIMS)

    def test_our_own_forgery_helper_makes_good_tokens(self) -> None:
        """Else every refusal below would prove nothing."""
        assert TOKENS.verify(signed(header(), payload())) == CLAIMS


class TestForm:
    @pytest.mark.parametrize(
        "change",
        [
            lambda _: "",
            lambda _: "..",
            lambda token: token.rpartition(".")[0],
            lambda token: token.rpartition(".")[0] + ".",
            lambda token: token + ".",
            lambda token: token + ".e30",
            lambda token: token + "=",
            lambda token: token.replace(".", "=.", 1),
            lambda token: " " + token,
            lambda token: token + " ",
            lambda token: token + "\n",
            lambda token: token.replace(".", ".\n", 1),
            lambda token: token[:30] + "!" + token[30:],
            lambda token: token + "é",
            lambda token: token + "\udc80",
            lambda token: token + "\0",
            lambda token: "Bearer " + token,
        ],
    )
    def test_of_anything_but_three_bare_parts_is_refused(self, change: Callable[[str], str]) -> None:
        assert_refused(change(TOKEN))

    def test_with_spare_bits_in_the_signature_is_refused(self) -> None:
        """43 characters hold 258 bits: python-jose takes all four spellings of the last one."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        last = alphabet.index(TOKEN[-1])
        twins = [TOKEN[:-1] + alphabet[last - last % 4 + spare] for spare in range(4) if spare != last % 4]
        assert all(jws.verify(twin, jwk.construct(KEY.secret, "HS256"), ["HS256"]) for twin in twins)
        for twin in twins:
            assert_refused(twin)

    def test_of_the_other_base64_alphabet_is_refused(self) -> None:
        secret = b"\xfb" * 32
        key = SigningKey("plain", KeyPurpose.ACCESS, KeyState.SIGNING, KeyAlgorithm.HS256, secret)
        token = next(
            token
            for number in range(1000)
            if "-" in (token := signed(header(kid="plain"), payload(ver=number), secret)).split(".")[2]
        )
        tokens_of(key).verify(token)
        assert_refused(token.replace("-", "+"), tokens_of(key))

    def test_longer_than_four_kilobytes_is_refused(self) -> None:
        fitting = signed(header(), payload(padding="x" * 2400))
        assert len(fitting) <= 4096
        assert TOKENS.verify(fitting) == CLAIMS
        assert_refused(signed(header(), payload(padding="x" * 3400)))

    def test_that_is_not_text_is_refused(self) -> None:
        assert_refused(None)  # type: ignore[arg-type]

    @given(strategies.text())
    def test_of_any_text_is_refused(self, text: str) -> None:
        assert_refused(text)

    @given(strategies.binary(), strategies.binary(), strategies.binary())
    def test_of_any_three_parts_is_refused(self, head: bytes, body: bytes, signature: bytes) -> None:
        assert_refused(f"{encoded(head)}.{encoded(body)}.{encoded(signature)}")

    @given(strategies.integers(0, len(TOKEN) - 1), strategies.sampled_from("Aa0-_.=x"))
    def test_with_one_character_changed_is_refused(self, position: int, character: str) -> None:
        if TOKEN[position] != character:
            with pytest.raises(InvalidToken):  # a changed kid may be an unknown one
                TOKENS.verify(TOKEN[:position] + character + TOKEN[position + 1 :])


_JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
    lambda children: strategies.lists(children) | strategies.dictionaries(strategies.text(), children),
)


class TestHeader:
    @pytest.mark.parametrize(
        "changes",
        [
            {"typ": "JWT"},
            {"typ": "AT+JWT"},
            {"typ": "application/at+jwt"},
            {"typ": None},
            {"typ": ["at+jwt"]},
            {"alg": "none"},
            {"alg": "None"},
            {"alg": ""},
            {"alg": None},
            {"alg": ["HS256"]},
            {"alg": "HS384"},
            {"alg": "hs256"},
            {"alg": "RS256"},
            {"alg": "dir"},
            {"kid": None},
            {"kid": 1},
            {"kid": [KEY.kid]},
            {"crit": ["exp"]},
            {"crit": []},
            {"jku": "https://evil.example/keys"},
            {"jwk": {"kty": "oct", "k": "AAAA"}},
            {"x5u": "https://evil.example/certificate"},
            {"x5c": []},
            {"b64": False},
            {"zip": "DEF"},
            {"cty": "JWT"},
        ],
    )
    def test_with_a_foreign_value_or_parameter_is_refused(self, changes: dict[str, object]) -> None:
        assert_refused(signed(header(**changes), payload()))

    @pytest.mark.parametrize("missing", ["typ", "alg", "kid"])
    def test_without_one_of_its_parameters_is_refused(self, missing: str) -> None:
        assert_refused(signed({name: value for name, value in header().items() if name != missing}, payload()))

    def test_of_no_algorithm_and_no_signature_is_refused(self) -> None:
        assert_refused(f"{encoded(header(alg='none'))}.{encoded(payload())}.")
        assert_refused(f"{encoded(header(alg='none'))}.{encoded(payload())}.AA")

    @pytest.mark.parametrize("document", [b"[]", b"1", b'"x"', b"null", b"", b"{", b"\xff", b"{}{}", b"NaN"])
    def test_that_is_no_object_is_refused(self, document: bytes) -> None:
        assert_refused(signed(document, payload()))

    def test_naming_a_parameter_twice_is_refused(self) -> None:
        document = f'{{"alg":"none","alg":"HS256","typ":"at+jwt","kid":"{KEY.kid}"}}'
        assert_refused(signed(document.encode(), payload()))

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
    def test_in_another_encoding_is_refused(self, encoding: str) -> None:
        assert_refused(signed(json.dumps(header()).encode(encoding), payload()))

    @given(_JSON)
    def test_of_any_json_is_refused(self, document: object) -> None:
        assert_refused(signed(document, payload()))


class TestKey:
    def test_that_is_not_in_the_ring_is_told_apart(self) -> None:
        with pytest.raises(UnknownKey):
            TOKENS.verify(signed(header(kid="elsewhere"), payload()))

    def test_of_another_installation_under_our_kid_is_refused(self) -> None:
        assert_refused(signed(header(), payload(), secret=b"x" * 32))

    def test_of_nothing_is_refused(self) -> None:
        assert_refused(signed(header(), payload(), secret=b""))

    @pytest.mark.parametrize("state", [KeyState.NEXT, KeyState.SIGNING, KeyState.VERIFY])
    def test_verifies_in_every_living_state(self, state: KeyState) -> None:
        assert tokens_of(replace(KEY, state=state)).verify(TOKEN) == CLAIMS

    def test_that_is_retired_is_refused(self) -> None:
        assert_refused(TOKEN, tokens_of(replace(KEY, state=KeyState.RETIRED)))

    def test_of_another_purpose_is_refused(self) -> None:
        assert_refused(TOKEN, tokens_of(replace(KEY, purpose=KeyPurpose.TICKET)))

    def test_public_half_is_no_hmac_secret(self) -> None:
        """The classic: sign with HS256 and the RSA public key everybody can fetch."""
        tokens = tokens_of(RSA_KEY)
        assert RSA_KEY.public_key is not None
        for secret in (RSA_KEY.public_key.encode(), RSA_KEY.public_key.strip().encode()):
            assert_refused(signed(header(kid=RSA_KEY.kid), payload(), secret), tokens)
            assert_refused(signed(header(kid=RSA_KEY.kid, alg="RS256"), payload(), secret), tokens)

    def test_of_one_algorithm_never_verifies_another(self) -> None:
        others = [replace(key, state=KeyState.VERIFY) for key in KEYS.values() if key is not KEY]
        tokens = tokens_of(KEY, *others)
        for signer, named in permutations(KEYS.values(), 2):
            forged = jws.sign(
                payload(),
                jwk.construct(signer.secret, signer.algorithm.value),
                headers={"typ": "at+jwt", "kid": named.kid},
                algorithm=signer.algorithm.value,
            )
            assert_refused(forged, tokens)

    @pytest.mark.parametrize("algorithm", KEYS)
    def test_refuses_its_own_token_with_another_payload(self, algorithm: KeyAlgorithm) -> None:
        tokens = tokens_of(KEYS[algorithm])
        head, _, signature = tokens.issue(CLAIMS).split(".")
        assert_refused(f"{head}.{encoded(payload(sub=str(uuid4())))}.{signature}", tokens)

    def test_set_that_is_newer_replaces_the_old_and_its_memo(self) -> None:
        tokens = tokens_of(KEY)
        tokens.verify(TOKEN)
        tokens.use_keys(KeyRing(2, [replace(KEY, state=KeyState.RETIRED)]))
        assert tokens.key_set_number == 2
        assert_refused(TOKEN, tokens)

    def test_set_that_came_late_changes_nothing(self) -> None:
        tokens = tokens_of(KEY, number=2)
        tokens.use_keys(KeyRing(1, []))
        assert tokens.verify(TOKEN) == CLAIMS
        assert tokens.key_set_number == 2


class TestClaims:
    @pytest.mark.parametrize("missing", sorted(payload()))
    def test_are_all_required(self, missing: str) -> None:
        assert_refused(signed(header(), {name: value for name, value in payload().items() if name != missing}))

    @pytest.mark.parametrize("name", ["iat", "nbf", "exp", "auth_time", "ver"])
    @pytest.mark.parametrize(
        "value", [True, False, None, str(NOW), float(NOW), -1, 10**30, [NOW], {}, "", float("nan")]
    )
    def test_that_are_numbers_are_whole_and_in_range(self, name: str, value: object) -> None:
        assert_refused(signed(header(), payload(**{name: value})))

    @pytest.mark.parametrize("name", ["sub", "sid", "jti"])
    @pytest.mark.parametrize(
        "value",
        [
            None,
            1,
            True,
            "",
            "somebody",
            [str(CLAIMS.user_id)],
            str(CLAIMS.user_id).upper(),
            CLAIMS.user_id.hex,
            CLAIMS.user_id.urn,
            f"{{{CLAIMS.user_id}}}",
        ],
    )
    def test_that_are_ids_are_canonical_uuids(self, name: str, value: object) -> None:
        assert_refused(signed(header(), payload(**{name: value})))

    @pytest.mark.parametrize(
        "value",
        [None, "pwd", True, {"pwd": 1}, [1], [None], [True], [["pwd"]], [""], ["x" * 33], ["pwd"] * 11],
    )
    def test_amr_is_a_short_list_of_names(self, value: object) -> None:
        assert_refused(signed(header(), payload(amr=value)))

    @pytest.mark.parametrize("name", ["iss", "aud"])
    @pytest.mark.parametrize("value", [None, "", "other", ISSUER + "/", AUDIENCE.upper(), [ISSUER], [AUDIENCE], True])
    def test_issuer_and_audience_are_exactly_ours(self, name: str, value: object) -> None:
        assert_refused(signed(header(), payload(**{name: value})))

    def test_named_twice_are_refused(self) -> None:
        document = json.dumps(payload())[:-1] + f', "sub": "{uuid4()}"}}'
        assert_refused(signed(header(), document.encode()))

    @pytest.mark.parametrize("opening", ["[", '{"a":'])
    def test_nested_a_thousand_deep_are_refused(self, opening: str) -> None:
        closing = "]" if opening == "[" else "}"
        depth = 1000 if opening == "[" else 450
        token = signed(header(), (opening * depth + "1" + closing * depth).encode())
        assert 2700 <= len(token) <= 4096
        assert_refused(token)

    def test_nested_deep_in_the_header_are_refused_before_the_library_sees_them(self) -> None:
        assert_refused(signed(b"[" * 1000 + b"]" * 1000, b"{}"))

    @pytest.mark.parametrize("document", [b"[]", b"null", b"1", b"", b"{", b"\xff\xfe", b'{"exp": Infinity}'])
    def test_that_are_no_object_are_refused(self, document: bytes) -> None:
        assert_refused(signed(header(), document))

    def test_we_do_not_know_are_left_to_newer_releases(self) -> None:
        assert TOKENS.verify(signed(header(), payload(locale="de"))) == CLAIMS

    @given(_JSON)
    @settings(max_examples=75)
    def test_of_any_json_are_refused(self, document: object) -> None:
        assert_refused(signed(header(), document))

    @given(strategies.sampled_from(sorted(payload())), _JSON)
    @settings(max_examples=75)
    def test_of_any_value_give_well_typed_claims_or_a_refusal(self, name: str, value: object) -> None:
        try:
            claims = TOKENS.verify(signed(header(), payload(**{name: value})))
        except InvalidToken:
            return
        assert type(claims.ver) is type(claims.expires_at) is type(claims.auth_time) is int
        assert all(isinstance(method, str) for method in claims.amr)


class TestTime:
    @pytest.mark.parametrize(("at", "holds"), [(600, True), (604.9, True), (605, False), (10_000, False)])
    def test_of_expiry_has_five_seconds_of_leeway(self, at: float, holds: bool) -> None:
        tokens = tokens_of(KEY, at=NOW + at)
        if holds:
            assert tokens.verify(TOKEN) == CLAIMS
        else:
            assert_refused(TOKEN, tokens)

    @pytest.mark.parametrize("name", ["iat", "nbf"])
    def test_of_beginning_has_five_seconds_of_leeway(self, name: str) -> None:
        TOKENS.verify(signed(header(), payload(**{name: NOW + 6})))
        assert_refused(signed(header(), payload(**{name: NOW + 7})))

    @pytest.mark.parametrize("name", ["iat", "nbf"])
    def test_of_beginning_is_before_expiry(self, name: str) -> None:
        assert_refused(signed(header(), payload(**{"exp": NOW + 2, name: NOW + 2})))

    def test_leeway_cannot_be_raised(self) -> None:
        with pytest.raises(ValueError, match="at most 5"):
            SignedTokens(KeyRing(1, [KEY]), ISSUER, AUDIENCE, leeway=6)


class TestMemo:
    def test_spares_the_second_signature(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tokens = tokens_of(KEY)
        tokens.verify(TOKEN)
        monkeypatch.setattr(signed_tokens, "_verified_payload", lambda *_: pytest.fail("verified again"))
        assert tokens.verify(TOKEN) == CLAIMS

    def test_ends_with_the_token(self) -> None:
        clock = Clock()
        tokens = SignedTokens(KeyRing(1, [KEY]), ISSUER, AUDIENCE, now=clock)
        tokens.verify(TOKEN)
        clock.at = NOW + 605
        assert_refused(TOKEN, tokens)
        assert len(tokens._memo) == 0

    def test_keeps_nothing_that_was_refused(self) -> None:
        tokens = tokens_of(KEY)
        assert_refused(signed(header(), payload(ver="x")), tokens)
        assert len(tokens._memo) == 0

    def test_drops_what_was_not_used_for_longest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(signed_tokens, "MEMO_ENTRIES", 2)
        tokens = tokens_of(KEY)
        first, second, third = (signed(header(), payload(ver=number)) for number in range(3))
        for token in (first, second, first, third):
            tokens.verify(token)
        monkeypatch.setattr(signed_tokens, "_verified_payload", lambda *_: pytest.fail("verified again"))
        assert [tokens.verify(token).ver for token in (first, third)] == [0, 2]
        assert len(tokens._memo) == 2

    def test_makes_verifying_at_least_five_times_as_fast(self) -> None:
        tokens = tokens_of(KEY)

        def cost(*, forget: bool) -> float:
            began = perf_counter()
            for _ in range(300):
                if forget:
                    tokens._memo.clear()
                tokens.verify(TOKEN)
            return perf_counter() - began

        remembered = min(cost(forget=False) for _ in range(5))
        assert remembered * 5 < min(cost(forget=True) for _ in range(5))


class TestImport:
    def test_brings_only_the_parts_of_the_library_that_are_guarded(self) -> None:
        program = "import sys, modules.auth.signed_tokens; print('jose.jwe' in sys.modules, 'jose.jws' in sys.modules)"
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert ran.stdout.split() == ["False", "True"]
