"""[rbac]: how far the sysadmin reaches, and what compiled rules may take."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from modules.shared.settings import Duration, Section, Size


class RbacSettings(Section):
    """Roles and rules."""

    sysadmin_entry: Literal["open", "break_glass", "off"] = Field(
        default="open",
        description="Whether holders of the role sysadmin may enter a mandate they are no member of: always, only with"
        " a reason that its administrators get by mail, or never. Every entry is audited there.",
    )
    entry_lifetime: Duration = Field(default=timedelta(hours=1), description="How long an entry lasts.")
    compiled_rules_memory: Size = Field(
        default=32_000_000,
        description="Memory of a process for compiled rules; the least recently used go first.",
    )
