"""Sysadmins in mandates they are no member of: entered by a request or for a reason, limited, ended, and on record."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.util import await_only

from modules.audit.service import RefusalLog
from modules.rbac.service.entries import end_overdue_entries
from modules.rbac.service.entry_mails import tell_administrator
from modules.shared.jobs import JobContext, TaskRegistry
from tests.support.gateway import Person
from tests.support.house import House, house_in
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def glass_house(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[House]:
    async with house_in(database_urls, tmp_path, rbac__sysadmin_entry="break_glass") as house:
        yield house


async def begin(house: House, reason: str = "") -> tuple[int, str]:
    answer = await house.as_sysadmin("POST", f"/admin/mandates/{house.mandate}/entry", json={"reason": reason})
    return answer.status_code, answer.json().get("code", "")


class TestInModeOpen:
    async def test_the_first_request_makes_one_entry(self, house: House) -> None:
        for _ in range(3):
            assert (await house.call(house.sysadmin, "GET", "/roles")).status_code == 200
        assert len(await house.events("entry_begun")) == 1

    async def test_the_entry_is_on_record_in_the_mandate(self, house: House) -> None:
        await house.call(house.sysadmin, "GET", "/roles")
        trail = (await house.call(house.administrator, "GET", "/audit?code=entry_begun")).json()["items"]
        assert [event["actor_id"] for event in trail] == [str(house.sysadmin.id)]

    async def test_an_entry_whose_time_is_over_does_not_stand_in_the_way(self, house: House) -> None:
        await house.call(house.sysadmin, "GET", "/roles")
        await house.gateway.sql("UPDATE sysadmin_entries SET valid_until = now() - interval '1 second'")
        assert (await house.call(house.sysadmin, "GET", "/roles")).status_code == 200
        assert len(await house.events("entry_begun")) == 2

    async def test_changes_of_a_visitor_are_on_record(self, house: House) -> None:
        await house.call(house.sysadmin, "POST", "/roles", json={"name": "Clerk"})
        (event,) = await house.events("entry_act")
        assert (event["mandate_id"], event["details"]) == (house.mandate, {"method": "POST", "path": "/api/v1/roles"})

    async def test_readings_of_a_visitor_are_not(self, house: House) -> None:
        await house.call(house.sysadmin, "GET", "/roles")
        assert await house.events("entry_act") == []

    async def test_the_flag_alone_brings_no_rights_along(self, house: House) -> None:
        flagged = await house.gateway.person(sysadmin=True)
        assert (await house.call(flagged, "GET", "/context")).status_code == 200
        assert (await house.call(flagged, "GET", "/roles")).status_code == 403

    async def test_the_role_alone_is_no_way_in(self, house: House) -> None:
        person = await house.gateway.person()
        await house.gateway.join(person, house.root, "sysadmin")
        answer = await house.call(person, "GET", "/roles")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")


class TestBegin:
    async def test_is_done_once(self, house: House) -> None:
        path = f"/admin/mandates/{house.mandate}/entry"
        answers = [await house.as_sysadmin("POST", path, json={}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()

    async def test_makes_a_new_one_when_the_old_one_ends_in_that_instant(self, house: House) -> None:
        assert await begin(house) == (201, "")
        engine = house.gateway.database.app_engine.sync_engine
        ended: list[bool] = []

        def end_the_old_one(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("INSERT INTO sysadmin_entries") and not ended:
                ended.append(True)
                await_only(house.gateway.sql("UPDATE sysadmin_entries SET ended_at = now() WHERE ended_at IS NULL"))

        event.listen(engine, "after_cursor_execute", end_the_old_one)
        assert await begin(house) == (201, "")
        assert len(await house.events("entry_begun")) == 2

    async def test_takes_a_recent_sign_in(self, house: House) -> None:
        await house.gateway.sql(
            "UPDATE sessions SET authenticated_at = now() - interval '11 minutes' WHERE id = :id",
            id=house.sysadmin.session_id,
        )
        assert await begin(house) == (403, "step_up_required")

    async def test_takes_the_flag(self, house: House) -> None:
        path = f"/admin/mandates/{house.foreign}/entry"
        answer = await house.call(house.administrator, "POST", path, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "sysadmin_required")

    async def test_is_not_for_members(self, house: House) -> None:
        await house.gateway.join(house.sysadmin, house.mandate)
        assert await begin(house) == (409, "no_entry_needed")

    async def test_finds_no_disabled_mandate(self, house: House) -> None:
        await house.gateway.sql("UPDATE mandates SET enabled = false WHERE id = :id", id=house.mandate)
        assert await begin(house) == (404, "mandate_not_found")

    async def test_is_refused_where_nobody_may_enter(self, database_urls: DatabaseUrls, tmp_path: Path) -> None:
        async with house_in(database_urls, tmp_path, rbac__sysadmin_entry="off") as house:
            assert await begin(house) == (403, "entry_forbidden")
            assert (await house.call(house.sysadmin, "GET", "/roles")).status_code == 403


class TestInModeBreakGlass:
    async def test_no_request_opens_the_door(self, glass_house: House) -> None:
        answer = await glass_house.call(glass_house.sysadmin, "GET", "/roles")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_a_member")

    async def test_a_reason_is_required(self, glass_house: House) -> None:
        assert await begin(glass_house) == (422, "reason_required")

    async def test_with_a_reason_the_door_opens(self, glass_house: House) -> None:
        assert (await begin(glass_house, "Ticket 12"))[0] == 201
        assert (await glass_house.call(glass_house.sysadmin, "GET", "/roles")).status_code == 200

    async def test_every_administrator_gets_the_reason_by_mail(self, glass_house: House, tmp_path: Path) -> None:
        second = await glass_house.gateway.person("second@example.test")
        await glass_house.gateway.join(second, glass_house.mandate, "administrator")
        await begin(glass_house, "Ticket 12")
        jobs = await glass_house.gateway.sql(
            "SELECT args FROM jobs.procrastinate_jobs WHERE task_name = 'rbac.tell_administrator_of_entry'"
        )
        told = {job["args"]["arguments"]["administrator_id"] for job in jobs}
        assert told == {str(glass_house.administrator.id), str(second.id)}

    async def test_the_mail_says_who_came_and_why(self, glass_house: House, tmp_path: Path) -> None:
        await begin(glass_house, "Ticket 12")
        (entry,) = await glass_house.gateway.sql("SELECT id FROM sysadmin_entries")
        await _send(glass_house, entry["id"], glass_house.administrator)
        (mail,) = (tmp_path / "mail").glob("*.eml")
        text = mail.read_text()
        assert f"To: {glass_house.administrator.email}" in text
        assert "Ticket 12" in text


class TestEnd:
    async def test_ends_the_visit_at_once(self, glass_house: House) -> None:
        await begin(glass_house, "Ticket 12")
        path = f"/admin/mandates/{glass_house.mandate}/entry"
        assert (await glass_house.as_sysadmin("DELETE", path)).status_code == 204
        assert (await glass_house.call(glass_house.sysadmin, "GET", "/roles")).status_code == 403
        (event,) = await glass_house.events("entry_ended")
        assert (event["mandate_id"], event["details"]) == (glass_house.mandate, {"cause": "left"})

    async def test_without_a_visit_is_not_found(self, house: House) -> None:
        answer = await house.as_sysadmin("DELETE", f"/admin/mandates/{house.mandate}/entry")
        assert (answer.status_code, answer.json()["code"]) == (404, "entry_not_found")

    @pytest.mark.parametrize(
        ("happening", "cause"),
        [
            ("UPDATE sysadmin_entries SET valid_until = now() - interval '1 second'", "time"),
            ("UPDATE sessions SET revoked_at = now()", "signed_out"),
        ],
    )
    async def test_by_time_or_sign_out_is_put_on_record(self, house: House, happening: str, cause: str) -> None:
        await begin(house)
        await house.gateway.sql(happening)
        await house.perform(end_overdue_entries)
        await house.perform(end_overdue_entries)
        (event,) = await house.events("entry_ended")
        assert (event["mandate_id"], event["actor_id"]) == (house.mandate, house.sysadmin.id)
        assert event["details"] == {"cause": cause}


class TestListEntries:
    async def test_tells_the_newest_first(self, house: House) -> None:
        await begin(house)
        await house.as_sysadmin("POST", f"/admin/mandates/{house.foreign}/entry", json={})
        listed = (await house.as_sysadmin("GET", "/admin/entries")).json()["items"]
        assert [entry["mandate_id"] for entry in listed] == [str(house.foreign), str(house.mandate)]

    async def test_takes_the_role(self, house: House) -> None:
        flagged = await house.gateway.person(sysadmin=True)
        assert (await house.call(flagged, "GET", "/admin/entries")).status_code == 403


class TestUsesOfASysadminsPowers:
    async def test_that_change_something_are_on_record_with_the_change(self, house: House) -> None:
        await house.as_sysadmin("POST", "/admin/roles", json={"name": "Helper"})
        (event,) = await house.events("sysadmin_act")
        assert (event["mandate_id"], event["details"]["guard"]) == (house.root, "sysadmin role: admin.roles:create")

    async def test_that_only_read_are_joined(self, house: House) -> None:
        for _ in range(3):
            await house.as_sysadmin("GET", "/admin/roles")
        await house.gateway.services.get(RefusalLog).flush()
        (event,) = await house.events("sysadmin_read")
        assert (event["count"], event["outcome"]) == (3, "done")


async def _send(house: House, entry_id: object, to: Person) -> None:
    services, database = house.gateway.services, house.gateway.database
    job = JobContext(1, 1, house.mandate, house.sysadmin.id, False, database, services, TaskRegistry())
    await tell_administrator.handler(job, entry_id=entry_id, administrator_id=to.id)
