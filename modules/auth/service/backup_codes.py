"""Ten codes for the day the other factor is lost: shown once, kept as argon2id hashes, each good for one sign-in."""

import asyncio
import secrets
from typing import Final

from modules.audit.service import AuditLog
from modules.auth.factor_errors import NoSecondFactor, SecondFactorFailed
from modules.auth.passwords import Passwords
from modules.auth.repository import backup_codes, second_factors, users
from modules.auth.service.mail_texts import Notice
from modules.auth.service.mails import send_notice
from modules.auth.service.recent import demand_recent_login
from modules.auth.settings import AuthSettings
from modules.shared import clock
from modules.shared.context import Caller, Visitor
from modules.shared.database import Database
from modules.shared.ids import UserId

HOW_MANY: Final = 10
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""Nothing that is mistaken for something else on paper."""
_LENGTH: Final = 10
"""Fifty bits: enough, behind argon2id and a handful of tries."""


class BackupCodes:
    """Makes codes and uses them up. No connection is held while codes are hashed."""

    def __init__(self, database: Database, passwords: Passwords, audit: AuditLog, settings: AuthSettings) -> None:
        self._database = database
        self._passwords = passwords
        self._audit = audit
        self._settings = settings

    async def renew(self, caller: Caller) -> list[str]:
        """Ten new codes for the caller; earlier ones work no more. Raises StepUpRequired, NoSecondFactor."""
        user_id = caller.user.id
        async with self._database.session() as session:
            await demand_recent_login(session, caller.login, self._settings.recent_login)
            if not (await second_factors.of_user(session, user_id)).second_factor:
                raise NoSecondFactor
        codes = [_new_code() for _ in range(HOW_MANY)]
        hashes = await asyncio.gather(*(self._passwords.hash(normalised(code)) for code in codes))
        await users.lock_user(caller.db, user_id)
        if not (await second_factors.of_user(caller.db, user_id)).second_factor:
            raise NoSecondFactor  # removed while the codes were hashed
        await backup_codes.replace(caller.db, user_id, hashes, clock.now())
        self._audit.record(caller.db, "backup_codes_made", by=caller)
        await send_notice(caller.db, user_id, Notice.BACKUP_CODES_MADE)
        return codes

    async def use(self, visitor: Visitor, user_id: UserId, code: str) -> None:
        """Use one code of this person up, who is told. Raises SecondFactorFailed."""
        async with self._database.session() as session:
            unused = await backup_codes.list_unused(session, user_id)
        plain = normalised(code)
        matches = await asyncio.gather(*(self._passwords.verify(each.code_hash, plain) for each in unused))
        fitting = next((each for each, fits in zip(unused, matches, strict=True) if fits), None)
        if fitting is None:
            raise SecondFactorFailed
        await users.lock_user(visitor.db, user_id)
        if not await backup_codes.use(visitor.db, fitting.id, clock.now()):
            raise SecondFactorFailed
        left = await backup_codes.count_unused(visitor.db, user_id)
        self._audit.record(visitor.db, "backup_code_used", by=visitor, user_id=user_id, details={"left": left})
        await send_notice(visitor.db, user_id, Notice.BACKUP_CODE_USED)


def normalised(code: str) -> str:
    """As it was made: people add spaces, leave hyphens out and write capitals."""
    return "".join(code.split()).replace("-", "").lower()


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return f"{letters[: _LENGTH // 2]}-{letters[_LENGTH // 2 :]}"
