"""Refusals on their way into the trail: joined, so that nobody can fill it."""

from modules.audit.service import AuditLog, RefusalLog
from modules.shared.context import Client
from modules.shared.database import Database
from modules.shared.errors import Unauthenticated
from tests.support.gateway import RunningGateway


class TestRefusalLog:
    async def test_tells_apart_from_where_and_about_whom_strangers_are_refused(self, running: RunningGateway) -> None:
        services, ada, bob = running.services, await running.person(), await running.person()
        log = RefusalLog(services.get(Database), services.get(AuditLog).root_mandate_id)
        for address, subject in (("192.0.2.1", ada), ("192.0.2.1", ada), ("192.0.2.2", ada), ("192.0.2.1", bob)):
            client = Client(address, "", "r-2")
            log.refused(Unauthenticated(), user_id=None, mandate_id=None, client=client, subject_id=subject.id)
        await log.flush()
        written = await running.sql(
            "SELECT s.ip, e.actor_id, e.subject_type, e.subject_id, s.user_id, e.count FROM audit_events e"
            " JOIN audit_subjects s ON s.mandate_id = e.mandate_id AND s.event_id = e.id WHERE e.request_id = 'r-2'"
        )
        assert {(row["ip"], row["subject_id"]): row["count"] for row in written} == {
            ("192.0.2.1", str(ada.id)): 2,
            ("192.0.2.2", str(ada.id)): 1,
            ("192.0.2.1", str(bob.id)): 1,
        }
        assert {(row["actor_id"], row["subject_type"]) for row in written} == {(None, "user")}
        assert all(str(row["user_id"]) == row["subject_id"] for row in written)

    async def test_takes_one_subscriber_s_addresses_for_one(self, running: RunningGateway) -> None:
        services = running.services
        log = RefusalLog(services.get(Database), services.get(AuditLog).root_mandate_id)
        for host in range(5):
            client = Client(f"2001:db8::{host:x}", "", "r-1")
            log.refused(Unauthenticated(), user_id=None, mandate_id=None, client=client)
        await log.flush()
        counts = await running.sql("SELECT count FROM audit_events WHERE request_id = 'r-1'")
        assert [row["count"] for row in counts] == [5]
