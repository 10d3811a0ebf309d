"""One round of load on one server: how many answers, and how much processor time they took."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.load import put_load
from bench.scratch import Visitor
from bench.serving import Server, seconds_of_children

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Round:
    """What a server did in one round; processor time per request."""

    per_second: float
    server_microseconds: float
    database_microseconds: float

    @property
    def microseconds(self) -> float:
        """Of server and database together."""
        return self.server_microseconds + self.database_microseconds


def one_round(server: Server, visitors: Sequence[Visitor], postmaster: int, seconds: float) -> Round:
    """Put load on one server; the database's processes are the children of `postmaster`."""
    before, before_database = server.processor_seconds(), seconds_of_children(postmaster)
    answered = put_load(server.url, visitors, connections=CONNECTIONS, seconds=seconds)
    spent, after_database = server.processor_seconds() - before, seconds_of_children(postmaster)
    spent_database = sum(after - before_database.get(pid, 0) for pid, after in after_database.items())
    per_request = 1e6 / answered.requests
    return Round(answered.per_second, spent * per_request, spent_database * per_request)
