"""`/mandate/domains`: proven by DNS, for one mandate only, with a role its setter may give; and checked ever after."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from modules.mandates.service.domain_checks import check_domains
from modules.mandates.service.domain_mails import tell_administrator
from modules.shared.jobs import JobContext, TaskRegistry
from modules.shared.mail import Mailer
from tests.mandates.conftest import House
from tests.mandates.joining import DOMAIN, added, domain_house, proven
from tests.mandates.test_members_http import rule
from tests.support.dns_peer import DnsPeer, dns_peer
from tests.support.gateway import Person
from tests.support.mail import RecordingMail
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def peer() -> AsyncIterator[DnsPeer]:
    async with dns_peer() as running:
        yield running


@pytest.fixture
async def house(database_urls: DatabaseUrls, tmp_path: Path, peer: DnsPeer) -> AsyncIterator[House]:
    async with domain_house(database_urls, tmp_path, peer) as made:
        yield made


async def verify(house: House, domain: Mapping[str, Any], by: Person | None = None) -> httpx.Response:
    return await house.call(by or house.administrator, "POST", f"/mandate/domains/{domain['id']}/verify")


async def state_of(house: House) -> tuple[str, int]:
    (domain,) = (await house.call(house.administrator, "GET", "/mandate/domains")).json()["items"]
    return domain["state"], domain["failures"]


class TestAdd:
    async def test_answers_the_record_to_publish(self, house: House) -> None:
        domain = await added(house, domain="Bücher.Example")
        assert (domain["domain"], domain["state"]) == ("xn--bcher-kva.example", "waiting")
        assert domain["record"]["name"] == "_mandate-gateway.xn--bcher-kva.example"
        assert (domain["record"]["type"], len(domain["record"]["value"])) == ("TXT", 43)
        assert await house.audited() == ["domain_added"]

    @pytest.mark.parametrize(
        "domain", ["gmail.com", "GMX.de", "web.de.", "smtp.outlook.com", "localhost", "a@b.example"]
    )
    async def test_refuses_public_providers_and_what_is_no_domain(self, house: House, domain: str) -> None:
        answer = await house.call(house.administrator, "POST", "/mandate/domains", json={"domain": domain})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/domain")

    async def test_refuses_one_that_is_there(self, house: House) -> None:
        await added(house)
        answer = await house.call(house.administrator, "POST", "/mandate/domains", json={"domain": DOMAIN.upper()})
        assert (answer.status_code, answer.json()["code"]) == (409, "domain_listed_already")

    async def test_needs_the_permission(self, house: House) -> None:
        for method, path in (("GET", ""), ("POST", "")):
            answer = await house.call(house.member, method, f"/mandate/domains{path}", json={"domain": DOMAIN})
            assert (answer.status_code, answer.json()["item"]) == (403, "domains")

    async def test_needs_a_recent_sign_in_and_so_does_every_change_but_the_end(self, house: House) -> None:
        domain = await added(house)
        await house.gateway.sql("UPDATE sessions SET authenticated_at = authenticated_at - interval '1 day'")
        for method, path, body in (
            ("POST", "", {"domain": "other.example"}),
            ("POST", f"/{domain['id']}/verify", None),
            ("PATCH", f"/{domain['id']}", {"enabled": False}),
        ):
            answer = await house.call(house.administrator, method, f"/mandate/domains{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "step_up_required"), path
        gone = await house.call(house.administrator, "DELETE", f"/mandate/domains/{domain['id']}")
        assert gone.status_code == 204

    async def test_takes_fifty_at_most(self, house: House) -> None:
        await house.gateway.sql(
            "INSERT INTO mandate_domains (id, mandate_id, domain, challenge, offered_by)"
            " SELECT gen_random_uuid(), :mandate, 'd' || n || '.example', 'x', :user FROM generate_series(1, 50) n",
            mandate=house.mandate,
            user=house.administrator.id,
        )
        answer = await house.call(house.administrator, "POST", "/mandate/domains", json={"domain": DOMAIN})
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_domains")


class TestTheRole:
    @pytest.mark.parametrize(
        "item", ["rbac.roles", "members", "invitations", "groups", "instances", "domains", "mandate"]
    )
    async def test_never_answers_for_who_may_do_what(self, house: House, item: str) -> None:
        role = await house.own_role("Clerk", rule(item, update="my"))
        answer = await house.call(
            house.administrator, "POST", "/mandate/domains", json={"domain": DOMAIN, "role_id": str(role)}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "role_not_offerable")

    async def test_is_not_the_administrators_nor_of_another_mandate(self, house: House) -> None:
        foreign = (await house.made(house.stranger, "/roles", name="Theirs"))["id"]
        for role, code in ((await house.role("administrator"), "role_not_offerable"), (foreign, "role_not_assignable")):
            answer = await house.call(
                house.administrator, "POST", "/mandate/domains", json={"domain": DOMAIN, "role_id": role}
            )
            assert (answer.status_code, answer.json()["code"]) == (422, code)
            assert answer.json()["errors"][0]["pointer"] == "/role_id"

    async def test_holds_nothing_its_setter_lacks(self, house: House) -> None:
        setter = await house.person_with(rule("domains", create="all", read="all", update="all"), name="Setter")
        body = {"domain": DOMAIN, "role_id": await house.role("member")}
        answer = await house.call(setter, "POST", "/mandate/domains", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")
        domain = await house.made(setter, "/mandate/domains", domain=DOMAIN)
        answer = await house.call(
            setter, "PATCH", f"/mandate/domains/{domain['id']}", json={"role_id": body["role_id"]}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")

    async def test_set_by_somebody_else_is_taken_on_with_any_change(self, house: House) -> None:
        setter = await house.person_with(rule("domains", read="all", update="all"), name="Setter")
        domain = await added(house, role_id=await house.role("member"))
        answer = await house.call(setter, "PATCH", f"/mandate/domains/{domain['id']}", json={"enabled": True})
        assert (answer.status_code, answer.json()["code"]) == (403, "escalation_refused")
        answer = await house.call(setter, "PATCH", f"/mandate/domains/{domain['id']}", json={"role_id": None})
        assert (answer.status_code, answer.json()["offered_by"]) == (200, str(setter.id))


class TestVerify:
    async def test_proves_the_domain_when_the_record_is_there(self, house: House, peer: DnsPeer) -> None:
        domain = await added(house)
        peer.publish(domain["record"])
        answer = await verify(house, domain)
        assert (answer.status_code, answer.json()["state"]) == (200, "verified"), answer.text
        assert await house.audited() == ["domain_added", "domain_verified"]

    @pytest.mark.parametrize(
        ("trouble", "finding"), [("", "missing"), ("failing", "unanswered"), ("garbage", "unanswered")]
    )
    async def test_proves_nothing_without_it(self, house: House, peer: DnsPeer, trouble: str, finding: str) -> None:
        domain = await added(house)
        if trouble:
            peer.publish(domain["record"])
            setattr(peer, trouble, True)
        answer = await verify(house, domain)
        assert (answer.status_code, answer.json()["code"], answer.json()["finding"]) == (
            409,
            "domain_not_proven",
            finding,
        )
        assert domain["record"]["name"] in answer.json()["detail"]

    async def test_is_not_done_with_the_record_of_another_mandate(self, house: House, peer: DnsPeer) -> None:
        theirs = await house.made(house.stranger, "/mandate/domains", domain=DOMAIN)
        peer.publish(theirs["record"])
        assert (await verify(house, await added(house))).json()["code"] == "domain_not_proven"

    async def test_reaches_no_domain_of_another_mandate(self, house: House, peer: DnsPeer) -> None:
        domain = await added(house)
        peer.publish(domain["record"])
        answer = await verify(house, domain, house.stranger)
        assert (answer.status_code, answer.json()["code"]) == (404, "domain_not_found")

    async def test_of_two_mandates_at_once_lets_one_win(self, house: House, peer: DnsPeer) -> None:
        ours = await added(house)
        theirs = await house.made(house.stranger, "/mandate/domains", domain=DOMAIN)
        for domain in (ours, theirs):
            peer.publish(domain["record"])
        answers = await asyncio.gather(verify(house, ours), verify(house, theirs, house.stranger))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        assert next(answer for answer in answers if answer.status_code == 409).json()["code"] == "domain_taken"
        rows = await house.gateway.sql("SELECT 1 FROM mandate_domains WHERE verified_at IS NOT NULL")
        assert len(rows) == 1

    async def test_is_possible_for_the_next_mandate_when_the_first_lets_go(self, house: House, peer: DnsPeer) -> None:
        ours = await proven(house, peer)
        theirs = await house.made(house.stranger, "/mandate/domains", domain=DOMAIN)
        peer.publish(theirs["record"])
        assert (await verify(house, theirs, house.stranger)).json()["code"] == "domain_taken"
        await house.call(house.administrator, "DELETE", f"/mandate/domains/{ours['id']}")
        assert (await verify(house, theirs, house.stranger)).status_code == 200


async def check(house: House) -> None:
    """A day on which the record is due."""
    await house.gateway.sql("UPDATE mandate_domains SET check_after = now()")
    await check_domains.handler(house.system_job())


class TestTheWeeklyCheck:
    async def test_keeps_a_domain_whose_record_stands_and_forgets_former_failures(
        self, house: House, peer: DnsPeer
    ) -> None:
        await proven(house, peer)
        peer.failing = True
        await check(house)
        await check(house)
        assert await state_of(house) == ("verified", 2)
        peer.failing = False
        await check(house)
        assert await state_of(house) == ("verified", 0)

    async def test_asks_about_what_is_due_only(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        peer.asked.clear()
        await check_domains.handler(house.system_job())
        assert peer.asked == []
        await check(house)
        await check_domains.handler(house.system_job())
        assert len(peer.asked) == 1

    async def test_suspends_at_the_third_failure_and_tells_the_administrators(
        self, house: House, peer: DnsPeer
    ) -> None:
        await proven(house, peer)
        peer.texts.clear()
        for _ in range(3):
            await check(house)
        assert await state_of(house) == ("suspended", 3)
        assert (await house.audited())[-3:] == ["domain_check_failed", "domain_check_failed", "domain_suspended"]
        mailer = await self._told(house)
        assert [mail.to for mail in mailer.mails] == [house.administrator.email]
        assert "_mandate-gateway.corp.example" in mailer.mails[0].text
        await check(house)
        assert await state_of(house) == ("suspended", 3)

    async def test_can_be_passed_again_afterwards(self, house: House, peer: DnsPeer) -> None:
        domain = await proven(house, peer)
        record = dict(peer.texts)
        peer.texts.clear()
        for _ in range(3):
            await check(house)
        peer.texts = record
        assert (await verify(house, domain)).status_code == 200
        assert await state_of(house) == ("verified", 0)
        assert (await self._told(house)).mails == []

    async def _told(self, house: House) -> RecordingMail:
        """Perform the waiting mail jobs."""
        mailer, services = RecordingMail(), house.gateway.services
        services._by_type[Mailer] = mailer
        for row in await house.gateway.sql("SELECT task_name, args FROM jobs.procrastinate_jobs ORDER BY id"):
            if row["task_name"] == tell_administrator.name:
                arguments = {name: UUID(value) for name, value in row["args"]["arguments"].items()}
                job = JobContext(1, 1, house.mandate, None, False, house.gateway.database, services, TaskRegistry())
                await tell_administrator.handler(job, **arguments)
        return mailer


class TestErasure:
    async def test_of_the_mandate_takes_its_domains_and_removals_along(self, house: House, peer: DnsPeer) -> None:
        await proven(house, peer)
        await house.call(house.administrator, "DELETE", f"/members/{house.membership}")
        await house.gateway.sql(
            "UPDATE mandates SET enabled = false, delete_after = now() WHERE id = :id", id=house.mandate
        )
        await house.erase_due()
        for table in ("mandate_domains", "removed_members"):
            assert await house.gateway.sql(f"SELECT 1 FROM {table}") == []
