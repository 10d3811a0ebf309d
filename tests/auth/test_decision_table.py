"""Every row of the decision table, carried out on the real application: a provider claims what the row says."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modules.auth.service.identity_decision import Mail, Outcome, Owner, Situation, decide, list_situations
from tests.auth.decision_table import CLAIMS, TABLE, proves, render
from tests.auth.people import FAST_HASHES, Browser, account
from tests.auth.providers import PEER, link, rows, settings_of, sign_in
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.openid_peer import OpenIdPeer, openid_peer
from tests.support.postgres import DatabaseUrls

TAKEN, FREE, OF_CALLER = "taken@example.org", "free@example.org", "caller@example.org"
ADDRESSES: dict[Mail, dict[str, object]] = {
    Mail.NONE: {},
    Mail.UNPROVEN_FREE: {"email": FREE},
    Mail.UNPROVEN_TAKEN: {"email": TAKEN},
    Mail.PROVEN_FREE: {"email": FREE, "email_verified": True},
    Mail.PROVEN_TAKEN: {"email": TAKEN, "email_verified": True},
}
PAGES = {
    Outcome.SIGN_IN: "signed-in",
    Outcome.CREATE: "signed-in",
    Outcome.OFFER_LINK: "connect-identity",
    Outcome.LINK: "signed-in",
    Outcome.KEEP: "signed-in",
    Outcome.REFUSE_TAKEN: "sign-in-error/identity_taken",
    Outcome.REFUSE_DISABLED: "sign-in-error/user_disabled",
}


@pytest.fixture
async def peer() -> AsyncIterator[OpenIdPeer]:
    async with openid_peer() as running:
        yield running


@pytest.fixture
async def gateway(database_urls: DatabaseUrls, tmp_path: Path, peer: OpenIdPeer) -> AsyncIterator[RunningGateway]:
    chosen = settings_of(peer, **{"rate_limits.enabled": "no"})
    async with running_gateway(database_urls, tmp_path, **chosen, **FAST_HASHES) as running:
        yield running


class Scene:
    """The database as a row describes it, made anew for each."""

    def __init__(self, gateway: RunningGateway, peer: OpenIdPeer, situation: Situation) -> None:
        self.gateway = gateway
        self.peer = peer
        self.situation = situation

    async def play(self) -> str:
        """The console's page the person lands on."""
        await self.gateway.sql("DELETE FROM users")
        self.peer.person = {"sub": "somebody", **ADDRESSES[self.situation.mail]}
        await account(self.gateway, TAKEN)
        owner = {Owner.SOMEBODY: "owner", Owner.DISABLED: "owner", Owner.ANOTHER: "owner", Owner.CALLER: "caller"}
        await account(self.gateway, OF_CALLER)
        state = "disabled" if self.situation.owner is Owner.DISABLED else "active"
        await account(self.gateway, "owner@example.org", state=state)
        if self.situation.owner in owner:
            await self._connect(f"{owner[self.situation.owner]}@example.org")
        browser = Browser(self.gateway)
        if self.situation.linking:
            assert (await browser.log_in(OF_CALLER)).status_code == 200
        self.before = await self._owners()
        answer = await (link(browser) if self.situation.linking else sign_in(browser))
        self.after = await self._owners()
        self.sessions = (await rows(self.gateway))["sessions"] - self.situation.linking
        location: str = answer.headers["location"]
        return location.removeprefix("/console/#/")

    async def _connect(self, email: str) -> None:
        await self.gateway.sql(
            "INSERT INTO identities (id, user_id, authority, issuer, subject, linked_at, last_used_at)"
            " SELECT gen_random_uuid(), id, :authority, :issuer, 'somebody', now(), now() FROM users"
            " WHERE email = :email",
            authority=PEER,
            issuer=self.peer.issuer,
            email=email,
        )

    async def _owners(self) -> list[str]:
        found = await self.gateway.sql("SELECT u.email FROM identities i JOIN users u ON u.id = i.user_id")
        return [row["email"] for row in found]


class TestTheTable:
    def test_is_current(self) -> None:
        assert TABLE.read_text(encoding="utf-8") == render(), "run scripts/render_docs.py"

    def test_connects_nobody_by_an_address_nobody_proved(self) -> None:
        """And by a proven one neither: an identity of nobody signs in as nobody who has an account."""
        unknown = [each for each in list_situations() if not each.linking and each.owner is Owner.NOBODY]
        assert {decide(each) for each in unknown} == {Outcome.OFFER_LINK, Outcome.CREATE}
        assert [each.mail for each in unknown if decide(each) is Outcome.CREATE] == [Mail.PROVEN_FREE]

    async def test_is_what_happens(self, gateway: RunningGateway, peer: OpenIdPeer) -> None:
        pages, kept, sessions = {}, {}, {}
        for situation in list_situations():
            scene = Scene(gateway, peer, situation)
            pages[situation] = await scene.play()
            kept[situation] = (scene.before, scene.after)
            sessions[situation] = scene.sessions
        expected = {each: decide(each) for each in list_situations()}
        assert pages == {each: PAGES[outcome] for each, outcome in expected.items()}
        new_owner = {Outcome.CREATE: [FREE], Outcome.LINK: [OF_CALLER]}
        assert {each: after for each, (_, after) in kept.items()} == {
            each: new_owner.get(outcome, kept[each][0]) for each, outcome in expected.items()
        }
        opened = {Outcome.SIGN_IN, Outcome.CREATE}
        assert sessions == {each: int(outcome in opened) for each, outcome in expected.items()}

    def test_trusts_mail_as_each_kind_of_provider_deserves(self) -> None:
        proven = {
            provider: [claims for claims in every if proves(provider, claims)] for provider, every in CLAIMS.items()
        }
        assert [len(found) for found in proven.values()] == [2, 4, 2, 0]
