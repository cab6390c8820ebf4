"""How every benchmark here measures and prints: medians of interleaved rounds in CPU time, wall time beside it."""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """One measured round: seconds of this process's CPU, and on the wall."""

    cpu: float
    wall: float


def once(work: Callable[[], object], *, elsewhere: Callable[[], float] = float) -> Timing:
    """Run it once and look at both clocks. elsewhere: seconds of CPU spent so far in other processes on our behalf."""
    cpu, wall = time.process_time() + elsewhere(), time.perf_counter()
    work()
    return Timing(time.process_time() + elsewhere() - cpu, time.perf_counter() - wall)


def interleaved(
    rounds: int,
    contenders: Mapping[str, Callable[[], object]],
    *,
    elsewhere: Callable[[], float] = float,
    warm: Mapping[str, Callable[[], object]] | None = None,
) -> dict[str, list[Timing]]:
    """A B A B …: what drifts on the machine drifts for all of them. elsewhere: as for `once`.

    warm: for a contender, what is run right before each measured round and not measured: a virtual machine takes back
    the memory of what lies idle while the other one runs, and fetching it again is neither's cost.
    """
    found: dict[str, list[Timing]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, work in contenders.items():
            note(f"round {number + 1} of {rounds}: {name}")
            if warm and name in warm:
                warm[name]()
            found[name].append(once(work, elsewhere=elsewhere))
    return found


def median(timings: Sequence[Timing]) -> Timing:
    """The middle of each clock."""
    return Timing(statistics.median(t.cpu for t in timings), statistics.median(t.wall for t in timings))


def note(text: str) -> None:
    """A line for who waits, out of the way of the result."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def arguments(description: str, **numbers: int) -> argparse.Namespace:
    """The options of a benchmark: --json, and its own whole numbers and switches."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    for name, default in numbers.items():
        if default is False:
            parser.add_argument(f"--{name}", action="store_true")
        else:
            parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def report(
    benchmark: str,
    rows: Sequence[tuple[str, float, str]],
    ratios: Mapping[str, float],
    *,
    as_json: bool,
) -> None:
    """Print {benchmark, machine, rows: [{name, value, unit}], ratios}, or the same as a table."""
    machine = f"{platform.machine()}, Python {platform.python_version()}, {platform.system()}"
    if as_json:
        plain = [{"name": name, "value": value, "unit": unit} for name, value, unit in rows]
        print(json.dumps({"benchmark": benchmark, "machine": machine, "rows": plain, "ratios": dict(ratios)}, indent=1))
        return
    print(f"{benchmark} ({machine})")
    for name, value, unit in rows:
        print(f"  {name:<52} {_shown(value):>12} {unit}")
    for name, ratio in ratios.items():
        print(f"  {name:<52} {ratio:>12,.2f} ×")


def _shown(value: float) -> str:
    """Two decimals, or four of a share such as NDCG."""
    return f"{value:,.4f}" if 0 < abs(value) < 1 else f"{value:,.2f}"
