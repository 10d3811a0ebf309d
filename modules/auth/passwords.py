"""Passwords: which are accepted, and how they are hashed and compared.

The policy is that of NIST SP 800-63B: length, a block list, nothing about kinds of characters. Hashing is argon2id in a
small pool of threads of its own: many sign-ins at once neither stop the event loop nor take more memory than planned.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
import re
import secrets
from typing import Final, TypeVar
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from modules.auth.password_errors import PasswordCommon, PasswordPersonal, PasswordTooLong, PasswordTooShort
from modules.auth.settings import AuthSettings

MAXIMUM_LENGTH: Final = 256
_FEWEST_DIFFERENT_CHARACTERS: Final = 5
_SHORTEST_PERSONAL_WORD: Final = 3
_PRODUCT_WORDS: Final = ("mandategateway", "mandate", "gateway")

_Result = TypeVar("_Result")


class Passwords:
    """Hashes and checks passwords with the parameters of `[auth]`. Owns threads: `close` it at the end."""

    def __init__(self, settings: AuthSettings) -> None:
        self._minimum_length = settings.password_minimum_length
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_iterations,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
        )
        self._threads = ThreadPoolExecutor(settings.hashing_threads, thread_name_prefix="passwords")
        self._nobodys_hash = self._hasher.hash(secrets.token_bytes(32))

    def check(self, password: str, *, mail: str | None = None) -> None:
        """Accept a new password or raise the `WeakPassword` that says what is wrong; `mail` is the person's address."""
        # Before normalising, which can make one character eighteen.
        if len(password) > MAXIMUM_LENGTH:
            raise PasswordTooLong(maximum=MAXIMUM_LENGTH)
        normalised = _normalised(password)
        if len(normalised) < self._minimum_length:
            raise PasswordTooShort(minimum=self._minimum_length)
        folded = normalised.casefold()
        if len(set(folded)) < _FEWEST_DIFFERENT_CHARACTERS or folded in _common_passwords():
            raise PasswordCommon
        if _is_mostly(folded, _personal_words(mail)):
            raise PasswordPersonal

    async def hash(self, password: str) -> str:
        """The argon2id hash in its standard text form, parameters and salt included. Does not `check`."""
        return await self._in_thread(lambda: self._hasher.hash(_encoded(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `stored` was made from `password`. None (no such user, no password) is False and takes as long."""
        if len(password) > MAXIMUM_LENGTH:
            stored, password = None, ""
        matches = await self._in_thread(lambda: self._matches(stored or self._nobodys_hash, password))
        return matches and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than today's; to be asked after a successful `verify`."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """End the threads after what they are doing; hashes not begun are cancelled."""
        self._threads.shutdown(cancel_futures=True)

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _encoded(password))
        except VerifyMismatchError:
            return False


def _normalised(password: str) -> str:
    """The same text from every keyboard (NIST SP 800-63B, section 5.1.1.2: NFKC)."""
    return unicodedata.normalize("NFKC", password)


def _encoded(password: str) -> bytes:
    # surrogatepass: JSON can carry lone surrogates, which are bad taste and no error of ours
    return _normalised(password).encode("utf-8", "surrogatepass")


@cache
def _common_passwords() -> frozenset[str]:
    text = files("modules.auth").joinpath("common_passwords.txt").read_text("ascii")
    return frozenset(line for line in text.splitlines() if not line.startswith("# "))


def _personal_words(mail: str | None) -> list[str]:
    """What others know and would try: the name in the address, whole and in its pieces, and the product's."""
    local_part = unicodedata.normalize("NFKC", mail or "").rpartition("@")[0].casefold()
    pieces = re.findall(r"[^\W_]+", local_part)
    words = {*_PRODUCT_WORDS, *pieces, "".join(pieces), local_part}
    return sorted((word for word in words if len(word) >= _SHORTEST_PERSONAL_WORD), key=len, reverse=True)


def _is_mostly(password: str, words: list[str]) -> bool:
    """Whether more than half of the password is made of `words`, the longest taken first."""
    rest = password
    for word in words:
        rest = rest.replace(word, "")
    return len(rest) < len(password) / 2
