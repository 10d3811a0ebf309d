"""How often something may happen, counted in the process and on a real Redis that comes and goes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
import socket
import time

from fastapi import APIRouter, FastAPI, Request
import httpx
import pytest
from structlog.testing import capture_logs

from modules.shared.client_address import TrustedProxies
from modules.shared.errors import TooManyRequests
from modules.shared.rate_limits import GrowingDelay, Limit, RateLimits, RouteLimitExceeded, RouteLimits
from tests.shared.redis_server import RedisServer, redis_server

THREE_A_MINUTE = Limit("test", 3, 60)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@asynccontextmanager
async def limits_on(uri: str = "memory://", **options: object) -> AsyncIterator[RateLimits]:
    limits = RateLimits(uri, secret=b"k" * 32, **options)  # type: ignore[arg-type]
    try:
        yield limits
    finally:
        await limits.aclose()


async def passes(limits: RateLimits, limit: Limit, *keys: str) -> bool:
    try:
        await limits.hit(limit, *keys)
    except TooManyRequests:
        return False
    return True


class TestALimit:
    @pytest.mark.parametrize(
        ("text", "limit"),
        [
            ("20/minute", Limit("login", 20, 60)),
            ("10 per 15 minutes", Limit("login", 10, 900)),
            ("3/hour", Limit("login", 3, 3600)),
        ],
    )
    def test_is_read_from_settings(self, text: str, limit: Limit) -> None:
        assert Limit.parse("login", text) == limit

    def test_that_means_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="rate limit"):
            Limit.parse("login", "often")


@pytest.mark.parametrize("storage", ["memory", "redis"])
class TestHit:
    """The same facts whatever counts."""

    @pytest.fixture
    def uri(self, storage: str, request: pytest.FixtureRequest) -> str:
        if storage == "memory":
            return "memory://"
        server: RedisServer = request.getfixturevalue("redis")
        return server.url

    async def test_refuses_after_the_last_one_allowed(self, uri: str) -> None:
        async with limits_on(uri) as limits:
            assert [await passes(limits, THREE_A_MINUTE, "a") for _ in range(4)] == [True, True, True, False]

    async def test_says_when_the_next_place_is_free(self, uri: str) -> None:
        async with limits_on(uri) as limits:
            await passes(limits, Limit("once", 1, 40), "a")
            with pytest.raises(TooManyRequests) as refusal:
                await limits.hit(Limit("once", 1, 40), "a")
        assert refusal.value.retry_after in {39, 40}

    async def test_admits_again_when_the_time_is_over(self, uri: str) -> None:
        async with limits_on(uri) as limits:
            limit = Limit("short", 1, 1)
            assert [await passes(limits, limit, "a"), await passes(limits, limit, "a")] == [True, False]
            await asyncio.sleep(1.1)
            assert await passes(limits, limit, "a")

    async def test_counts_keys_and_limits_apart(self, uri: str) -> None:
        async with limits_on(uri) as limits:
            once, other = Limit("once", 1, 60), Limit("other", 1, 60)
            assert [
                await passes(limits, once, "a"), await passes(limits, once, "b"), await passes(limits, other, "a"),
                await passes(limits, once, "a", "b"),
            ] == [True] * 4  # fmt: skip

    async def test_lets_exactly_the_allowed_number_through_at_once(self, uri: str) -> None:
        async with limits_on(uri) as limits:
            answers = await asyncio.gather(*(passes(limits, Limit("storm", 10, 60), "a") for _ in range(100)))
        assert sum(answers) == 10

    async def test_looks_without_counting_and_counts_without_refusing(self, uri: str) -> None:
        async with limits_on(uri) as limits:
            for _ in range(3):
                await limits.check(THREE_A_MINUTE, "a")
                await limits.count(THREE_A_MINUTE, "a")
            await limits.count(THREE_A_MINUTE, "a")
            with pytest.raises(TooManyRequests) as refusal:
                await limits.check(THREE_A_MINUTE, "a")
            assert refusal.value.retry_after is not None
            assert 1 <= refusal.value.retry_after <= 60
            await limits.check(THREE_A_MINUTE, "b")

    async def test_makes_each_failure_wait_longer(self, uri: str) -> None:
        delay = GrowingDelay("account", free=1, longest=60)
        async with limits_on(uri) as limits:
            await limits.failed(delay, "a")
            await limits.check_delay(delay, "a")  # the first failure is free
            waits = []
            for _ in range(4):
                await limits.failed(delay, "a")
                with pytest.raises(TooManyRequests) as refusal:
                    await limits.check_delay(delay, "a")
                waits.append(refusal.value.retry_after)
        assert waits == [1, 2, 4, 8]

    async def test_forgets_failures_after_a_success(self, uri: str) -> None:
        delay = GrowingDelay("account", free=0)
        async with limits_on(uri) as limits:
            await limits.failed(delay, "a")
            await limits.succeeded(delay, "a")
            await limits.check_delay(delay, "a")
            await limits.failed(delay, "a")
            with pytest.raises(TooManyRequests) as refusal:
                await limits.check_delay(delay, "a")
        assert refusal.value.retry_after == 1

    async def test_delays_accounts_apart(self, uri: str) -> None:
        delay = GrowingDelay("account", free=0)
        async with limits_on(uri) as limits:
            await limits.failed(delay, "a")
            await limits.check_delay(delay, "b")


class TestADelay:
    def test_never_exceeds_its_longest(self) -> None:
        delay = GrowingDelay("account", free=2, longest=60)
        assert [delay.seconds_after(failures) for failures in (0, 2, 3, 4, 8, 9, 10_000)] == [0, 0, 1, 2, 32, 60, 60]


class TestRedis:
    async def test_is_shared_by_processes(self, redis: RedisServer) -> None:
        async with limits_on(redis.url) as one, limits_on(redis.url) as other:
            answers = [await passes(limits, THREE_A_MINUTE, "a") for limits in (one, other, one, other)]
        assert answers == [True, True, True, False]

    async def test_killed_in_the_middle_leaves_the_process_counting_by_itself(self, redis: RedisServer) -> None:
        async with limits_on(redis.url) as limits:
            await passes(limits, THREE_A_MINUTE, "a")
            redis.kill()
            assert [await passes(limits, THREE_A_MINUTE, "a") for _ in range(4)] == [True, True, True, False]

    async def test_that_hangs_costs_a_bounded_wait(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            async with limits_on(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0") as limits:
                began = time.monotonic()
                await asyncio.gather(*(limits.hit(THREE_A_MINUTE, str(number)) for number in range(50)))
                assert time.monotonic() - began < 3
                again = time.monotonic()
                await limits.hit(THREE_A_MINUTE, "later")
                assert time.monotonic() - again < 0.1

    async def test_is_used_again_when_it_is_back(self, redis: RedisServer) -> None:
        now = 0.0
        async with limits_on(redis.url, clock=lambda: now) as limits, limits_on(redis.url) as witness:
            redis.kill()
            await passes(limits, THREE_A_MINUTE, "a")
            redis.start()
            assert await passes(limits, Limit("seen", 1, 60), "a")
            assert await passes(witness, Limit("seen", 1, 60), "a")  # still counted apart
            now += 6
            assert not await passes(limits, Limit("seen", 1, 60), "a")  # the witness has taken the place

    async def test_restarted_between_two_hits_is_not_even_noticed(self, redis: RedisServer) -> None:
        async with limits_on(redis.url) as limits:
            await passes(limits, THREE_A_MINUTE, "a")
            redis.kill()
            redis.start()
            with capture_logs() as logs:
                assert await passes(limits, THREE_A_MINUTE, "a")
        assert logs == []

    async def test_away_is_logged_once_a_minute(self) -> None:
        now = 0.0
        with capture_logs() as logs:
            async with limits_on("redis://127.0.0.1:1/0", clock=lambda: now) as limits:
                for _ in range(20):
                    await passes(limits, THREE_A_MINUTE, "a")
                    now += 6
        assert [entry["event"] for entry in logs] == ["rate_limit_storage_away"] * 2

    async def test_never_holds_a_mail_address(self, redis: RedisServer) -> None:
        async with limits_on(redis.url) as limits:
            await limits.hit(THREE_A_MINUTE, limits.mail_key("ann@example.org"))
            assert limits._pool is not None
            import redis.asyncio as client

            keys = await client.Redis(connection_pool=limits._pool).keys("*")
        assert keys
        assert not any(b"ann" in key for key in keys)


class TestMailKeys:
    def test_are_the_same_for_every_way_of_writing(self) -> None:
        limits = RateLimits(secret=b"k" * 32)
        assert limits.mail_key(" Ann@Example.ORG ") == limits.mail_key("ann@example.org")

    def test_differ_between_installations(self) -> None:
        assert RateLimits(secret=b"a" * 32).mail_key("a@b.c") != RateLimits(secret=b"b" * 32).mail_key("a@b.c")

    def test_exist_for_addresses_that_cannot_be_encoded(self) -> None:
        assert RateLimits(secret=b"a" * 32).mail_key("\ud800@example.org")


class TestADecoratedRoute:
    """slowapi's decorator on a route of an included router, where its default limits do nothing."""

    def _app(self, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
        monkeypatch.setenv("RATELIMIT_ENABLED", "false")
        limits = RouteLimits("1000/minute", TrustedProxies())
        router = APIRouter()

        @router.get("/report/{number}")
        @limits.limit("2/minute")
        async def report(request: Request, number: int) -> int:
            return number

        app = FastAPI()
        app.include_router(router)

        @app.exception_handler(RouteLimitExceeded)
        async def refused(request: Request, _error: Exception) -> httpx.Response:
            raise TooManyRequests(retry_after=limits.seconds_until_allowed(request))

        return app

    async def test_is_refused_after_the_last_one_whatever_its_parameters(self, monkeypatch: pytest.MonkeyPatch) -> None:
        transport = httpx.ASGITransport(self._app(monkeypatch))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            assert [(await client.get(f"/report/{number}")).status_code for number in (1, 2)] == [200, 200]
            with pytest.raises(TooManyRequests) as refusal:
                await client.get("/report/3")
        assert refusal.value.retry_after in {59, 60}


class TestTheDefaultLimit:
    def test_counts_an_ipv6_subscriber_as_one(self) -> None:
        limits = RouteLimits("1/minute", TrustedProxies())
        limits.admit("2001:db8::1")
        with pytest.raises(TooManyRequests):
            limits.admit("2001:db8::ffff:1")
        limits.admit("2001:db8:0:1::1")
