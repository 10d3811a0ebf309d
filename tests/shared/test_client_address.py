"""Where a request comes from when proxies are in front, and what a client may claim."""

import pytest

from modules.shared.client_address import UNKNOWN, TrustedProxies, counted_as


def client(peer: str | None, forwarded_for: str = "", *proxies: str) -> str:
    return TrustedProxies(proxies).client(peer, forwarded_for)


class TestTheClient:
    def test_is_the_peer_without_a_proxy(self) -> None:
        assert client("203.0.113.7") == "203.0.113.7"

    def test_cannot_claim_to_be_another_without_a_proxy(self) -> None:
        assert client("203.0.113.7", "198.51.100.1") == "203.0.113.7"

    def test_cannot_claim_to_be_another_past_the_proxy(self) -> None:
        assert client("203.0.113.7", "198.51.100.1", "10.0.0.0/8") == "203.0.113.7"

    def test_is_the_right_most_hop_that_is_not_ours(self) -> None:
        assert client("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "10.0.0.0/8") == "198.51.100.1"

    def test_is_the_left_most_hop_when_all_are_ours(self) -> None:
        assert client("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.0/8") == "10.0.0.3"

    def test_is_the_proxy_that_delivered_garbage(self) -> None:
        assert client("10.0.0.1", "198.51.100.1, <script>, 10.0.0.2", "10.0.0.0/8") == "10.0.0.2"

    @pytest.mark.parametrize(
        "hop", ["198.51.100.1:80", " 198.51.100.1 ", "::ffff:198.51.100.1", "[::ffff:198.51.100.1]:80"]
    )
    def test_is_understood_in_every_way_proxies_write_it(self, hop: str) -> None:
        assert client("10.0.0.1", hop, "10.0.0.1") == "198.51.100.1"

    def test_may_have_an_ipv6_address(self) -> None:
        assert client("::1", "[2001:DB8::1]:443", "::1") == "2001:db8::1"

    def test_behind_a_socket_without_an_address_is_the_one_forwarded(self) -> None:
        assert client(None, "198.51.100.1", "127.0.0.1") == "198.51.100.1"

    @pytest.mark.parametrize("peer", [None, "", "unix:"])
    def test_without_any_address_is_unknown(self, peer: str | None) -> None:
        assert client(peer) == UNKNOWN

    def test_of_a_misconfigured_proxy_stops_the_start(self) -> None:
        with pytest.raises(ValueError, match="not-an-address"):
            TrustedProxies(["not-an-address"])


class TestWhatIsCounted:
    @pytest.mark.parametrize(
        ("address", "unit"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            (UNKNOWN, UNKNOWN),
        ],
    )
    def test_is_an_ipv4_address_or_an_ipv6_subscriber(self, address: str, unit: str) -> None:
        assert counted_as(address) == unit
