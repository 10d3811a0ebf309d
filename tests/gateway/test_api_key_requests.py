"""The way of a request by API key: what it costs, what it may do, what it refuses, and how soon a change counts."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
import pytest

from gateway import RequestContext, require
from gateway.app import Gateway
from modules.auth.api_keys import new_api_key
from modules.auth.service.activity import ActivityService
from modules.rbac.repository.authorisation import Authorisation
from modules.shared import clock
from modules.shared.catalogue import Reach
from modules.shared.ids import MandateId, new_id
from tests.support.api_keys import Key, make_key
from tests.support.gateway import Person, RunningGateway, running_gateway, settings_for
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def host(database_urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A host application with guarded routes."""
    app = FastAPI()
    gateway = Gateway(settings_for(database_urls, tmp_path))
    gateway.declare_item("invoices", label={"en": "Invoices", "de": "Rechnungen"})
    gateway.declare_item("tasks", label={"en": "Tasks", "de": "Aufgaben"}, reach=Reach.INSTANCE)

    @app.get("/invoices")
    async def list_invoices(context: RequestContext = require("invoices", "read")) -> dict[str, Any]:
        return {
            "read": context.level("invoices", "read").name,
            "update": context.level("invoices", "update").name,
            "can update": context.can("invoices", "update"),
            "rules": sorted({f"{rule.item}:{rule.read}" for _, rule in context.get_rules() if rule.kind == "DATA"}),
            "sysadmin": (context.is_sysadmin, context.has_sysadmin_role),
            "authority": context.login.authority,
            "recent": context.login.is_recent(context.login.authenticated_at - context.login.authenticated_at),
        }

    @app.post("/invoices")
    async def create_invoice(context: RequestContext = require("invoices", "create")) -> None: ...

    @app.get("/tasks")
    async def list_tasks(context: RequestContext = require("tasks", "read")) -> str:
        return context.level("tasks", "read").name

    async with running_gateway(database_urls, tmp_path, app=app, gateway=gateway) as running:
        yield running


async def asked(key: Key, mandate_id: MandateId | None, method: str = "GET", **headers: str) -> tuple[int, str]:
    """What the guarded route answers a program."""
    async with key.client(mandate_id, None, **headers) as client:
        answer = await client.request(method, "/invoices")
        return answer.status_code, answer.json().get("code", "") if answer.is_error else ""


async def member(
    host: RunningGateway, *roles: str, slug: str = "here", sysadmin: bool = False
) -> tuple[Person, MandateId]:
    ada, here = await host.person(sysadmin=sysadmin), await host.mandate(slug)
    await host.join(ada, here, *roles)
    return ada, here


