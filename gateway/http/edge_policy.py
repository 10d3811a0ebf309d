"""What the edge of one installation goes by: its own address and paths, who may come from elsewhere, and the headers
of its answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gateway.http.problems import RawHeaders

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""What a browser on this machine may call it. Any other name could be made to point here by whoever owns it."""
FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"

CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No script of the console makes markup from text, so none may declare that such text can be trusted."""


@dataclass(frozen=True, slots=True)
class EdgePolicy:
    """What the edge needs to know of `[http]`. `public_url` names the installation; every other host is refused.

    A host without a port in `allowed_hosts` stands for any port. `request_seconds` is how long it may take until an
    answer begins. `media_types` names the routes whose body is not JSON, by path. `own_prefixes` are the paths that
    are ours; the default `/` is an application of ours alone.

    `single_user`: being able to connect is the credential. `local_only`: whoever connects from another machine, or
    through a proxy on this one, is refused.
    """

    public_url: str
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    max_body_bytes: int = 1024 * 1024
    request_seconds: float = 30.0
    single_user: bool = False
    local_only: bool = False
    own_prefixes: tuple[str, ...] = ("/",)
    media_types: Mapping[str, bytes] = field(
        default_factory=lambda: {
            "/api/v1/auth/token": FORM,
            "/api/v1/auth/revoke": FORM,
            "/api/v1/auth/introspect": FORM,
        }
    )

    _below: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_below", tuple(f"{prefix.rstrip('/')}/" for prefix in self.own_prefixes))

    def owns(self, path: str) -> bool:
        """Whether a path is one of ours rather than the host application's."""
        return path.startswith(self._below) or path in self.own_prefixes


class Hosts:
    """The hosts served: that of `public_url` (with its default port or without) and the allowed ones."""

    def __init__(self, policy: EdgePolicy) -> None:
        self._exact = {host.lower().encode() for host in policy.allowed_hosts} | set(_host_forms(policy.public_url))
        self._any_port = {host for host in self._exact if b":" not in host.rpartition(b"]")[2]} - set(
            _host_forms(policy.public_url)
        )

    def serve(self, host: bytes | None) -> bool:
        """Whether `host`, as it stands in the Host header, is served."""
        if host in self._exact:
            return True
        if not host:
            return False
        lowered = host.lower()
        if lowered in self._exact:
            return True
        name, colon, port = lowered.rpartition(b":")
        return bool(colon) and port.isdigit() and name in self._any_port


def _host_forms(public_url: str) -> list[bytes]:
    parts = urlsplit(public_url)
    name = (parts.hostname or "").lower()
    name = f"[{name}]" if ":" in name else name
    default = 443 if parts.scheme == "https" else 80
    port = parts.port or default
    return [f"{name}:{port}".encode()] + ([name.encode()] if port == default else [])


def origin_of(url: str) -> bytes:
    """The origin a browser sends for a page at `url`: without path and default port (RFC 6454, section 6.1)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{_host_forms(url)[-1].decode()}".encode()


def security_headers(policy: EdgePolicy) -> tuple[RawHeaders, RawHeaders]:
    """Headers for every answer, and those for answers of ours."""
    common = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
    if policy.public_url.startswith("https:"):
        common.append((b"strict-transport-security", b"max-age=31536000"))
    own = [
        (b"content-security-policy", CONTENT_SECURITY_POLICY),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    ]
    return common, common + own
