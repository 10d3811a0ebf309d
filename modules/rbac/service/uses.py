"""Each use of a sysadmin's powers is on record: changes in their own transaction, readings joined beside it."""

from typing import Final

from modules.audit.service import AuditLog, RefusalLog
from modules.shared.context import Caller

_LONGEST_PATH: Final = 300


class SysadminUses:
    """Records that somebody used the flag or an item of the installation, whatever they did with it."""

    def __init__(self, audit: AuditLog, joined: RefusalLog) -> None:
        self._audit = audit
        self._joined = joined

    def used(self, caller: Caller, guard: str, method: str, path: str, *, safe: bool) -> None:
        """A request passed `guard`. What fails afterwards is rolled back with the record of it."""
        told = {"guard": guard, "method": method}
        if safe:
            self._joined.used("sysadmin_read", user_id=caller.user.id, client=caller.client, details=told)
        else:
            details = {**told, "path": path[:_LONGEST_PATH]}
            self._audit.record(
                caller.db, "sysadmin_act", by=caller, mandate_id=self._audit.root_mandate_id, details=details
            )