class TestARequestByKey:
    async def test_asks_one_statement(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        key = await make_key(host, ada, "invoices:read")
        assert await asked(key, here) == (200, "")
        connections = host.services.get(Authorisation).connections
        before = connections.statements
        assert await asked(key, here) == (200, "")
        assert connections.statements == before + 1

    async def test_may_what_the_scopes_leave_of_the_owners_rights(self, host: RunningGateway) -> None:
        ada, here = await member(host, "administrator")
        key = await make_key(host, ada, "invoices:read:group", "members:*")
        async with key.client(here) as client:
            told = (await client.get("/invoices")).json()
        assert (told["read"], told["update"], told["can update"]) == ("GROUP", "NONE", False)
        assert {"*:0", "invoices:2", "members:3"} <= set(told["rules"])
        assert told["authority"] == "api_key"

    async def test_may_nothing_its_owner_may_not(self, host: RunningGateway) -> None:
        ada, here = await member(host, "viewer")
        key = await make_key(host, ada, "*")
        assert await asked(key, here) == (200, "")
        assert await asked(key, here, "POST") == (403, "permission_denied")

    async def test_is_told_the_scope_it_lacks(self, host: RunningGateway) -> None:
        ada, here = await member(host, "administrator")
        key = await make_key(host, ada, "invoices:read")
        async with key.client(here) as client:
            answer = await client.post("/invoices")
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
        assert answer.json()["scope"] == "invoices:create"

    async def test_is_never_a_recent_sign_in(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        key = await make_key(host, ada, "*")
        async with key.client(here) as client:
            assert (await client.get("/invoices")).json()["recent"] is False

    async def test_needs_a_mandate_where_one_is_needed(self, host: RunningGateway) -> None:
        ada, _ = await member(host, "member")
        assert await asked(await make_key(host, ada, "*"), None) == (400, "mandate_required")

    async def test_is_decided_in_the_instance(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        instance = await host.instance(here, "demo")
        key = await make_key(host, ada, "tasks:read:my")
        async with key.client(here, instance) as client:
            assert (await client.get("/tasks")).json()["code"] == "instance_access_disabled"
            await host.sql(
                "INSERT INTO instance_access (id, mandate_id, instance_id, user_id) VALUES (:id, :m, :i, :u)",
                id=new_id(), m=here, i=instance, u=ada.id,
            )  # fmt: skip
            assert (await client.get("/tasks")).json() == "MY"

    async def test_of_a_stranger_is_refused(self, host: RunningGateway) -> None:
        ada, _ = await member(host, "administrator")
        foreign = await host.mandate("foreign")
        assert await asked(await make_key(host, ada, "*"), foreign) == (403, "not_a_member")


class TestABoundKey:
    async def test_works_in_its_mandate_only(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        there = await host.mandate("there")
        await host.join(ada, there, "member")
        key = await make_key(host, ada, "*", mandate_id=here)
        assert await asked(key, here) == (200, "")
        assert await asked(key, there) == (403, "key_of_another_mandate")

    async def test_sees_no_other_mandate_among_its_owners(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        await host.join(ada, await host.mandate("there"), "member")
        for key, expected in (
            (await make_key(host, ada, "*", mandate_id=here), ["here"]),
            (await make_key(host, ada, "*"), ["here", "there"]),
        ):
            async with key.client() as client:
                listed = (await client.get("/api/v1/mandates")).json()["items"]
            assert [mandate["slug"] for mandate in listed] == expected


_CHANGES = {
    "key": ("UPDATE tokens SET revoked_at = now() WHERE id = :key", (401, "invalid_token")),
    "key's end": ("UPDATE tokens SET expires_at = now() WHERE id = :key", (401, "invalid_token")),
    "key's scopes": ("UPDATE api_keys SET scopes = '{audit:read}' WHERE id = :key", (403, "insufficient_scope")),
    "key's rows": ("DELETE FROM api_keys WHERE id = :key", (401, "invalid_token")),
    "owner": ("UPDATE users SET state = 'disabled' WHERE id = :user", (401, "invalid_token")),
    "mandate": ("UPDATE mandates SET enabled = false WHERE id = :mandate", (403, "not_a_member")),
    "membership": ("UPDATE memberships SET enabled = false WHERE user_id = :user", (403, "membership_disabled")),
    "ended membership": ("UPDATE memberships SET valid_until = now() WHERE user_id = :user",
                         (403, "membership_disabled")),
    "assignment": ("DELETE FROM role_assignments WHERE mandate_id = :mandate", (403, "permission_denied")),
    "rule": ("UPDATE access_rules SET may_read = 0 WHERE kind = 'DATA' AND item = '*'", (403, "permission_denied")),
    "login policy": ("UPDATE mandates SET login_policy = '{\"authorities\": [\"local\"]}' WHERE id = :mandate",
                     (403, "login_method_not_allowed")),
    "policy for factors": ("UPDATE mandates SET login_policy = '{\"second_factor\": true}' WHERE id = :mandate",
                           (403, "login_method_not_allowed")),
    "policy for keys": ("UPDATE mandates SET login_policy = '{\"authorities\": [\"api_key\"]}' WHERE id = :mandate",
                        (200, "")),
    "owner's version": ("UPDATE users SET ver = ver + 1 WHERE id = :user", (200, "")),
    "owner's sessions": ("UPDATE sessions SET revoked_at = now() WHERE user_id = :user", (200, "")),
}  # fmt: skip


class TestAChange:
    @pytest.mark.parametrize("what", _CHANGES)
    async def test_counts_with_the_very_next_request(self, host: RunningGateway, what: str) -> None:
        ada, here = await member(host, "member")
        key = await make_key(host, ada, "invoices:read")
        assert await asked(key, here) == (200, "")
        statement, expected = _CHANGES[what]
        parameters = {"user": ada.id, "mandate": here, "key": key.id}
        await host.sql(statement, **{name: value for name, value in parameters.items() if f":{name}" in statement})
        assert await asked(key, here) == expected


class TestALoginPolicy:
    async def test_is_judged_on_the_sign_in_that_made_the_key(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        await host.sql("UPDATE sessions SET amr = '{pwd,otp,mfa}' WHERE user_id = :user", user=ada.id)
        key = await make_key(host, ada, "*")
        await host.sql("UPDATE mandates SET login_policy = '{\"second_factor\": true}' WHERE id = :id", id=here)
        assert await asked(key, here) == (200, "")


class TestTheFlag:
    async def test_never_comes_with_a_key(self, host: RunningGateway) -> None:
        ada, here = await member(host, "administrator", sysadmin=True)
        root = await host.root()
        await host.join(ada, root, "sysadmin")
        key = await make_key(host, ada, "*", "admin.*:*")
        async with key.client(here) as client:
            assert (await client.get("/invoices")).json()["sysadmin"] == [False, False]
        async with key.client(root) as client:
            assert (await client.get("/invoices")).json()["sysadmin"] == [False, False]
        assert await key.answer("GET", "/admin/system/keys") == (403, "api_key_not_accepted")

    async def test_opens_no_mandate_to_a_key(self, host: RunningGateway) -> None:
        flagged, here = await host.person(sysadmin=True), await host.mandate("here")
        key = await make_key(host, flagged, "*")
        assert await asked(key, here) == (403, "not_a_member")
        assert await host.sql("SELECT id FROM sysadmin_entries") == []

    async def test_is_not_needed_for_what_a_role_of_the_root_mandate_gives_and_a_scope_names(
        self, host: RunningGateway
    ) -> None:
        ada = await host.person(sysadmin=True)
        await host.join(ada, await host.root(), "sysadmin")
        everything, named = await make_key(host, ada, "*"), await make_key(host, ada, "admin.users:*")
        assert await everything.answer("GET", "/admin/users") == (403, "insufficient_scope")
        assert await named.answer("GET", "/admin/users") == (200, "")
        assert await named.answer("GET", "/admin/mandates") == (403, "insufficient_scope")
        assert await named.answer("POST", f"/admin/users/{ada.id}/disable") == (403, "step_up_required")


class TestGarbage:
    @pytest.mark.parametrize(
        "changed",
        ["{key}0", "{short}", "{other}", "{swapped}", "mgk_", "mgk_{long}", "{start}%00{end}", "ghp_{bare}", "{bare}",
         "{key}.{key}", "mgk_-{bare}", "MGK_{bare}", "{key} {key}"],
    )  # fmt: skip
    async def test_is_refused_without_asking_the_database(self, host: RunningGateway, changed: str) -> None:
        ada, here = await member(host, "member")
        key = await make_key(host, ada, "*")
        text = key.secret
        presented = changed.format(
            key=text,
            short=text[:-1],
            other=text[:-1] + ("1" if text[-1] == "0" else "0"),
            swapped=text.swapcase(),
            long="x" * 5000,
            start=text[:20],
            end=text[20:],
            bare=text[4:],
        )
        connections = host.services.get(Authorisation).connections
        before = connections.statements
        assert await asked(replace(key, secret=presented), here) == (401, "invalid_token")
        assert connections.statements == before

    async def test_that_is_well_formed_is_refused_by_the_database(self, host: RunningGateway) -> None:
        _, here = await member(host, "member")
        assert await asked(Key(new_id(), new_api_key(), host), here) == (401, "invalid_token")

    async def test_in_a_cookie_is_no_credential(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        key = await make_key(host, ada, "*")
        async with host.client(None, here, Cookie=f"auth_token={key.secret}") as client:
            assert (await client.get("/invoices")).status_code == 401

    async def test_beside_a_cookie_that_holds_is_a_conflict(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        key = await make_key(host, ada, "*")
        assert await asked(key, here, Cookie=f"auth_token={ada.token}") == (401, "credential_conflict")


class TestLastUse:
    async def test_is_written_once_a_minute(self, host: RunningGateway) -> None:
        ada, here = await member(host, "member")
        key = await make_key(host, ada, "*")
        used = "SELECT last_used_at FROM api_keys"
        assert (await host.sql(used))[0]["last_used_at"] is None
        await asked(key, here)
        await host.services.get(ActivityService).flush()
        first = (await host.sql(used))[0]["last_used_at"]
        assert first is not None
        await asked(key, here)
        await host.services.get(ActivityService).flush()
        assert (await host.sql(used))[0]["last_used_at"] == first
        await host.sql("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
        await asked(key, here)
        await host.services.get(ActivityService).flush()
        assert (await host.sql(used))[0]["last_used_at"] > first


class TestQuestionsAboutRights:
    async def test_are_answered_for_the_key(self, host: RunningGateway) -> None:
        ada, here = await member(host, "administrator")
        key = await make_key(host, ada, "members:read", "rbac.roles:read")
        questions = [{"item": "members", "action": action} for action in ("read", "update")]
        async with key.client(here) as client:
            checks = (await client.post("/api/v1/rbac/check", json={"checks": questions})).json()["results"]
            context = (await client.get("/api/v1/context")).json()
            why = (await client.post("/api/v1/rbac/explain", json=questions[1])).json()
            matrix = await client.get("/api/v1/rbac/matrix")
        assert [check["level"] for check in checks] == ["all", "none"]
        told = {each["item"]: each["levels"] for each in context["permissions"] if each["kind"] == "RESOURCE"}
        assert told["members"] == {"view": "none", "create": "none", "read": "all", "update": "none", "delete": "none"}
        assert set(told["audit"].values()) == {"none"}
        assert why["reasons"]["caps"][0]["role"] == "API key"
        assert matrix.status_code == 200


class TestGrantsByKey:
    """Nobody gives by a key what the key itself could not do."""

    async def test_stay_within_its_scopes(self, host: RunningGateway) -> None:
        ada, here = await member(host, "administrator")
        bob = await host.person()
        membership = await host.join(bob, here)
        viewer, administrator = str(await host.role("viewer")), str(await host.role("administrator"))

        async def give(role: str, *scopes: str) -> tuple[int, str]:
            key = await make_key(host, ada, *scopes)
            return await key.answer("PATCH", f"/members/{membership}", here, role_ids=[role])

        assert await give(viewer, "members:update") == (403, "escalation_refused")
        assert await give(administrator, "members:update", "*:read", "*:view") == (403, "escalation_refused")
        assert await give(viewer, "members:update", "*:read:my", "*:view") == (403, "escalation_refused")
        assert await host.sql("SELECT id FROM role_assignments WHERE membership_id = :id", id=membership) == []
        assert await give(viewer, "members:update", "*:read", "*:view") == (200, "")
        assert await give(administrator, "*") == (200, "")

    async def test_of_global_roles_stay_within_its_scopes(self, host: RunningGateway) -> None:
        ada, root = await host.person(), await host.root()
        await host.join(ada, root, "sysadmin")
        rule = {"kind": "DATA", "item": "invoices", "read": "all"}

        async def add(*scopes: str) -> tuple[int, str]:
            key = await make_key(host, ada, *scopes)
            async with key.client() as client:
                made = await client.post("/api/v1/admin/roles", json={"name": f"role {key.id}"})
                added = await client.post(f"/api/v1/admin/roles/{made.json()['id']}/rules", json=rule)
            return added.status_code, added.json().get("code", "")

        assert await add("admin.roles:*") == (403, "escalation_refused")
        assert await add("admin.roles:*", "invoices:read:my") == (403, "escalation_refused")
        assert await add("admin.roles:*", "invoices:read") == (201, "")

    async def test_are_not_promised_to_the_invited(self, host: RunningGateway) -> None:
        ada, here = await member(host, "administrator")
        key = await make_key(host, ada, "invitations:*")
        role = str(await host.role("administrator"))
        promise = await key.answer("POST", "/invitations", here, email="new@example.test", role_ids=[role])
        assert promise == (403, "api_key_not_accepted")
        assert await key.answer("POST", "/invitations", here, email="new@example.test") == (201, "")

    async def test_are_not_promised_anew_to_the_invited(self, host: RunningGateway) -> None:
        ada, here = await member(host, "administrator")
        key = await make_key(host, ada, "invitations:*")
        promises = {"email": "one@example.test", "role_ids": [str(await host.role("viewer"))]}
        async with host.client(ada, here) as client:
            sent = [
                (await client.post("/api/v1/invitations", json=document)).json()["id"]
                for document in (promises, {"email": "two@example.test"})
            ]
        assert await key.answer("POST", f"/invitations/{sent[0]}/resend", here) == (403, "api_key_not_accepted")
        assert await key.answer("POST", f"/invitations/{sent[1]}/resend", here) == (200, "")

    async def test_are_not_promised_for_later(self, host: RunningGateway) -> None:
        """A promise is kept by all its maker may do then, whatever the role has become."""
        ada, here = await member(host, "administrator")
        membership = str(await host.join(await host.person(), here))
        key = await make_key(host, ada, "rbac.roles:*", "members:*")
        async with key.client(here) as client:
            role = (await client.post("/api/v1/roles", json={"name": "Clerk"})).json()["id"]
        path, tomorrow = f"/roles/{role}/assignments", (clock.now() + timedelta(days=1)).isoformat()
        promise = await key.answer("POST", path, here, membership_id=membership, valid_from=tomorrow)
        assert promise == (403, "api_key_not_accepted")
        assert await host.sql("SELECT 1 FROM scheduled_grants") == []
        assert await key.answer("POST", path, here, membership_id=membership) == (201, "")

    @pytest.mark.parametrize("also_held", [False, True])
    async def test_do_not_grow_what_its_owner_promised(self, host: RunningGateway, also_held: bool) -> None:
        ada, here = await member(host, "administrator")
        membership = str(await host.join(await host.person(), here))
        tomorrow = (clock.now() + timedelta(days=1)).isoformat()
        async with host.client(ada, here) as client:
            role = (await client.post("/api/v1/roles", json={"name": "Clerk"})).json()["id"]
            wanted = {"membership_id": membership, "valid_from": tomorrow}
            answer = await client.post(f"/api/v1/roles/{role}/assignments", json=wanted)
        assert answer.status_code == 201, answer.text
        if also_held:
            (own,) = await host.sql("SELECT id FROM memberships WHERE user_id = :user", user=ada.id)
            await host.give(own["id"], here, role)
        key = await make_key(host, ada, "rbac.roles:*", "members:*")
        everything = {"kind": "RESOURCE", "item": "*", "read": "all", "update": "all"}
        grown = await key.answer("PUT", f"/roles/{role}/rules", here, rules=[everything])
        assert grown == (403, "escalation_refused")

    async def test_are_not_offered_to_a_domain(self, host: RunningGateway) -> None:
        ada, here = await member(host, "administrator")
        role = str(await host.role("viewer"))
        async with host.client(ada, here) as client:
            listed = await client.post("/api/v1/mandate/domains", json={"domain": "corp.example"})
        key = await make_key(host, ada, "*")
        offer = await key.answer("POST", "/mandate/domains", here, domain="other.example", role_id=role)
        assert offer == (403, "step_up_required")
        changed = await key.answer("PATCH", f"/mandate/domains/{listed.json()['id']}", here, role_id=role)
        assert changed == (403, "step_up_required")
