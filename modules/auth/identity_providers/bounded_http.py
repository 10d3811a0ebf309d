"""HTTP towards a provider, bounded on every side: how long an answer may take, how long it may be, where it comes from.

A provider is asked in the middle of somebody's sign-in, and whoever runs it (or stands in for it) writes the answer.
"""

from typing import Final

import httpx2

LONGEST_ANSWER: Final = 256 * 1024


class AnswerRefused(Exception):
    """The answer is none a provider gives."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Connections shared by all providers. An answer is read whole, up to the bound, and never unpacked: a few bytes of
    a compressed one could become any number. Closing it leaves the connections open; `disconnect` ends them.
    """

    def __init__(self) -> None:
        self._connections = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=50))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises AnswerRefused."""
        request.headers["Accept-Encoding"] = "identity"
        response = await self._connections.handle_async_request(request)
        try:
            content = await _read(response)
        finally:
            await response.aclose()
        return httpx2.Response(response.status_code, headers=response.headers, content=content, request=request)

    async def disconnect(self) -> None:
        """End every connection."""
        await self._connections.aclose()


async def _read(response: httpx2.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise AnswerRefused("compressed")
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        raise TypeError("an asynchronous transport answers with an asynchronous stream")
    content = bytearray()
    async for part in response.stream:
        content += part
        if len(content) > LONGEST_ANSWER:
            raise AnswerRefused("too long")
    return bytes(content)
