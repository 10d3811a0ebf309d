"""No sequence of acts by people of a mandate gives anybody more than they held together at the beginning, however
roles, rules, groups, instances, dates, promises and invitations are combined, and however much time goes by.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
import os
from pathlib import Path
import tempfile
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
import pytest

from gateway.app import Gateway
from modules.auth.service.one_time_tokens import OneTimeTokens
from modules.rbac.service.scheduled_grants import ScheduledGrants
from modules.shared.catalogue import AccessLevel, Item, Reach
from modules.shared.ids import MandateId, RoleId, TokenId
from tests.rbac.plain_rights import Cell, Rights, administrators_of, rights_in
from tests.support.gateway import Person, RunningGateway, running_gateway, settings_for
from tests.support.postgres import FreshDatabases

LABEL = {"en": "x", "de": "x"}
MANAGED = {"rbac.roles", "members", "groups", "instances", "invitations"}
MANAGES = [
    {"kind": "RESOURCE", "item": item, "create": "all", "read": "all", "update": "all", "delete": "all"}
    for item in sorted(MANAGED)
]
BEGINNING = {
    "keeper": [
        *MANAGES,
        {"kind": "DATA", "item": "ledger", "read": "group"},
        {"kind": "DATA", "item": "notes.*", "read": "my"},
    ],
    "deputy": [
        *MANAGES,
        {"kind": "DATA", "item": "*", "create": "my"},
        {"kind": "DATA", "item": "notes", "read": "group"},
    ],
    "clerk": [
        *MANAGES[2:],
        {"kind": "DATA", "item": "*", "read": "my", "update": "all"},
        {"kind": "DATA", "item": "ledger.lines", "update": "none"},
    ],
}
"""What each of three people holds when it begins: all manage, and each reaches what the others do not."""

ABOVE = [
    {"kind": "RESOURCE", "item": "rbac.roles", "create": "all", "read": "all"},
    {"kind": "RESOURCE", "item": "members", "create": "all", "read": "all", "update": "all"},
    {"kind": "RESOURCE", "item": "invitations", "create": "all", "read": "all"},
    {"kind": "DATA", "item": "*", "create": "all", "read": "all", "update": "all"},
]
"""What somebody holds who reaches more than the three together, and only ever promises roles that are empty."""

LEVELS = [None, None, "none", "my", "group", "all"]
PATTERNS = ["*", "ledger", "ledger.*", "ledger.lines", "ledger.sum", "notes", "notes.*"]

Thing = TypeVar("Thing")
Answer = dict[str, Any] | None
number = st.integers(0, 9)
levels = st.sampled_from(LEVELS)
data_rules = st.fixed_dictionaries(
    {
        "kind": st.just("DATA"),
        "item": st.sampled_from(PATTERNS),
        "create": levels,
        "read": levels,
        "update": levels,
    }
)
resource_rules = st.fixed_dictionaries(
    {"kind": st.just("RESOURCE"), "item": st.sampled_from(["*", *sorted(MANAGED)]), "read": levels, "update": levels}
)
rules = st.lists(data_rules | resource_rules, max_size=3, unique_by=lambda each: (str(each["kind"]), str(each["item"])))
wide = st.just([{"kind": "DATA", "item": "*", "create": "all", "read": "all"}])
some = st.lists(number, max_size=2)
ends = st.sampled_from([None, None, "2 days", "40 days"])
acts = st.sampled_from(["keeper", "keeper", "deputy", "deputy", "clerk", "clerk", "guest"])


class Mandate(RuleBasedStateMachine):
    """A mandate whose people do what they can, each act by HTTP, each refusal welcome."""

    def __init__(self, databases: FreshDatabases) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.roles: list[str] = []
        self.groups: list[str] = []
        self.instances: list[str] = []
        self.promised: list[str] = []
        self.invited: list[tuple[str, str]] = []
        self.outsiders = 0
        self.databases = databases
        self.administered = True

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    # ── what people do ───────────────────────────────────────────────────────────────────────────────────────────────

    @rule(actor=acts, own=rules, instance=number, in_instance=st.booleans())
    def makes_a_role(self, actor: str, own: list[Any], instance: int, in_instance: bool) -> None:
        where = pick(self.instances, instance) if in_instance and self.instances else None
        made = self.act(actor, "POST", "/roles", {"name": f"role {len(self.roles)}", "instance_id": where})
        if made:
            self.roles.append(made["id"])
            self.act(actor, "PUT", f"/roles/{made['id']}/rules", {"rules": own})

    @rule(actor=acts, role=number)
    def duplicates_a_role(self, actor: str, role: int) -> None:
        name = {"name": f"role {len(self.roles)}"}
        made = self.act(actor, "POST", f"/roles/{pick(self.roles, role)}/duplicate", name)
        if made:
            self.roles.append(made["id"])

    @rule(actor=acts, role=number, own=rules)
    def rewrites_a_role(self, actor: str, role: int, own: list[Any]) -> None:
        self.act(actor, "PUT", f"/roles/{pick(self.roles, role)}/rules", {"rules": own})

    @rule(actor=acts, role=number, one=data_rules)
    def adds_a_rule(self, actor: str, role: int, one: dict[str, Any]) -> None:
        self.act(actor, "POST", f"/roles/{pick(self.roles, role)}/rules", one)

    @rule(actor=acts, role=number, which=number)
    def removes_a_rule(self, actor: str, role: int, which: int) -> None:
        path = f"/roles/{pick(self.roles, role)}/rules"
        listed = self.act("keeper", "GET", path)
        if listed and listed["items"]:
            self.act(actor, "DELETE", f"{path}/{pick(listed['items'], which)['id']}")

    @rule(actor=acts, role=number)
    def removes_a_role(self, actor: str, role: int) -> None:
        self.act(actor, "DELETE", f"/roles/{pick(self.roles, role)}")

    @rule(actor=acts, own=rules)
    def caps_everybody(self, actor: str, own: list[Any]) -> None:
        self.act(actor, "PUT", f"/roles/{self.everyone}/rules", {"rules": own})

    @rule(actor=acts, role=number, member=number, end=ends)
    def gives_a_role(self, actor: str, role: int, member: int, end: str | None) -> None:
        body = {"membership_id": self.member(member), "valid_until": self.ahead(end)}
        self.act(actor, "POST", f"/roles/{pick(self.roles, role)}/assignments", body)

    @rule(actor=acts, role=number, member=number, end=ends)
    def promises_a_role(self, actor: str, role: int, member: int, end: str | None) -> None:
        body = {"membership_id": self.member(member), "valid_from": self.ahead("1 day"), "valid_until": self.ahead(end)}
        self.act(actor, "POST", f"/roles/{pick(self.roles, role)}/assignments", body)

    @rule(actor=acts, member=number, roles=some)
    def sets_the_roles_of_a_member(self, actor: str, member: int, roles: list[int]) -> None:
        chosen = [pick(self.roles, role) for role in roles]
        self.act(actor, "PATCH", f"/members/{self.member(member)}", {"role_ids": chosen})

    @rule(actor=acts, member=number, enabled=st.booleans(), end=ends)
    def changes_the_terms_of_a_member(self, actor: str, member: int, enabled: bool, end: str | None) -> None:
        self.act(
            actor, "PATCH", f"/members/{self.member(member)}", {"enabled": enabled, "valid_until": self.ahead(end)}
        )

    @rule(actor=acts)
    def makes_a_group(self, actor: str) -> None:
        made = self.act(actor, "POST", "/groups", {"name": f"group {len(self.groups)}"})
        if made:
            self.groups.append(made["id"])

    @rule(actor=acts, group=number, member=number, into=st.booleans())
    def moves_a_member(self, actor: str, group: int, member: int, into: bool) -> None:
        if self.groups:
            path = f"/groups/{pick(self.groups, group)}/members/{self.user(member)}"
            self.act(actor, "PUT" if into else "DELETE", path)

    @rule(actor=acts)
    def makes_an_instance(self, actor: str) -> None:
        made = self.act(actor, "POST", "/instances", {"feature": "notes", "name": f"{len(self.instances)}"})
        if made:
            self.instances.append(made["id"])

    @rule(actor=acts, instance=number, member=number, roles=some, end=ends)
    def gives_access_to_an_instance(
        self, actor: str, instance: int, member: int, roles: list[int], end: str | None
    ) -> None:
        if self.instances:
            body = {"role_ids": [pick(self.roles, role) for role in roles], "valid_until": self.ahead(end)}
            path = f"/instances/{pick(self.instances, instance)}/access/{self.user(member)}"
            self.act(actor, "PUT", path, body)

    @rule(actor=acts, roles=some, groups=some)
    def invites_somebody_who_accepts(self, actor: str, roles: list[int], groups: list[int]) -> None:
        chosen = [pick(self.roles, role) for role in roles]
        self.invite(actor, chosen, [pick(self.groups, group) for group in groups if self.groups])
        self.those_invited_accept()

    @rule(member=number, invited=st.booleans(), actor=acts, own=rules | wide, days=st.sampled_from([0, 2, 2]))
    def somebody_above_promises_an_empty_role_which_is_filled(
        self, member: int, invited: bool, actor: str, own: list[Any], days: int
    ) -> None:
        """And often enough the promise is kept at once, before anything else can come in between."""
        made = self.act("above", "POST", "/roles", {"name": f"role {len(self.roles)}"})
        if made:
            self.roles.append(made["id"])
            self.promised.append(made["id"])
            if invited:
                self.invite("above", [made["id"]], [])
            else:
                body = {"membership_id": self.member(member), "valid_from": self.ahead("1 day")}
                self.act("above", "POST", f"/roles/{made['id']}/assignments", body)
            self.act(actor, "PUT", f"/roles/{made['id']}/rules", {"rules": own})
            if days:
                self.time_goes_by(days)

    @rule(actor=acts, role=number, own=rules)
    def rewrites_a_promised_role(self, actor: str, role: int, own: list[Any]) -> None:
        if self.promised:
            self.act(actor, "PUT", f"/roles/{pick(self.promised, role)}/rules", {"rules": own})

    @rule(days=st.sampled_from([2, 50]))
    def time_goes_by(self, days: int) -> None:
        """All dates come nearer, and what was promised is settled."""
        self.those_invited_accept()
        self.run(self._go_by(days))

    # ── what always holds ────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def nobody_has_more_than_all_had(self) -> None:
        assert self.run(self._rights()).beyond(self.ceiling) == []

    @invariant()
    def somebody_administers(self) -> None:
        assert self.run(administrators_of(self.gateway, self.mandate, self.items))

    # ── how it is done ───────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, doing: Coroutine[Any, Any, Thing]) -> Thing:
        return self.runner.run(doing)

    def act(self, actor: str, method: str, path: str, body: object = None) -> Answer:
        """The answer's body, or None for a refusal. Nothing may ever fail."""
        return self.run(self._act(self.people[actor], method, path, body))

    async def _act(self, person: Person, method: str, path: str, body: object) -> Answer:
        async with self.gateway.client(person, self.mandate) as client:
            answer = await client.request(method, f"/api/v1{path}", json=body)
        assert answer.status_code < 500, answer.text
        document: Answer = answer.json() if answer.is_success and answer.content else None
        return document

    def invite(self, actor: str, roles: list[str], groups: list[str]) -> None:
        email = f"outsider{self.outsiders}@example.test"
        self.outsiders += 1
        if self.act(actor, "POST", "/invitations", {"email": email, "role_ids": roles, "group_ids": groups}):
            newest = "SELECT id FROM tokens WHERE purpose = 'invitation' ORDER BY id DESC LIMIT 1"
            (token,) = self.run(self.gateway.sql(newest))
            self.invited.append((email, str(token["id"])))

    def those_invited_accept(self) -> None:
        for email, token in self.invited:
            self.run(self._accept(email, token))
        self.invited = []

    def member(self, place: int) -> str:
        return str(pick(self._members(), place)["id"])

    def user(self, place: int) -> str:
        return str(pick(self._members(), place)["user_id"])

    def _members(self) -> Sequence[Any]:
        """Whom people act on: nobody touches the one above."""
        members: Sequence[Any] = self.run(
            self.gateway.sql(
                "SELECT id, user_id FROM memberships WHERE mandate_id = :m AND user_id <> :above ORDER BY id",
                m=self.mandate,
                above=self.people["above"].id,
            )
        )
        return members

    def ahead(self, interval: str | None) -> str | None:
        if interval is None:
            return None
        (row,) = self.run(self.gateway.sql(f"SELECT now() + interval '{interval}' AS moment"))
        moment: str = row["moment"].isoformat()
        return moment

    async def _begin(self) -> None:
        directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        urls = self.stack.enter_context(self.databases.copy())
        mounted = Gateway(settings_for(urls, directory, rate_limits__enabled="no"))
        declared = [
            mounted.declare_item("ledger", label=LABEL, fields=["sum"]),
            mounted.declare_item("ledger.lines", label=LABEL),
            mounted.declare_item("notes", label=LABEL, reach=Reach.INSTANCE),
        ]
        self.gateway: RunningGateway = await self.stack.enter_async_context(
            running_gateway(urls, directory, gateway=mounted)
        )
        self.items: list[Item] = [*declared, *(item for item in mounted.catalogue if item.path in MANAGED)]
        self.mandate: MandateId = await self.gateway.mandate("acme")
        self.people = {name: await self.gateway.person() for name in (*BEGINNING, "guest", "above")}
        for name, person in self.people.items():
            membership = await self.gateway.join(person, self.mandate)
            if name in BEGINNING:
                await self.gateway.give(membership, self.mandate, await self._role(name, BEGINNING[name]))
        listed = await self.gateway.sql(
            "SELECT id, key FROM roles WHERE scope = 'global' OR mandate_id = :m", m=self.mandate
        )
        self.roles += [str(row["id"]) for row in listed if row["key"] != "everyone"]
        (everyone,) = await self.gateway.sql(
            "SELECT id FROM roles WHERE mandate_id = :m AND key = 'everyone'", m=self.mandate
        )
        self.everyone = everyone["id"]
        (above,) = await self.gateway.sql(
            "SELECT id FROM memberships WHERE user_id = :above", above=self.people["above"].id
        )
        await self.gateway.give(above["id"], self.mandate, await self._role("above", ABOVE))
        self.ceiling: dict[Cell, AccessLevel] = await self._ceiling()

    async def _ceiling(self) -> dict[Cell, AccessLevel]:
        """An instance is needed to ask what its items give; whoever is in it holds no role of it yet."""
        instance = await self.gateway.instance(self.mandate, "beginning")
        together = (await self._rights()).together()
        await self.gateway.sql("DELETE FROM feature_instances WHERE id = :id", id=instance)
        return together

    async def _rights(self) -> Rights:
        """Everybody's but the one's above."""
        everybodys = await rights_in(self.gateway, self.mandate, self.items)
        above = self.people["above"].id
        return Rights({held: cells for held, cells in everybodys.levels.items() if held[0] != above})

    async def _role(self, name: str, own: Sequence[Mapping[str, str]]) -> RoleId:
        """A role as it was before: written by the test, since nobody held anything to give."""
        rows = await self.gateway.sql(
            "INSERT INTO roles (id, mandate_id, scope, name, version)"
            " VALUES (gen_random_uuid(), :m, 'mandate', :name, gen_random_uuid()) RETURNING id",
            m=self.mandate,
            name=name,
        )
        number_of = {None: None, "none": 0, "my": 1, "group": 2, "all": 3}
        for each in own:
            await self.gateway.sql(
                "INSERT INTO access_rules"
                " (id, mandate_id, role_id, kind, item, may_create, may_read, may_update, may_delete)"
                " VALUES (gen_random_uuid(), :m, :role, :kind, :item, :create, :read, :update, :delete)",
                m=self.mandate,
                role=rows[0]["id"],
                kind=each["kind"],
                item=each["item"],
                **{action: number_of[each.get(action)] for action in ("create", "read", "update", "delete")},
            )
        return RoleId(rows[0]["id"])

    async def _accept(self, email: str, token: str) -> None:
        outsider = await self.gateway.person(email)
        async with self.gateway.database.system_session() as session:
            secret = await OneTimeTokens().give_secret(session, TokenId(UUID(token)))
        async with self.gateway.client(outsider) as client:
            answer = await client.post("/api/v1/invitations/accept", json={"token": secret})
        assert answer.status_code < 500, answer.text

    async def _go_by(self, days: int) -> None:
        for table in ("memberships", "instance_access", "role_assignments", "scheduled_grants"):
            await self.gateway.sql(
                f"UPDATE {table} SET valid_from = valid_from - :days * interval '1 day',"
                " valid_until = valid_until - :days * interval '1 day'",
                days=days,
            )
        await self.gateway.services.get(ScheduledGrants).settle_due()


def pick(things: Sequence[Thing], place: int) -> Thing:
    return things[place % len(things)]


@pytest.mark.slow
def test_no_sequence_of_acts_escalates(fresh_databases: FreshDatabases) -> None:
    run_state_machine_as_test(
        lambda: Mandate(fresh_databases),  # type: ignore[arg-type] # any factory will do
        settings=settings(
            max_examples=int(os.environ.get("GATEWAY_TEST_EXAMPLES", "5")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
