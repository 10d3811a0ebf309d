"""Sealing: small secrets encrypted so that they open only for what they were sealed for, and the master key file.

The master key seals the keys of the installation, which stand in the database. It never stands there itself.
"""

import hmac
import os
from pathlib import Path
import secrets
import stat
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from modules.auth.key_errors import MasterKeyExposed, MasterKeyMalformed, MasterKeyMissing, SealBroken

SEALING_KEY_BYTES: Final = 32
_SEAL_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12


class SealingKey:
    """Seals small secrets with AES-256-GCM; what is sealed opens only with the same key and the same associated data.

    Nonces are random: good for 2^32 seals by one key (NIST SP 800-38D, section 8.3).
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SEALING_KEY_BYTES:
            raise ValueError("a sealing key has 32 bytes")
        self._secret = secret
        self._cipher = AESGCM(secret)

    def seal(self, plain: bytes, associated: bytes) -> bytes:
        """A version byte, the nonce, the ciphertext with its tag. `associated` is bound in but not contained."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _SEAL_VERSION + nonce + self._cipher.encrypt(nonce, plain, _SEAL_VERSION + associated)

    def open(self, sealed: bytes, associated: bytes) -> bytes:
        """What was sealed; raises `SealBroken` for another key, other associated data or a changed value."""
        version, nonce, ciphertext = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if version != _SEAL_VERSION:
                raise SealBroken
            return self._cipher.decrypt(nonce, ciphertext, _SEAL_VERSION + associated)
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error


class MasterKey(SealingKey):
    """The key that seals all others, from a file of its own that only its owner can touch."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file; raises `MasterKeyExposed`, `MasterKeyMalformed`, or OSError when it cannot be read."""
        # A pipe in its place must not block the start for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise MasterKeyMalformed(path=path)
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise MasterKeyExposed(path=path)
            secret = file.read(SEALING_KEY_BYTES + 1)
        if len(secret) != SEALING_KEY_BYTES:
            raise MasterKeyMalformed(path=path)
        return cls(secret)

    @classmethod
    def load_or_create(cls, path: Path, *, sealed_already: bool = False) -> Self:
        """Read the file, or make it with mode 0600 where there is none. Processes starting at once get the same key.

        Raises `MasterKeyMissing` instead of making one where the database holds what another key has sealed.
        """
        if not path.exists():
            if sealed_already:
                raise MasterKeyMissing(path=path)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create_secret_file(path)
        return cls.load(path)

    def derive(self, purpose: bytes) -> bytes:
        """A secret of 32 bytes for one purpose (its HMAC-SHA256); it outlives restarts without being a key row."""
        return hmac.digest(self._secret, b"derived\0" + purpose, "sha256")


def _create_secret_file(path: Path) -> None:
    """Write 32 random bytes beside `path` and link them into place: the file appears whole, an existing one stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SEALING_KEY_BYTES))
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        _sync_directory(path.parent)
    finally:
        draft.unlink()


def _sync_directory(path: Path) -> None:
    """Keep a new file's name over a power cut: without the master key every sealed row is lost."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
