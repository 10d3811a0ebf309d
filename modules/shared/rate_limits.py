"""How often something may happen; the only file that knows `limits` and `slowapi`.

Two kinds of counting, because they have different costs (ADR 0007):

- `RateLimits.hit` counts what is worth abusing (sign-in, mails, codes) *before* the credential is looked at, in Redis
  when several processes share the work. When Redis does not answer, this process counts by itself until it does:
  never "no limit".
- `RouteLimits` counts ordinary requests in this process: `admit` for every request, and slowapi's decorator (`limit`)
  for single routes of a host.

Both count in `ProcessCounts` where they count alone, because the in-memory storages of `limits` walk all their keys
on every hit.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
import hmac
from math import ceil
import time
from typing import TYPE_CHECKING, Any

from limits import RateLimitItem, RateLimitItemPerSecond, parse
from limits.aio.storage import MovingWindowSupport as AsyncMovingWindowSupport
from limits.aio.storage import RedisStorage
from limits.aio.storage import Storage as AsyncStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.storage import MovingWindowSupport, Storage
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from starlette.requests import Request
from structlog import get_logger

from modules.shared.client_address import TrustedProxies, counted_as
from modules.shared.errors import TooManyRequests
from modules.shared.process_counts import ProcessCounts

RouteLimitExceeded = RateLimitExceeded
"""Raised by slowapi's decorator; the HTTP edge answers it like any TooManyRequests."""

if TYPE_CHECKING:
    from redis.asyncio import BlockingConnectionPool

