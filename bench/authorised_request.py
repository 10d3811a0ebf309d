"""What one authorised request costs: bare FastAPI, FastAPI with `SELECT 1`, the design of eight queries, and ours.

Every contender runs in one process of its own on one PostgreSQL. Rounds are interleaved, ours is compared with the
other's round beside it, and the median ratio counts, so that a busy machine slows both. Servers, database and load
share the machine's processors.

    python -m bench.authorised_request [--quick] [--json] [--write]
"""

import argparse
import json
from statistics import median

from bench import report
from bench.contenders import CONTENDERS
from bench.load import generator, put_load
from bench.rounds import CONNECTIONS, Round, one_round
from bench.scratch import Population, ScratchServer, Visitor, populate
from bench.serving import Server, all_served

OURS = "ours"
GOALS = {"bare": 0.40, "naive": 15.0}
_DESCRIPTIONS = {
    "bare": "FastAPI alone",
    "select_one": "FastAPI, `SELECT 1` on an asyncpg pool",
    "naive": "eight ORM queries",
    OURS: "the gateway, everything on",
}


def main() -> None:
    """Measure, print the figures for a person, and as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    options = parser.parse_args()
    rounds, seconds = (3, 1.0) if options.quick else (9, 4.0)
    with ScratchServer.running() as database:
        installation = database.installation("race")
        visitors = populate(installation, Population())
        with all_served([(name, installation, visitors[0]) for name in CONTENDERS]) as servers:
            results = race(servers, visitors, database.postmaster, rounds, seconds)
            alone = _alone(servers[-1], visitors, rounds)
    figures = {
        "ratio_bare": _ratio(results, "bare"),
        "ratio_select1": _ratio(results, "select_one"),
        "ratio_naive": _ratio(results, "naive"),
        "p50_ms_alone": alone,
    }
    _show(results, alone)
    if options.write:
        report.write("One authorised request", _section(results, alone, rounds, seconds))
    if options.json:
        print(json.dumps({name: round(figure, 3) for name, figure in figures.items()}))


def race(
    servers: list[Server], visitors: list[Visitor], postmaster: int, rounds: int, seconds: float
) -> dict[str, list[Round]]:
    """The rounds of every contender; the first of each only warms it up."""
    results: dict[str, list[Round]] = {server.name: [] for server in servers}
    for _ in range(1 + rounds):
        for server in servers:
            results[server.name].append(one_round(server, visitors, postmaster, seconds))
    return {name: found[1:] for name, found in results.items()}


def _alone(server: Server, visitors: list[Visitor], rounds: int) -> float:
    """The median time of an answer, in milliseconds, when nobody else asks."""
    return median(put_load(server.url, visitors, connections=1, seconds=1).median_milliseconds for _ in range(rounds))


def _ratio(results: dict[str, list[Round]], other: str) -> float:
    pairs = zip(results[OURS], results[other], strict=True)
    return median(ours.per_second / theirs.per_second for ours, theirs in pairs)


def _rows(results: dict[str, list[Round]]) -> list[list[str]]:
    rows = []
    for name, rounds in results.items():
        rate = median(each.per_second for each in rounds)
        server = median(each.server_microseconds for each in rounds)
        database = median(each.database_microseconds for each in rounds)
        times = 1.0 if name == OURS else _ratio(results, name)
        rows.append([_DESCRIPTIONS[name], f"{rate:.0f}", f"{times:.2f}", f"{server:.0f}", f"{database:.0f}"])
    return rows


def _show(results: dict[str, list[Round]], alone: float) -> None:
    for row in [["", "per second", "ours/it", "server µs", "database µs"], *_rows(results)]:
        print(f"{row[0]:>40} {row[1]:>11} {row[2]:>8} {row[3]:>10} {row[4]:>12}")
    print(f"ours alone: {alone:.2f} ms")


def _section(results: dict[str, list[Round]], alone: float, rounds: int, seconds: float) -> str:
    reached = all(_ratio(results, other) >= goal for other, goal in GOALS.items())
    said = "Reached." if reached else "Not reached in this run."
    head = ["", "requests/s", "ours is × of it", "server, µs", "database, µs"]
    return f"""{report.measured("python -m bench.authorised_request", *report.SERVED_WITH)}

One worker of uvicorn each (uvloop, httptools, no access log of its own), PostgreSQL 18 beside it, all on the same
processors as the load ({generator()}, {CONNECTIONS} connections, {Population().asking} people in turn, each with
a cookie and `X-Mandate-Id`). {rounds} interleaved rounds of {seconds:.0f} s; medians; processor time per request.
Ours runs with the defaults of production and everything on: CSRF, rate limit (set high), metrics, security headers, and
one JSON line per request in the log, which goes to the null device.
Goals: {GOALS["bare"]:.2f} of bare, {GOALS["naive"]:.0f} times the eight queries. {said}

{report.table(head, _rows(results))}

Alone, with one connection, half of the answers take less than {alone:.2f} ms.
"""


if __name__ == "__main__":
    main()
