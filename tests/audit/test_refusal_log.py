"""Refusals on their way into the trail: joined, so that nobody can fill it."""

from modules.audit.service import AuditLog, RefusalLog
from modules.shared.context import Client
from modules.shared.database import Database
from modules.shared.errors import Unauthenticated
from tests.support.gateway import RunningGateway


class TestRefusalLog:
    async def test_takes_one_subscriber_s_addresses_for_one(self, running: RunningGateway) -> None:
        services = running.services
        log = RefusalLog(services.get(Database), services.get(AuditLog).root_mandate_id)
        for host in range(5):
            client = Client(f"2001:db8::{host:x}", "", "r-1")
            log.refused(Unauthenticated(), user_id=None, mandate_id=None, client=client)
        await log.flush()
        counts = await running.sql("SELECT count FROM audit_events WHERE request_id = 'r-1'")
        assert [row["count"] for row in counts] == [5]
