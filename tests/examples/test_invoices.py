"""The example application as its users meet it: the same rows, seen by people with different rights."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from examples.invoices.application import create_app, prepare
from gateway import Gateway
from modules.shared.ids import InstanceId, MandateId, RoleId, new_id
from tests.support.gateway import Person, RunningGateway, running_gateway, settings_for
from tests.support.postgres import DatabaseUrls


@dataclass(frozen=True, slots=True)
class Office:
    """The application with a mandate: its people, and one invoice of each who writes some."""

    host: RunningGateway
    mandate: MandateId
    administrator: Person
    member: Person
    viewer: Person

    async def call(
        self, person: Person, method: str, path: str, body: object = None, instance_id: InstanceId | None = None
    ) -> tuple[int, dict[str, object]]:
        async with self.host.client(person, self.mandate, instance_id) as client:
            answer = await client.request(method, path, json=body)
            return answer.status_code, answer.json() if answer.content else {}

    async def invoice(self, person: Person, number: str, margin: str | None = "20.00") -> str:
        body = {"number": number, "customer": "Säntis Dairy", "amount": "100.00", "margin": margin}
        status, made = await self.call(person, "POST", "/invoices", body)
        assert status == 201, made
        return str(made["id"])

    async def numbers(self, person: Person) -> list[str]:
        status, found = await self.call(person, "GET", "/invoices")
        assert status == 200, found
        return [each["number"] for each in found["items"]]  # type: ignore[attr-defined]

    async def rule(self, name: str, item: str, **columns: int | None) -> RoleId:
        """A role of the mandate with one rule."""
        role_id = RoleId(new_id())
        await self.host.sql(
            "INSERT INTO roles (id, mandate_id, scope, name, version)"
            " VALUES (:id, :mandate, 'mandate', :name, gen_random_uuid())",
            id=role_id,
            mandate=self.mandate,
            name=name,
        )
        levels = {column: columns.get(column) for column in ("create", "read", "update", "delete")}
        await self.host.sql(
            "INSERT INTO access_rules"
            " (id, mandate_id, role_id, kind, item, may_create, may_read, may_update, may_delete)"
            " VALUES (:id, :mandate, :role, 'DATA', :item, :create, :read, :update, :delete)",
            id=new_id(),
            mandate=self.mandate,
            role=role_id,
            item=item,
            **levels,
        )
        return role_id

    async def give(self, person: Person, role_id: RoleId) -> None:
        rows = await self.host.sql(
            "SELECT id FROM memberships WHERE mandate_id = :mandate AND user_id = :user",
            mandate=self.mandate,
            user=person.id,
        )
        await self.host.give(rows[0]["id"], self.mandate, role_id)


@pytest.fixture
async def office(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Office]:
    await prepare(database_urls.owner)
    gateway = Gateway(settings_for(database_urls, tmp_path))
    app = create_app(gateway)
    app.state.mounted_in_test = True
    async with running_gateway(database_urls, tmp_path, app=app, gateway=gateway) as host:
        mandate = await host.mandate("alpine")
        people = {key: await host.person(f"{key}@example.org") for key in ("administrator", "member", "viewer")}
        for key, person in people.items():
            await host.join(person, mandate, key)
        yield Office(host, mandate, **people)


class TestListInvoices:
    async def test_shows_a_viewer_all_of_the_mandate(self, office: Office) -> None:
        await office.invoice(office.administrator, "1")
        await office.invoice(office.member, "2")
        assert await office.numbers(office.viewer) == ["1", "2"]

    async def test_shows_only_their_own_to_whoever_reads_their_own(self, office: Office) -> None:
        await office.invoice(office.administrator, "1")
        await office.invoice(office.member, "2")
        await office.give(office.member, await office.rule("own only", "invoices", read=1))
        assert await office.numbers(office.member) == ["2"]

    async def test_shows_nothing_of_another_mandate(self, office: Office) -> None:
        await office.invoice(office.administrator, "1")
        other = await office.host.mandate("baltic")
        await office.host.join(office.administrator, other, "administrator")
        async with office.host.client(office.administrator, other) as client:
            assert (await client.get("/invoices")).json() == {"items": []}

    async def test_follows_a_changed_rule_with_the_next_request(self, office: Office) -> None:
        await office.invoice(office.administrator, "1")
        assert await office.numbers(office.viewer) == ["1"]
        await office.give(office.viewer, await office.rule("nothing", "invoices", read=0))
        status, problem = await office.call(office.viewer, "GET", "/invoices")
        assert (status, problem["code"]) == (403, "permission_denied")


class TestMargin:
    """The field with rules of its own."""

    @pytest.fixture
    async def invoice(self, office: Office) -> str:
        await office.give(office.member, await office.rule("no margins", "invoices.margin", read=0, update=0, create=0))
        return await office.invoice(office.member, "1", margin=None)

    async def test_is_shown_to_whoever_may_read_it(self, office: Office) -> None:
        path = f"/invoices/{await office.invoice(office.administrator, '1')}"
        assert (await office.call(office.viewer, "GET", path))[1]["margin"] == "20.00"

    async def test_is_null_to_whoever_may_not(self, office: Office, invoice: str) -> None:
        await office.call(office.administrator, "PATCH", f"/invoices/{invoice}", {"margin": "33.00"})
        assert (await office.call(office.member, "GET", f"/invoices/{invoice}"))[1]["margin"] is None

    async def test_cannot_be_set_by_whoever_may_not(self, office: Office, invoice: str) -> None:
        status, problem = await office.call(office.member, "PATCH", f"/invoices/{invoice}", {"margin": "1.00"})
        assert (status, problem["item"]) == (403, "invoices.margin")

    async def test_does_not_stand_in_the_way_of_the_rest(self, office: Office, invoice: str) -> None:
        status, changed = await office.call(office.member, "PATCH", f"/invoices/{invoice}", {"customer": "Riga"})
        assert (status, changed["customer"]) == (200, "Riga")


class TestChangeInvoice:
    async def test_is_not_found_beyond_the_callers_reach(self, office: Office) -> None:
        foreign = await office.invoice(office.administrator, "1")
        status, problem = await office.call(office.member, "PATCH", f"/invoices/{foreign}", {"customer": "Riga"})
        assert (status, problem["code"]) == (404, "not_found")

    async def test_is_refused_to_a_viewer(self, office: Office) -> None:
        invoice = await office.invoice(office.administrator, "1")
        status, problem = await office.call(office.viewer, "PATCH", f"/invoices/{invoice}", {"customer": "Riga"})
        assert (status, problem["code"]) == (403, "permission_denied")

    async def test_names_an_unknown_field(self, office: Office) -> None:
        invoice = await office.invoice(office.member, "1")
        status, problem = await office.call(office.member, "PATCH", f"/invoices/{invoice}", {"owner_id": str(uuid4())})
        assert status == 422
        assert problem["detail"][0]["loc"] == ["body", "owner_id"]  # type: ignore[index]  # a host keeps FastAPI's shape


class TestCreateInvoice:
    async def test_belongs_to_whoever_makes_it(self, office: Office) -> None:
        invoice = await office.invoice(office.member, "1")
        _, read = await office.call(office.viewer, "GET", f"/invoices/{invoice}")
        assert UUID(str(read["owner_id"])) == office.member.id
        assert Decimal(str(read["amount"])) == Decimal("100.00")

    async def test_refuses_a_number_twice(self, office: Office) -> None:
        await office.invoice(office.member, "1")
        body = {"number": "1", "customer": "Riga", "amount": "1.00"}
        status, problem = await office.call(office.member, "POST", "/invoices", body)
        assert (status, problem["code"]) == (409, "invoice_number_taken")

    async def test_takes_the_same_number_in_another_mandate(self, office: Office) -> None:
        await office.invoice(office.administrator, "1")
        other = await office.host.mandate("baltic")
        await office.host.join(office.administrator, other, "administrator")
        async with office.host.client(office.administrator, other) as client:
            answer = await client.post("/invoices", json={"number": "1", "customer": "Riga", "amount": "1.00"})
        assert answer.status_code == 201


class TestDeleteInvoice:
    async def test_reaches_ones_own(self, office: Office) -> None:
        invoice = await office.invoice(office.member, "1")
        assert (await office.call(office.member, "DELETE", f"/invoices/{invoice}"))[0] == 204
        assert await office.numbers(office.viewer) == []

    async def test_does_not_find_somebody_elses(self, office: Office) -> None:
        invoice = await office.invoice(office.administrator, "1")
        assert (await office.call(office.member, "DELETE", f"/invoices/{invoice}"))[0] == 404
        assert await office.numbers(office.viewer) == ["1"]


class TestPettyCash:
    """Decided per instance."""

    @pytest.fixture
    async def zurich(self, office: Office) -> InstanceId:
        return await self.instance(office, "Zürich")

    async def instance(self, office: Office, name: str) -> InstanceId:
        instance_id = await office.host.instance(office.mandate, "petty-cash", name)
        await office.host.sql(
            "INSERT INTO instance_access (id, mandate_id, instance_id, user_id)"
            " VALUES (:id, :mandate, :instance, :user)",
            id=new_id(),
            mandate=office.mandate,
            instance=instance_id,
            user=office.member.id,
        )
        return instance_id

    async def test_needs_to_know_the_instance(self, office: Office) -> None:
        status, problem = await office.call(office.member, "GET", "/petty-cash")
        assert (status, problem["code"]) == (400, "instance_required")

    async def test_is_closed_to_whoever_has_no_access_to_it(self, office: Office, zurich: InstanceId) -> None:
        status, problem = await office.call(office.administrator, "GET", "/petty-cash", instance_id=zurich)
        assert (status, problem["code"]) == (403, "instance_access_disabled")

    async def test_of_one_office_is_not_that_of_another(self, office: Office, zurich: InstanceId) -> None:
        bern = await self.instance(office, "Bern")
        body = {"purpose": "Tram tickets", "amount": "18.60"}
        assert (await office.call(office.member, "POST", "/petty-cash", body, zurich))[0] == 201
        _, here = await office.call(office.member, "GET", "/petty-cash", instance_id=zurich)
        _, there = await office.call(office.member, "GET", "/petty-cash", instance_id=bern)
        assert ([each["purpose"] for each in here["items"]], there["items"]) == (["Tram tickets"], [])  # type: ignore[attr-defined]

    async def test_entry_of_another_office_is_not_found(self, office: Office, zurich: InstanceId) -> None:
        bern = await self.instance(office, "Bern")
        _, entry = await office.call(office.member, "POST", "/petty-cash", {"purpose": "Tea", "amount": "3"}, zurich)
        assert (await office.call(office.member, "DELETE", f"/petty-cash/{entry['id']}", None, bern))[0] == 404
        assert (await office.call(office.member, "DELETE", f"/petty-cash/{entry['id']}", None, zurich))[0] == 204


async def test_migrating_twice_changes_nothing(database_urls: DatabaseUrls) -> None:
    await prepare(database_urls.owner)
    await prepare(database_urls.owner)
