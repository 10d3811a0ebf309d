"""Whether an authorised request costs the same in a large installation: many tokens, mandates, or rules per role.

One small installation and three that are larger in one respect each are served at the same time by processes of their
own. Rounds are interleaved, each large one is compared with the small one's round beside it, and the median ratio
counts.

    python -m bench.growth [--quick] [--json] [--write]
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
import json
from statistics import median

from bench import report
from bench.load import generator, put_load
from bench.rounds import CONNECTIONS, Round, one_round
from bench.scratch import Population, ScratchServer, Visitor, populate
from bench.serving import Server, all_served

SMALL = "small"
FLAT = 0.10


@dataclass(frozen=True, slots=True)
class Place:
    """A served installation and those who ask it."""

    server: Server
    visitors: Sequence[Visitor]


def populations(*, quick: bool) -> dict[str, Population]:
    """What is compared; the quick ones are smaller, so that filling them does not take longer than measuring."""
    return {
        SMALL: Population(),
        "tokens": Population(tokens=50_000 if quick else 2_000_000),
        "mandates": Population(tokens=20_000 if quick else 100_000, mandates=1_000 if quick else 10_000),
        "rules": Population(rules_per_role=400),
    }


def main() -> None:
    """Fill, measure, print the ratios for a person, and as JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller installations, fewer and shorter rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    options = parser.parse_args()
    sizes = populations(quick=options.quick)
    rounds, seconds = (2, 1.0) if options.quick else (15, 3.0)
    results = measure(sizes, rounds, seconds)
    ratios = {name: _rates(results, name) for name in sizes if name != SMALL}
    for name, ratio in ratios.items():
        print(f"{name:>10}  {ratio:.3f} of the small one's rate, {_processor(results, name):.3f} of its processor time")
    if options.write:
        report.write("Growth", _section(sizes, results, rounds, seconds))
    if options.json:
        print(json.dumps({f"ratio_{name}": round(ratio, 3) for name, ratio in ratios.items()}))


def measure(sizes: dict[str, Population], rounds: int, seconds: float) -> dict[str, list[Round]]:
    """The rounds of every installation."""
    with ScratchServer.running() as database:
        installations = [database.installation(name) for name in sizes]
        filled = list(map(populate, installations, sizes.values()))
        asked = zip(installations, filled, strict=True)
        with all_served([("ours", installation, visitors[0]) for installation, visitors in asked]) as servers:
            places = dict(zip(sizes, map(Place, servers, filled), strict=True))
            for place in places.values():
                _compile_rules(place)
            results: dict[str, list[Round]] = {name: [] for name in places}
            for _ in range(rounds):
                for name, place in places.items():
                    results[name].append(one_round(place.server, place.visitors, database.postmaster, seconds))
            return results


def _compile_rules(place: Place) -> None:
    """Let everybody ask at least twice: rules are compiled for who asks first, longer where there are more of them."""
    asked = 0
    while asked < 2 * len(place.visitors):  # every load begins with the first visitor again
        asked = put_load(place.server.url, place.visitors, connections=CONNECTIONS, seconds=1).requests


def _rates(results: dict[str, list[Round]], name: str) -> float:
    pairs = zip(results[name], results[SMALL], strict=True)
    return median(large.per_second / small.per_second for large, small in pairs)


def _processor(results: dict[str, list[Round]], name: str) -> float:
    pairs = zip(results[name], results[SMALL], strict=True)
    return median(large.microseconds / small.microseconds for large, small in pairs)


def _section(sizes: dict[str, Population], results: dict[str, list[Round]], rounds: int, seconds: float) -> str:
    rows = []
    for name, size in sizes.items():
        numbers = (size.tokens, size.mandates, size.rules_per_role)
        ratios = ["1", "1"] if name == SMALL else [f"{_rates(results, name):.2f}", f"{_processor(results, name):.2f}"]
        rows.append([name, *(f"{number:,}".replace(",", " ") for number in numbers), *ratios])
    flat = all(abs(_rates(results, name) - 1) <= FLAT for name in sizes if name != SMALL)
    return f"""{report.measured("python -m bench.growth", *report.SERVED_WITH)}

The same authorised request in installations of different size: rate and processor time (server and database together)
relative to the small one. {rounds} interleaved rounds of {seconds:.0f} s, {CONNECTIONS} connections, load by
{generator()}, {sizes[SMALL].asking} people asking in turn, spread over the whole installation.
Goal: every rate within ±{FLAT:.0%} of the small one's. {"Reached." if flat else "Not reached in this run."}

{report.table(["larger in", "tokens", "mandates", "rules per role", "rate", "processor time"], rows)}
"""


if __name__ == "__main__":
    main()
