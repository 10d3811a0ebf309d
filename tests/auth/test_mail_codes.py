"""The codes beside a link: as people type them, bound to the link, its secret, and the keys of the installation."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from modules.auth.keys import KeyPurpose, KeyRing, KeyState, SigningKey, generate_key
from modules.auth.models import Token
from modules.auth.service.mail_codes import CodeKind, MailCodes
from modules.shared.ids import new_id


@dataclass
class Ring:
    """The ring in force, without a database."""

    keys: list[SigningKey]

    async def ring(self, _session: AsyncSession) -> KeyRing:
        return KeyRing(1, self.keys)


def key(state: KeyState = KeyState.SIGNING) -> SigningKey:
    return generate_key(KeyPurpose.CODE, state)


def link(secret_hash: bytes | None = b"s" * 32) -> Token:
    return Token(id=new_id(), purpose="magic_link", secret_hash=secret_hash)


def codes(*keys: SigningKey) -> MailCodes:
    return MailCodes(Ring(list(keys)))  # type: ignore[arg-type]  # the part of the issuer that it asks


NO_SESSION: AsyncSession = None  # type: ignore[assignment]  # the ring above asks no database


async def matches(made_by: MailCodes, token: Token, kind: CodeKind, typed: str) -> bool:
    return await made_by.match(NO_SESSION, token, kind, typed)


class TestCodes:
    async def test_are_six_digits_and_eight_characters(self) -> None:
        made = await codes(key()).make(NO_SESSION, link())
        assert (len(made.digits), made.digits.replace(" ", "").isdecimal()) == (7, True)
        assert (len(made.code), made.code[4], set(made.code) & set("ILOU")) == (9, "-", set())

    async def test_count_as_people_type_them(self) -> None:
        service, token = codes(key()), link()
        made = await service.make(NO_SESSION, token)
        misread = made.code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
        for typed in (made.code, misread, made.code.replace("-", "").replace("1", "I")):
            assert await matches(service, token, CodeKind.ALONE, typed)

    async def test_count_for_their_own_kind_link_and_secret_only(self) -> None:
        service, token = codes(key()), link()
        made = await service.make(NO_SESSION, token)
        resent = Token(id=token.id, purpose="magic_link", secret_hash=b"t" * 32)
        assert not await matches(service, token, CodeKind.WITH_LINK, made.code)
        assert not await matches(service, link(), CodeKind.ALONE, made.code)
        assert not await matches(service, resent, CodeKind.ALONE, made.code)

    async def test_of_a_link_without_a_secret_do_not_exist(self) -> None:
        service, token = codes(key()), link(None)
        made = await service.make(NO_SESSION, token)
        assert not await matches(service, token, CodeKind.ALONE, made.code)

    async def test_outlive_a_rotation_unless_the_key_was_compromised(self) -> None:
        former, token = key(), link()
        made = await codes(former).make(NO_SESSION, token)
        for state, holds in ((KeyState.VERIFY, True), (KeyState.RETIRED, False)):
            kept = SigningKey(former.kid, former.purpose, state, former.algorithm, former.secret)
            assert await matches(codes(key(), kept), token, CodeKind.ALONE, made.code) is holds

    @pytest.mark.parametrize("kind", CodeKind)
    @given(typed=st.text(max_size=20))
    async def test_are_hit_by_no_text(self, kind: CodeKind, typed: str) -> None:
        assert not await matches(codes(KEY), LINK, kind, typed)


KEY = key()
LINK = Token(id=new_id(), purpose="magic_link", secret_hash=b"s" * 32)