_REDIS_TIMEOUT = 0.5
_REDIS_CONNECTIONS = 32
_PAUSE_AFTER_FAILURE = 5.0
_LOG_EVERY = 60.0
_SCHEME = "process"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` within any `seconds`; `name` keeps the counts of different limits apart."""

    name: str
    amount: int
    seconds: int

    @classmethod
    def parse(cls, name: str, text: str) -> "Limit":
        """From settings, as `20/minute` or `10 per 15 minutes`. Raises ValueError."""
        item = parse(text)
        return cls(name, item.amount, item.get_expiry())

    @property
    def item(self) -> RateLimitItem:
        """The same in the words of `limits`."""
        return RateLimitItemPerSecond(self.amount, self.seconds, namespace=self.name)


@dataclass(frozen=True, slots=True)
class GrowingDelay:
    """After `free` failures within `window` seconds each further one makes the next attempt wait: 1, 2, 4, ... at
    most `longest` seconds.
    """

    name: str
    free: int = 3
    longest: int = 60
    window: int = 15 * 60

    def seconds_after(self, failures: int) -> int:
        """How long to wait after that many failures."""
        excess = failures - self.free
        return 0 if excess <= 0 else int(min(self.longest, 2 ** min(excess - 1, 16)))


class RateLimits:
    """Counts shared by every process of the installation when `storage_uri` names a Redis (`redis://…`,
    `rediss://…`), else this process's own.

    `secret` keys the HMAC under which mail addresses are counted, so that neither Redis nor a dump of it names a
    person.
    """

    def __init__(
        self, storage_uri: str = "memory://", *, secret: bytes, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._own = AsyncProcessStorage()
        self._pool: BlockingConnectionPool | None = None
        self._shared: RedisStorage | None = None
        if not storage_uri.startswith("memory:"):
            self._pool, self._shared = _redis(storage_uri)
        self._shared_again_at = 0.0
        self._log_again_at = 0.0

    async def hit(self, limit: Limit, *keys: str) -> None:
        """Count one event under `keys`. Raises TooManyRequests, with the seconds until a place is free, when the
        limit is used up.
        """
        item = limit.item

        async def count(storage: AsyncStorage) -> int:
            window = MovingWindowRateLimiter(storage)
            if await window.hit(item, *keys):
                return 0
            return _seconds_until((await window.get_window_stats(item, *keys)).reset_time)

        wait = await self._counting(count)
        if wait:
            raise TooManyRequests(retry_after=wait)

    async def check(self, limit: Limit, *keys: str) -> None:
        """Raise TooManyRequests if the limit is used up; counts nothing, for limits on what goes wrong only."""
        item = limit.item

        async def look(storage: AsyncStorage) -> int:
            window = MovingWindowRateLimiter(storage)
            if await window.test(item, *keys):
                return 0
            return _seconds_until((await window.get_window_stats(item, *keys)).reset_time)

        wait = await self._counting(look)
        if wait:
            raise TooManyRequests(retry_after=wait)

    async def count(self, limit: Limit, *keys: str) -> None:
        """Count one event under `keys`, used up or not; `check` refuses the next."""
        item = limit.item

        async def note(storage: AsyncStorage) -> int:
            await MovingWindowRateLimiter(storage).hit(item, *keys)
            return 0

        await self._counting(note)

    async def check_delay(self, delay: GrowingDelay, *keys: str) -> None:
        """Raise TooManyRequests while the wait after the last failure lasts. Call before looking at the credential."""
        pause = _key(delay, "pause", keys)

        async def remaining(storage: AsyncStorage) -> int:
            return _seconds_until(await storage.get_expiry(pause)) if await storage.get(pause) else 0

        wait = await self._counting(remaining)
        if wait:
            raise TooManyRequests(retry_after=wait)

    async def failed(self, delay: GrowingDelay, *keys: str) -> None:
        """Note a failure and start the wait it costs."""
        pause = _key(delay, "pause", keys)

        async def note(storage: AsyncStorage) -> int:
            failures = await storage.incr(_key(delay, "failures", keys), delay.window)
            seconds = delay.seconds_after(failures)
            if seconds:
                await storage.clear(pause)
                await storage.incr(pause, seconds)
            return seconds

        await self._counting(note)

    async def succeeded(self, delay: GrowingDelay, *keys: str) -> None:
        """Forget the failures."""

        async def forget(storage: AsyncStorage) -> int:
            await storage.clear(_key(delay, "pause", keys))
            await storage.clear(_key(delay, "failures", keys))
            return 0

        await self._counting(forget)

    def mail_key(self, address: str) -> str:
        """The key a mail address is counted under; the same for every way of writing its case."""
        return hmac.new(self._secret, address.strip().casefold().encode("utf-8", "replace"), sha256).hexdigest()[:32]

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        if self._pool is not None:
            await self._pool.disconnect()

    async def _counting(self, count: Callable[[AsyncStorage], Awaitable[int]]) -> int:
        """Run `count` on the shared storage, or on our own while the shared one is away. One request at a time finds
        out whether it is back.
        """
        shared, now = self._shared, self._clock()
        if shared is not None and now >= self._shared_again_at:
            was_away = self._shared_again_at > 0
            if was_away:
                self._shared_again_at = now + _PAUSE_AFTER_FAILURE
            try:
                wait = await count(shared)
            except _exceptions_of(shared) as error:
                self._shared_again_at = self._clock() + _PAUSE_AFTER_FAILURE
                self._report(error)
            else:
                self._shared_again_at = 0.0
                return wait
        return await count(self._own)

    def _report(self, error: BaseException) -> None:
        now = self._clock()
        if now >= self._log_again_at:
            self._log_again_at = now + _LOG_EVERY
            get_logger("gateway.rate_limits").warning(
                "rate_limit_storage_away", error=type(error).__name__, counting="in this process"
            )


class RouteLimits:
    """Limits on ordinary requests, per client address, counted in this process (with N workers, N times as many
    pass).

    `limit("5/minute")` is slowapi's decorator for a route that takes `request: Request`; it counts after the route's
    dependencies, so it suits costly answers, not credentials. slowapi's default limits do nothing on included
    routers, therefore the default is `admit`, called by the middleware for every request.
    """

    def __init__(self, default: str, proxies: TrustedProxies) -> None:
        item = parse(default)
        self._most, self._seconds = item.amount, item.get_expiry()
        self._counts = ProcessCounts()
        self._slowapi = Limiter(
            key_func=lambda request: counted_as(client_of(request, proxies)),
            storage_uri=f"{_SCHEME}://",
            key_style="endpoint",
            enabled=True,
        )
        self._slowapi.enabled = True  # slowapi lets a stray RATELIMIT_ENABLED or .env file switch it off
        self._counter = self._slowapi.limiter
        self.limit = self._slowapi.limit

    def admit(self, address: str) -> None:
        """Count one request of a client address. Raises TooManyRequests above the default limit."""
        key = counted_as(address)
        # Without the strategies of `limits`: they build their keys anew for every request, at four times the cost.
        if self._counts.increase(key, self._seconds) > self._most:
            raise TooManyRequests(retry_after=_seconds_until(self._counts.end(key)))

    def seconds_until_allowed(self, request: Request) -> int:
        """How long a client refused by the decorator has to wait."""
        item, keys = request.state.view_rate_limit
        return _seconds_until(self._counter.get_window_stats(item, *keys).reset_time)


class ProcessStorage(Storage, MovingWindowSupport):
    """`ProcessCounts` as a storage of `limits`, for slowapi (which names storages by a URI scheme)."""

    STORAGE_SCHEME = [_SCHEME]  # noqa: RUF012  # declared by `limits`

    def __init__(self, uri: str | None = None, **_options: str) -> None:
        super().__init__(uri)
        self._counts = ProcessCounts()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        return self._counts.increase(key, expiry, amount)

    def get(self, key: str) -> int:
        return self._counts.count(key)

    def get_expiry(self, key: str) -> float:
        return self._counts.end(key)

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        return self._counts.reset()

    def clear(self, key: str) -> None:
        self._counts.clear(key)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        return self._counts.log(key, limit, expiry, amount)

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        return self._counts.logged(key, expiry)


class AsyncProcessStorage(AsyncStorage, AsyncMovingWindowSupport):
    """`ProcessCounts` as an asynchronous storage of `limits`."""

    STORAGE_SCHEME = [f"async+{_SCHEME}"]  # noqa: RUF012  # declared by `limits`

    def __init__(self) -> None:
        super().__init__()
        self._counts = ProcessCounts()

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        return self._counts.increase(key, expiry, amount)

    async def get(self, key: str) -> int:
        return self._counts.count(key)

    async def get_expiry(self, key: str) -> float:
        return self._counts.end(key)

    async def check(self) -> bool:
        return True

    async def reset(self) -> int | None:
        return self._counts.reset()

    async def clear(self, key: str) -> None:
        self._counts.clear(key)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        return self._counts.log(key, limit, expiry, amount)

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        return self._counts.logged(key, expiry)


def _redis(uri: str) -> "tuple[BlockingConnectionPool, RedisStorage]":
    """A Redis that is given up on quickly: a bounded pool that waits, short timeouts, one retry (a restart leaves
    dead connections in the pool).
    """
    from redis.asyncio import BlockingConnectionPool  # noqa: PLC0415  # the extra `redis`, for several processes only
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    pool = BlockingConnectionPool.from_url(
        uri,
        max_connections=_REDIS_CONNECTIONS,
        timeout=_REDIS_TIMEOUT,
        socket_timeout=_REDIS_TIMEOUT,
        socket_connect_timeout=_REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 1),
    )
    options: dict[str, Any] = {"connection_pool": pool}
    return pool, RedisStorage(f"async+{uri}", implementation="redispy", **options)


def _exceptions_of(storage: AsyncStorage) -> tuple[type[Exception], ...]:
    kinds = storage.base_exceptions
    return (*kinds, OSError) if isinstance(kinds, tuple) else (kinds, OSError)


def _key(delay: GrowingDelay, part: str, keys: tuple[str, ...]) -> str:
    return "/".join((delay.name, part, *keys))


def _seconds_until(moment: float) -> int:
    return max(1, ceil(moment - time.time()))


def client_of(request: Request, proxies: TrustedProxies) -> str:
    """The client address of a request, as the middleware does it."""
    peer = request.client.host if request.client else None
    return proxies.client(peer, ",".join(request.headers.getlist("x-forwarded-for")))
