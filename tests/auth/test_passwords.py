"""Passwords: which are accepted, and that comparing them says nothing but yes or no."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
import threading
from time import process_time

from argon2 import PasswordHasher, extract_parameters
from hypothesis import given, strategies
import pytest

from modules.auth.password_errors import (
    PasswordCommon,
    PasswordPersonal,
    PasswordTooLong,
    PasswordTooShort,
    WeakPassword,
)
from modules.auth.passwords import Passwords
from modules.auth.settings import AuthSettings
from scripts import common_passwords

GOOD = "seven quiet umbrellas"


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    made = Passwords(AuthSettings())
    yield made
    made.close()


class TestHash:
    async def test_uses_argon2id_with_the_parameters_of_the_settings(self, passwords: Passwords) -> None:
        stored = await passwords.hash(GOOD)
        assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    async def test_is_salted(self, passwords: Passwords) -> None:
        assert await passwords.hash(GOOD) != await passwords.hash(GOOD)

    async def test_never_runs_more_at_once_than_there_are_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        running, most, lock = 0, 0, threading.Lock()
        original = PasswordHasher.hash

        def counted(hasher: PasswordHasher, password: str | bytes) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                return original(hasher, password)
            finally:
                with lock:
                    running -= 1

        passwords = Passwords(AuthSettings(hashing_threads=2))
        monkeypatch.setattr(PasswordHasher, "hash", counted)
        await asyncio.gather(*(passwords.hash(GOOD) for _ in range(12)))
        passwords.close()
        assert most == 2

    async def test_leaves_the_event_loop_free(self, passwords: Passwords) -> None:
        work = asyncio.gather(*(passwords.hash(GOOD) for _ in range(8)))
        turns = 0
        while not work.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 5


class TestVerify:
    async def test_knows_the_right_password(self, passwords: Passwords) -> None:
        assert await passwords.verify(await passwords.hash(GOOD), GOOD) is True

    @pytest.mark.parametrize("wrong", ["", GOOD.upper(), GOOD + " ", GOOD[:-1], "x" * 100_000, "\ud800"])
    async def test_refuses_another(self, passwords: Passwords, wrong: str) -> None:
        assert await passwords.verify(await passwords.hash(GOOD), wrong) is False

    @pytest.mark.parametrize("password", [GOOD, "", "x" * 257])
    async def test_refuses_everything_for_nobody(self, passwords: Passwords, password: str) -> None:
        assert await passwords.verify(None, password) is False

    async def test_takes_as_long_for_nobody(self, passwords: Passwords) -> None:
        stored = await passwords.hash(GOOD)

        async def cost(of: str | None) -> float:
            began = process_time()  # of all threads: what other programs do at the time does not count
            await passwords.verify(of, "wrong password")
            return process_time() - began

        somebody, nobody = zip(*[(await cost(stored), await cost(None)) for _ in range(10)], strict=True)
        assert 0.5 < min(nobody) / min(somebody) < 2

    async def test_takes_the_same_text_from_every_keyboard(self, passwords: Passwords) -> None:
        stored = await passwords.hash("Zw\u00f6lf gr\u00fcne Schirme")
        assert await passwords.verify(stored, "Zwo\u0308lf gru\u0308ne Schirme")

    async def test_takes_every_byte_into_account(self, passwords: Passwords) -> None:
        stored = await passwords.hash("quiet\0umbrellas")
        assert not await passwords.verify(stored, "quiet\0parasols!")

    @pytest.mark.parametrize("odd", ["\ud800 quiet umbrellas", "é" * 256, "\ufdfa" * 256])
    async def test_takes_any_text(self, passwords: Passwords, odd: str) -> None:
        assert await passwords.verify(await passwords.hash(odd), odd)


class TestNeedsRehash:
    async def test_is_no_for_todays_parameters(self, passwords: Passwords) -> None:
        assert not passwords.needs_rehash(await passwords.hash(GOOD))

    async def test_is_yes_for_others_which_still_verify(self, passwords: Passwords) -> None:
        older = Passwords(AuthSettings(argon2_memory_kib=8192, argon2_iterations=1))
        stored = await older.hash(GOOD)
        older.close()
        assert extract_parameters(stored).memory_cost == 8192
        assert passwords.needs_rehash(stored)
        assert await passwords.verify(stored, GOOD)


class TestCheck:
    @pytest.mark.parametrize(
        "password", [GOOD, "k7#Vq2!mZp9w", "Zwölf grüne Schirme", "雨の中の七本の静かな傘です", "k7#Vq" * 51]
    )
    def test_accepts(self, passwords: Passwords, password: str) -> None:
        passwords.check(password, mail="jane.doe@example.org")

    @pytest.mark.parametrize("password", ["", "short", "k7#Vq2!mZp9", "e\u0301" * 11])
    def test_refuses_fewer_than_twelve_characters(self, passwords: Passwords, password: str) -> None:
        with pytest.raises(PasswordTooShort) as caught:
            passwords.check(password)
        assert "12" in caught.value.describe("de")

    def test_minimum_is_a_setting(self) -> None:
        passwords = Passwords(AuthSettings(password_minimum_length=16))
        with pytest.raises(PasswordTooShort):
            passwords.check("k7#Vq2!mZp9wXyz")
        passwords.check("k7#Vq2!mZp9wXyz-")
        passwords.close()

    def test_refuses_more_than_256_characters(self, passwords: Passwords) -> None:
        passwords.check((GOOD * 20)[:256])
        with pytest.raises(PasswordTooLong) as caught:
            passwords.check((GOOD * 20)[:257])
        assert "256" in caught.value.describe("en")

    @pytest.mark.parametrize(
        "password",
        [
            "password1234",
            "Password1234",
            "PASSWORDPASSWORD",
            "qwertyuiop12",
            "1qaz2wsx3edc",
            "Liverpool2023",
            "iloveyou1234",
            "correcthorsebatterystaple",
            "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff441234",  # full-width letters
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "123123123123123123123123123123",
            "abababababab",
        ],
    )
    def test_refuses_what_is_guessed_first(self, passwords: Passwords, password: str) -> None:
        with pytest.raises(PasswordCommon):
            passwords.check(password)

    @pytest.mark.parametrize(
        "password",
        [
            "jane.doe.2024",
            "JaneDoe-1234!",
            "doe.jane.doe!",
            "jane_doe_jane",
            "Mandate-Gateway",
            "mandate gateway 7",
            "gatewaygateway9",
        ],
    )
    def test_refuses_what_is_mostly_the_person_or_the_product(self, passwords: Passwords, password: str) -> None:
        with pytest.raises(PasswordPersonal):
            passwords.check(password, mail="Jane.Doe@example.org")

    @pytest.mark.parametrize("password", ["jane likes quiet umbrellas", "the gateway to quiet rain"])
    def test_accepts_a_name_as_a_small_part(self, passwords: Passwords, password: str) -> None:
        passwords.check(password, mail="jane.doe@example.org")

    @pytest.mark.parametrize("mail", [None, "", "@", "@example.org", "a@b", "\ud800@x", "x" * 5000])
    def test_takes_any_address(self, passwords: Passwords, mail: str | None) -> None:
        passwords.check(GOOD, mail=mail)

    @given(strategies.text(), strategies.text() | strategies.none())
    def test_says_only_yes_or_weak(self, passwords: Passwords, password: str, mail: str | None) -> None:
        with suppress(WeakPassword):
            passwords.check(password, mail=mail)

    @pytest.mark.parametrize("weak", ["short", GOOD * 20, "password1234", "mandate gateway"])
    def test_says_why_in_both_languages(self, passwords: Passwords, weak: str) -> None:
        with pytest.raises(WeakPassword) as caught:
            passwords.check(weak)
        texts = {caught.value.describe("de"), caught.value.describe("en")}
        assert len(texts) == 2
        assert not any("{" in text for text in texts)


class TestBlockList:
    def test_is_what_its_program_makes(self) -> None:
        assert files("modules.auth").joinpath("common_passwords.txt").read_text("ascii") == common_passwords.render()

    @pytest.mark.parametrize("minimum", [8, 12])
    def test_has_3000_entries_that_are_long_enough_to_matter(self, minimum: int) -> None:
        assert sum(len(entry) >= minimum for entry in common_passwords.common_passwords()) >= 3000

    def test_refuses_every_entry_at_the_lowest_minimum(self) -> None:
        passwords = Passwords(AuthSettings(password_minimum_length=8))
        for entry in common_passwords.common_passwords()[::50]:
            with pytest.raises(PasswordCommon):
                passwords.check(entry.title())
        passwords.close()
