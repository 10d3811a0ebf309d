"""A small DNS server of our own on the loopback: real UDP and TCP, and as unwilling as a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import struct
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


@dataclass
class DnsPeer:
    """What it knows: the texts of each name. `silent` never answers, `failing` says so, `garbage` says nonsense."""

    address: str = ""
    texts: dict[str, list[str]] = field(default_factory=dict)
    silent: bool = False
    failing: bool = False
    garbage: bool = False
    tcp: bool = True
    asked: list[str] = field(default_factory=list)

    def publish(self, record: dict[str, str]) -> None:
        """Publish a record as the API says it."""
        assert record["type"] == "TXT"
        self.texts.setdefault(record["name"], []).append(record["value"])

    def answer(self, wire: bytes, *, room: int) -> bytes | None:
        """The answer to a question, cut to `room` bytes."""
        if self.silent:
            return None
        question = dns.message.from_wire(wire)
        name = question.question[0].name
        self.asked.append(name.to_text(omit_final_dot=True))
        answer = dns.message.make_response(question)
        if self.garbage:
            return wire[:2] + b"\xff" * 40
        if self.failing:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif texts := self.texts.get(name.to_text(omit_final_dot=True)):
            quoted = [" ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250)) for text in texts]
            answer.answer.append(dns.rrset.from_text_list(name, 60, dns.rdataclass.IN, dns.rdatatype.TXT, quoted))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        try:
            return answer.to_wire(max_size=room)
        except dns.exception.TooBig:
            cut = dns.message.make_response(question)
            cut.flags |= dns.flags.TC
            return cut.to_wire()


class _OverUdp(asyncio.DatagramProtocol):
    def __init__(self, peer: DnsPeer) -> None:
        self._peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (answer := self._peer.answer(data, room=512)) is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def dns_peer() -> AsyncIterator[DnsPeer]:
    """The server, running on a port of its own."""
    peer = DnsPeer()

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if peer.tcp:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = peer.answer(await reader.readexactly(length), room=65535)
            if answer is not None:
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(over_tcp, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _OverUdp(peer), local_addr=("127.0.0.1", port)
    )
    peer.address = f"127.0.0.1:{port}"
    try:
        yield peer
    finally:
        transport.close()
        server.close()
        await server.wait_closed()
