"""The parts of an installation as the holders of the flag see them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from modules.shared.recent_lines import Value
from modules.shared.settings import Source


class _Read(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SettingRead(_Read):
    """One setting in force."""

    name: str = Field(description="section.key")
    value: str = Field(description="As config.ini writes it; a secret that was given is masked.")
    source: Source = Field(description="Who said so.")


class SettingList(BaseModel):
    """All settings of the process that answers, in the order of config.ini."""

    items: list[SettingRead]
    next_cursor: None = None


class TableSize(_Read):
    """A table with its indexes; a partitioned one with its partitions."""

    name: str
    bytes: int
    rows: int = Field(description="PostgreSQL's estimate.")


class ConnectionCount(_Read):
    """Connections to this database."""

    login: str
    application: str
    connections: int


class PoolRead(_Read):
    """The connections of the process that answers, as one login."""

    login: Literal["mandate_app", "mandate_system", "mandate_auth"]
    size: int = Field(description="How many are kept.")
    idle: int
    in_use: int = Field(description="Those of the request that asks included; of mandate_auth also those being opened.")
    waiting: int = Field(description="Requests that wait for one.")


class SlowStatement(_Read):
    """A statement by the time it took, as `pg_stat_statements` counts, without the values it was called with."""

    login: str
    statement: str | None = Field(description="null for another login's, unless the database lets us read it.")
    calls: int
    total_seconds: float
    mean_seconds: float


class SlowStatements(_Read):
    """What took the most time since the counting began."""

    available: bool
    reason: str | None = Field(default=None, description="Why there are none to show.")
    items: list[SlowStatement] = []


class DatabaseRead(_Read):
    """The database."""

    kind: Literal["embedded", "external"]
    name: str
    version: str = Field(description="PostgreSQL's.")
    level: str | None = Field(description="The migration the database is at.")
    expected_level: str = Field(description="The migration this version needs.")
    bytes: int
    tables: list[TableSize] = Field(description="The twenty largest.")
    connections: list[ConnectionCount]
    max_connections: int = Field(description="Of the whole server.")
    pools: list[PoolRead]
    slow_statements: SlowStatements


class LogLine(BaseModel):
    """One line, its secrets redacted before it was kept."""

    timestamp: str
    level: str
    logger: str | None
    event: str
    request_id: str | None
    fields: dict[str, Value] = Field(description="Whatever else the line says.")


class LogLines(BaseModel):
    """The last lines of one process, the newest first. Other processes have logs of their own."""

    host: str
    process: int = Field(description="The process id.")
    items: list[LogLine]
    next_cursor: None = None


class WaitingJob(_Read):
    """A job whose time has come and that nobody has begun."""

    id: int
    task: str
    attempts: int
    waiting_since: datetime
    mandate_id: UUID | None
    request_id: str | None = Field(description="The request that caused it.")


class FailedJob(_Read):
    """A job given up. Why stands in the log under its number as job_id."""

    id: int
    task: str
    attempts: int
    failed_at: datetime
    mandate_id: UUID | None
    request_id: str | None = Field(description="The request that caused it.")


class JobsRead(_Read):
    """The queue. Jobs done leave it at once, failed ones after 30 days. Arguments are never shown."""

    by_status: dict[str, int] = Field(description="todo (due or for later), doing, failed, cancelled, aborted")
    due: int = Field(description="Those of todo that could be worked on now.")
    workers: int = Field(description="Workers, of all processes, heard of within the last minute.")
    oldest_waiting: WaitingJob | None
    failed: list[FailedJob] = Field(description="Of the last 24 hours, the newest first, at most 100.")
