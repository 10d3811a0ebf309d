"""Whether a browser request with our cookies comes from a page that may send it.

A cookie proves who, never that they meant it. Any page on the web can make a browser send one; only our own pages,
and those of `allowed_origins`, can make it send the right Sec-Fetch-Site or Origin together with a header that a
plain form cannot carry. A form elsewhere is kept from our API even when the browser holds the cookies back
(`SameSite`): the cookies that the answer sets or takes away would count.
"""

import re

OUR_COOKIES = ("auth_token", "refresh_token", "device", "flow", "pending")
"""With and without the `__Host-` prefix, which browsers refuse on plain http."""

_CARRIES_OURS = re.compile(
    rb"(?:^|;)\s*(?:__Host-)?(?:" + "|".join(OUR_COOKIES).encode() + rb"|flow_[0-9a-z]+)\s*="
).search
_API = "/api/v1/"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITE = frozenset({b"same-origin", b"none"})


class CsrfRule:
    """The rule for one installation. `origins` are the origins of `public_url` and of `[http] allowed_origins`,
    exactly.

    In single-user mode being able to connect is the credential, so every request counts as if it carried a cookie,
    reading ones too; only a person opening a page (a top-level navigation) is let in from elsewhere. A program says
    neither where it comes from; the header that no page of another site can send without asking first is its proof.
    """

    def __init__(self, origins: frozenset[bytes], *, single_user: bool = False) -> None:
        self._origins = origins
        self._single_user = single_user

    def refuses(self, method: str, path: str, headers: dict[bytes, bytes], *, websocket: bool = False) -> bool:
        """Whether the request must be refused. `headers` are the raw ones by lower-case name; Cookie lines joined by
        `; `. Without our cookies, what a host's own routes take from elsewhere is the host's affair.

        A WebSocket handshake is a GET that opens a two-way channel, and browsers let any page start one: it counts as
        unsafe, but cannot carry headers of its own.
        """
        safe = method in _SAFE_METHODS and not websocket
        if self._single_user:
            if _is_program(headers):
                return not _has_scripted_header(headers)
            if safe:
                return not (self._from_our_pages(headers) or _is_navigation(headers))
        elif safe:
            return False
        elif not _CARRIES_OURS(headers.get(b"cookie", b"")):
            return path.startswith(_API) and b"sec-fetch-site" in headers and not self._from_our_pages(headers)
        return not self._from_our_pages(headers) or not (websocket or _has_scripted_header(headers))

    def _from_our_pages(self, headers: dict[bytes, bytes]) -> bool:
        return headers.get(b"sec-fetch-site") in _OWN_SITE or headers.get(b"origin") in self._origins


def _has_scripted_header(headers: dict[bytes, bytes]) -> bool:
    """A header only a script can set, and cross-origin only after a preflight (Fetch standard, CORS-safelisted
    request-header).
    """
    return b"x-mandate-id" in headers or b"x-requested-with" in headers


def _is_program(headers: dict[bytes, bytes]) -> bool:
    """Whether nothing says that a browser sent it: those of today name the site, the older ones at least the origin of
    a request that had to be asked for.
    """
    return b"sec-fetch-site" not in headers and b"origin" not in headers


def _is_navigation(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
