"""Looking for the record that proves a domain, at a real DNS server that is not always willing."""

from collections.abc import AsyncIterator
from datetime import timedelta
import time

from pydantic import ValidationError
import pytest

from modules.mandates.domain_records import DomainRecords, Finding, record_name, split_resolver
from modules.mandates.public_mail_domains import is_public_mail_domain, public_mail_domains
from modules.mandates.settings import MandatesSettings
from modules.shared.mail import canonical_domain
from tests.support.dns_peer import DnsPeer, dns_peer

DOMAIN = "corp.example"
NAME = "_mandate-gateway.corp.example"
CHALLENGE = "c" * 43


@pytest.fixture
async def peer() -> AsyncIterator[DnsPeer]:
    async with dns_peer() as running:
        yield running


async def found(peer: DnsPeer, domain: str = DOMAIN, *, patience: float = 3) -> Finding:
    return await DomainRecords(peer.address, timedelta(seconds=patience)).look_for(domain, CHALLENGE)


class TestTheRecord:
    async def test_is_found_among_others(self, peer: DnsPeer) -> None:
        peer.texts[record_name(DOMAIN)] = ["something else", CHALLENGE]
        assert await found(peer) is Finding.PUBLISHED
        assert peer.asked == [NAME]

    @pytest.mark.parametrize("text", [CHALLENGE + "x", CHALLENGE[:-1], f" {CHALLENGE}", CHALLENGE.upper(), "é"])
    async def test_says_exactly_the_challenge(self, peer: DnsPeer, text: str) -> None:
        peer.texts[NAME] = [text]
        assert await found(peer) is Finding.MISSING

    async def test_is_not_looked_for_anywhere_else(self, peer: DnsPeer) -> None:
        peer.texts = {DOMAIN: [CHALLENGE], "_mandate-gateway.example": [CHALLENGE]}
        assert await found(peer) is Finding.MISSING

    async def test_is_missing_where_there_is_no_name(self, peer: DnsPeer) -> None:
        assert await found(peer) is Finding.MISSING

    async def test_is_missing_for_a_domain_too_long_to_have_one(self, peer: DnsPeer) -> None:
        assert await found(peer, ".".join(["x" * 60] * 4)) is Finding.MISSING
        assert peer.asked == []


class TestAHugeAnswer:
    async def test_is_fetched_over_tcp(self, peer: DnsPeer) -> None:
        peer.texts[NAME] = [*("x" * 200 + str(number) for number in range(250)), CHALLENGE]
        assert await found(peer) is Finding.PUBLISHED

    async def test_beyond_what_dns_can_carry_proves_nothing(self, peer: DnsPeer) -> None:
        peer.texts[NAME] = [*("x" * 200 + str(number) for number in range(500)), CHALLENGE]
        assert await found(peer, patience=1) is Finding.MISSING

    async def test_is_no_answer_when_tcp_is_refused(self, peer: DnsPeer) -> None:
        peer.tcp = False
        peer.texts[NAME] = [*("x" * 200 + str(number) for number in range(50)), CHALLENGE]
        assert await found(peer, patience=1) is Finding.UNANSWERED


class TestAServer:
    @pytest.mark.parametrize("trouble", ["silent", "failing", "garbage"])
    async def test_in_trouble_is_not_waited_for_longer_than_said(self, peer: DnsPeer, trouble: str) -> None:
        peer.texts[NAME] = [CHALLENGE]
        setattr(peer, trouble, True)
        began = time.monotonic()
        assert await found(peer, patience=1) is Finding.UNANSWERED
        assert time.monotonic() - began < 4

    async def test_that_is_not_there_is_no_answer(self) -> None:
        async with dns_peer() as peer:
            gone = peer.address
        assert await DomainRecords(gone, timedelta(seconds=1)).look_for(DOMAIN, CHALLENGE) is Finding.UNANSWERED


class TestTheResolverSetting:
    @pytest.mark.parametrize(
        ("written", "address", "port"),
        [
            ("192.0.2.53", "192.0.2.53", 53),
            ("192.0.2.53:5353", "192.0.2.53", 5353),
            ("2001:db8::53", "2001:db8::53", 53),
            ("[2001:DB8::53]:5353", "2001:db8::53", 5353),
        ],
    )
    def test_names_address_and_port(self, written: str, address: str, port: int) -> None:
        assert split_resolver(MandatesSettings(dns_resolver=written).dns_resolver) == (address, port)

    @pytest.mark.parametrize(
        "written",
        ["dns.example", "192.0.2.53:", "192.0.2.53:0", "192.0.2.53:99999", "300.1.1.1", "[2001:db8::53]", "::x"],
    )
    def test_refuses_anything_else(self, written: str) -> None:
        with pytest.raises(ValidationError):
            MandatesSettings(dns_resolver=written)

    def test_is_the_systems_own_when_empty(self) -> None:
        assert MandatesSettings().dns_resolver == ""


class TestPublicMailDomains:
    def test_are_domains_in_their_one_spelling(self) -> None:
        listed = public_mail_domains()
        assert len(listed) > 300
        assert {domain for domain in listed if canonical_domain(domain) != domain or "." not in domain} == set()

    @pytest.mark.parametrize(
        "domain",
        ["gmail.com", "googlemail.com", "outlook.com", "hotmail.de", "gmx.de", "web.de", "t-online.de", "freenet.de",
         "icloud.com", "yahoo.com", "proton.me", "posteo.de", "mailbox.org", "bluewin.ch", "aon.at", "x.gmail.com"],
    )  # fmt: skip
    def test_include_where_anybody_has_a_mailbox(self, domain: str) -> None:
        assert is_public_mail_domain(domain)

    @pytest.mark.parametrize("domain", ["corp.example", "notgmail.com", "gmail.com.example", "com", "mygmx.de"])
    def test_are_compared_by_whole_labels(self, domain: str) -> None:
        assert not is_public_mail_domain(domain)
