"""The kinds of values a setting can have: what is read, what is refused, and that it is written as it is read."""

from datetime import timedelta
from ipaddress import ip_network

from pydantic import SecretStr, TypeAdapter, ValidationError
import pytest

from modules.shared.settings import (
    DatabaseUrl,
    Duration,
    HostNames,
    Networks,
    Origin,
    Origins,
    RateLimit,
    Size,
    is_loopback_host,
    is_private_transport,
)


class TestDuration:
    reader = TypeAdapter[timedelta](Duration)

    @pytest.mark.parametrize(
        ("text", "seconds"), [("45s", 45), ("10m", 600), ("1h30m", 5400), ("30d", 2_592_000), ("500ms", 0.5)]
    )
    def test_is_read(self, text: str, seconds: float) -> None:
        assert self.reader.validate_python(text).total_seconds() == seconds

    @pytest.mark.parametrize(
        "text", ["", "10", "-5m", "5 minutes", "1.5h", "0s", "99999999d", "1m1h", "1h1h", "9" * 5000 + "s", "٣s"]
    )
    def test_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            self.reader.validate_python(text)

    @pytest.mark.parametrize("text", ["45s", "10m", "90m", "36h", "30d", "1500ms"])
    def test_is_written_as_read(self, text: str) -> None:
        assert self.reader.dump_python(self.reader.validate_python(text), mode="json") == text


class TestSize:
    reader = TypeAdapter[int](Size)

    @pytest.mark.parametrize(
        ("text", "count"), [("1MB", 10**6), ("1 mb", 10**6), ("500kB", 500_000), ("32MiB", 2**25), ("7", 7), ("9B", 9)]
    )
    def test_is_read(self, text: str, count: int) -> None:
        assert self.reader.validate_python(text) == count

    @pytest.mark.parametrize("text", ["", "MB", "-1MB", "1.5MB", "1TB", "0"])
    def test_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            self.reader.validate_python(text)

    @pytest.mark.parametrize("text", ["1MB", "32MiB", "1500kB", "7B", "2GiB"])
    def test_is_written_as_read(self, text: str) -> None:
        assert self.reader.dump_python(self.reader.validate_python(text), mode="json") == text


class TestOrigin:
    reader = TypeAdapter[str](Origin)

    @pytest.mark.parametrize(
        ("text", "origin"),
        [
            ("https://Example.org/", "https://example.org"),
            ("https://example.org:443", "https://example.org"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ],
    )
    def test_is_read_as_browsers_send_it(self, text: str, origin: str) -> None:
        assert self.reader.validate_python(text) == origin

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "*",
            "null",
            "example.org",
            "ftp://example.org",
            "https://example.org/path",
            "https://example.org?x",
            "https://user@example.org",
            "https://bücher.example",
            "https://example.org:port",
            "https://",
        ],
    )
    def test_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            self.reader.validate_python(text)

    def test_stands_in_lists(self) -> None:
        both = TypeAdapter[tuple[str, ...]](Origins).validate_python("https://a.example,\nhttps://b.example\n")
        assert both == ("https://a.example", "https://b.example")


class TestNetworks:
    reader = TypeAdapter[object](Networks)

    def test_are_read(self) -> None:
        read = self.reader.validate_python("10.0.0.0/8, 192.0.2.1\nfd00::/8")
        assert read == (ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32"), ip_network("fd00::/8"))

    def test_are_taken_from_code_too(self) -> None:
        home = ip_network("10.0.0.0/8")
        assert self.reader.validate_python((home,)) == (home,)

    @pytest.mark.parametrize("text", ["10.0.0.1/8", "home", "10.0.0.0/33"])
    def test_are_refused(self, text: str) -> None:
        with pytest.raises(ValidationError, match="its host bits zero"):
            self.reader.validate_python(text)


class TestHostNames:
    reader = TypeAdapter[tuple[str, ...]](HostNames)

    def test_are_read(self) -> None:
        read = self.reader.validate_python("Gateway.internal, 10.0.0.7:8000\n[::1]:8000, localhost")
        assert read == ("gateway.internal", "10.0.0.7:8000", "[::1]:8000", "localhost")

    @pytest.mark.parametrize(
        "text",
        ["https://gateway.internal", "gateway/path", "user@gateway", "*.example", "a b", "host:", "::1", "h:99999"],
    )
    def test_are_refused(self, text: str) -> None:
        with pytest.raises(ValidationError, match="a host is written as"):
            self.reader.validate_python(text)


class TestDatabaseUrl:
    reader = TypeAdapter[SecretStr](DatabaseUrl)

    @pytest.mark.parametrize(
        "text", ["", "postgresql://app:p%40ss@db:5432/mandate", "postgresql://app@[::1]/mandate?x=y"]
    )
    def test_is_taken_as_it_is(self, text: str) -> None:
        assert self.reader.validate_python(text).get_secret_value() == text

    @pytest.mark.parametrize(
        "text",
        ["mysql://a:b@c/d", "postgres://a:b@c/d", "postgresql://c/d", "postgresql://a:b@c", "postgresql://a:b/c@d/e"],
    )
    def test_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError, match="a database is written as"):
            self.reader.validate_python(text)


class TestRateLimit:
    reader = TypeAdapter[str](RateLimit)

    @pytest.mark.parametrize(("text", "limit"), [("20/minute", "20/minute"), ("10 / 15 minutes", "10/15minutes")])
    def test_is_read(self, text: str, limit: str) -> None:
        assert self.reader.validate_python(text) == limit

    @pytest.mark.parametrize("text", ["", "20", "0/minute", "20/fortnight", "20 per minute; 3 per hour", "-1/hour"])
    def test_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            self.reader.validate_python(text)


class TestLoopback:
    @pytest.mark.parametrize("host", ["localhost", "app.localhost", "127.0.0.1", "127.9.9.9", "::1"])
    def test_is_this_machine(self, host: str) -> None:
        assert is_loopback_host(host)

    @pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org"])  # noqa: S104  - compared, not bound
    def test_is_not_this_machine(self, host: str) -> None:
        assert not is_loopback_host(host)

    @pytest.mark.parametrize(
        ("origin", "private"),
        [
            ("https://example.org", True),
            ("http://localhost:1", True),
            ("http://[::1]:1", True),
            ("http://10.0.0.1", False),
        ],
    )
    def test_or_tls_keeps_what_is_sent_private(self, origin: str, *, private: bool) -> None:
        assert is_private_transport(origin) is private
