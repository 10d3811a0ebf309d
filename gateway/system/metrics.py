"""Prometheus metrics of what stands behind the edge: connections, jobs, mails, sign-ins, the audit's queue.

Counters are raised where the thing happens. Gauges are read when somebody scrapes, the queue of jobs at most every ten
seconds; with several server processes each of them also reads its own now and then, because a scrape reaches only one.
"""

import asyncio
from collections.abc import Callable, Sequence
import math
import time
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog import get_logger

from gateway.system import repository
from gateway.system.schemas import PoolRead
from modules.audit.service import AuditLog, RefusalLog
from modules.shared.database import Database
from modules.shared.errors import DomainError
from modules.shared.mail import Mail, Mailer, MailRefused, MailUnavailable

_SECONDS_BETWEEN_QUERIES: Final = 10.0
_SECONDS_BETWEEN_READINGS: Final = 5.0
_FAILED_SIGN_INS: Final = frozenset(
    {
        "login_failed", "second_factor_failed", "code_not_valid", "passkey_refused", "passkey_count_went_back",
        "provider_answer_invalid", "identity_not_linked",
    }
)  # fmt: skip


class InstallationMetrics:
    """The metrics of one installation, in the registry of its application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str, over_processes: Any) -> Gauge:  # noqa: ANN401  # literals of its own
            return Gauge(name, text, labels, registry=registry, multiprocess_mode=over_processes)

        self._connections = gauge(
            "mandate_database_connections", "Connections, by use.", "login", "state", over_processes="livesum"
        )
        self._size = gauge("mandate_database_pool_size", "Connections kept.", "login", over_processes="livesum")
        self._waiting = gauge("mandate_database_waiting", "Who waits for one.", "login", over_processes="livesum")
        self._due = gauge("mandate_jobs_due", "Jobs that could be worked on now.", over_processes="livemostrecent")
        self._failed = gauge("mandate_jobs_failed", "Jobs given up, kept 30 days.", over_processes="livemostrecent")
        self._oldest = gauge(
            "mandate_jobs_oldest_due_seconds", "How long the oldest due job waits.", over_processes="livemostrecent"
        )
        self._mails = Counter("mandate_mails", "Tries to send a mail.", ("outcome",), registry=registry)
        self._sign_ins = Counter("mandate_sign_ins", "Sign-ins.", ("outcome",), registry=registry)
        self._dropped = Counter("mandate_audit_dropped", "Refusals the audit had no room for.", registry=registry)

    def count_mail(self, outcome: str) -> None:
        """One try to send: `sent`, `refused` for good, or `unavailable` for now."""
        self._mails.labels(outcome).inc()

    def count_sign_in(self, outcome: str) -> None:
        """One sign-in: `ok` or `failed`."""
        self._sign_ins.labels(outcome).inc()

    def count_dropped(self, number: int) -> None:
        """So many refusals were not noted."""
        self._dropped.inc(number)

    def show_pools(self, pools: Sequence[PoolRead]) -> None:
        """The connections of this process as they are now."""
        for pool in pools:
            self._size.labels(pool.login).set(pool.size)
            self._connections.labels(pool.login, "in_use").set(pool.in_use)
            self._connections.labels(pool.login, "idle").set(pool.idle)
            self._waiting.labels(pool.login).set(pool.waiting)

    def show_queue(self, *, due: float, failed: float, oldest_seconds: float) -> None:
        """The queue as it is now; NaN for what cannot be known."""
        self._due.set(due)
        self._failed.set(failed)
        self._oldest.set(oldest_seconds)


class Readings:
    """Reads the gauges of a running installation."""

    def __init__(
        self,
        metrics: InstallationMetrics,
        database: Database,
        pools: Callable[[], Sequence[PoolRead]],
        refusals: RefusalLog,
    ) -> None:
        self._metrics = metrics
        self._database = database
        self._pools = pools
        self._refusals = refusals
        self._dropped = 0
        self._query_at = 0.0
        self._asking = asyncio.Lock()

    async def read(self) -> None:
        """Bring every gauge up to date. Fails never: a database that is away leaves the queue unknown."""
        self._metrics.show_pools(self._pools())
        self._metrics.count_dropped(self._refusals.dropped - self._dropped)
        self._dropped = self._refusals.dropped
        async with self._asking:
            if time.monotonic() >= self._query_at:
                await self._read_queue()
                self._query_at = time.monotonic() + _SECONDS_BETWEEN_QUERIES

    async def run(self) -> None:
        """Read now and then, forever, where a scrape may reach another process."""
        while True:
            await self.read()
            await asyncio.sleep(_SECONDS_BETWEEN_READINGS)

    async def _read_queue(self) -> None:
        try:
            async with self._database.system_session() as session:
                queue = await repository.read_queue(session)
        except (SQLAlchemyError, OSError) as error:
            get_logger("gateway.metrics").warning("jobs_not_counted", error=type(error).__name__)
            self._metrics.show_queue(due=math.nan, failed=math.nan, oldest_seconds=math.nan)
        else:
            self._metrics.show_queue(due=queue.due, failed=queue.failed, oldest_seconds=queue.oldest_seconds)


class CountedMailer:
    """Sends by another mailer, and counts."""

    def __init__(self, mailer: Mailer, metrics: InstallationMetrics) -> None:
        self._mailer = mailer
        self._metrics = metrics

    async def send(self, mail: Mail) -> None:
        """Hand the mail over; raises `MailRefused` or `MailUnavailable`."""
        try:
            await self._mailer.send(mail)
        except MailRefused:
            self._metrics.count_mail("refused")
            raise
        except MailUnavailable:
            self._metrics.count_mail("unavailable")
            raise
        self._metrics.count_mail("sent")


class CountedAuditLog(AuditLog):
    """Records events, and counts the sign-ins among them once they are committed."""

    def __init__(self, metrics: InstallationMetrics, *given: Any) -> None:  # noqa: ANN401  # as the base class
        super().__init__(*given)
        self._metrics = metrics

    def record(self, session: AsyncSession, code: str, **event_of: Any) -> None:  # noqa: ANN401  # as the base class
        """Add one event to the caller's transaction."""
        super().record(session, code, **event_of)
        if code == "login":
            event.listen(session.sync_session, "after_commit", lambda _: self._metrics.count_sign_in("ok"), once=True)


class CountedRefusalLog(RefusalLog):
    """Notes refusals, and counts the failed sign-ins among them."""

    def __init__(self, metrics: InstallationMetrics, *given: Any) -> None:  # noqa: ANN401  # as the base class
        super().__init__(*given)
        self._metrics = metrics

    def refused(self, error: DomainError, **about: Any) -> None:  # noqa: ANN401  # as the base class
        """Note one refusal; never waits, never fails."""
        super().refused(error, **about)
        if error.code in _FAILED_SIGN_INS:
            self._metrics.count_sign_in("failed")
