"""How long each page of the studio takes in a big shop: a million people, ten million signals, all in SQLite.

The workspace is made first, which takes two minutes and 3 GB, and kept in the folder given by --workspace. Then the
real studio serves it on a socket of this machine, and a client that is logged in asks for every page, one at a time,
round by round. The pages are those that the application has: one without an example here fails the benchmark. Times
are on the clock, from the request to the last byte; of a download, to its first.

A page waits up to 0.1 s for a figure that is being counted. What is measured is a page whose figures were counted
before, as it is nearly always; `first` is what the first look at it took, with nothing read before.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))  # `handpicked bench` does not start here

from _harness import note, report
from _studio_client import Client, Taken, Wanted, pages_wanted, served
from _studio_workspace import make_workspace

GOAL = 300  # ms, the median of every screen
TRIES_OF_SLOW = 3  # of a page whose first look took longer than SLOW
SLOW = 3_000  # ms


def main() -> None:
    """Build, serve, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--workspace", type=Path, help="where the workspace is kept; a folder that goes, without it")
    for name, default in (("people", 1_000_000), ("signals", 10_000_000), ("messages", 220_000), ("rounds", 15)):
        parser.add_argument(f"--{name}", type=int, default=default)
    said = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = said.workspace or Path(folder) / "shop"
        make_workspace(workspace, said.people, said.signals, said.messages)
        with served(workspace) as (client, app):
            taken = measure(client, pages_wanted(app, workspace), said.rounds)
    tell(taken, as_json=said.json)


def measure(client: Client, wanted: list[Wanted], rounds: int) -> dict[str, Taken]:
    """What each page takes, in ms: all once, then all again and again, in turn."""
    taken = {page.name: Taken(client.ask(page)) for page in wanted}
    for page in wanted:  # figures that were being counted are kept by now, or soon
        client.ask(page)
    for number in range(rounds):
        note(f"round {number + 1} of {rounds}")
        for page in wanted:
            if taken[page.name].first < SLOW or number < TRIES_OF_SLOW:
                taken[page.name].again.append(client.ask(page))
    return taken


def tell(taken: dict[str, Taken], *, as_json: bool) -> None:
    """The table, slowest page first."""
    by_median = sorted(taken.items(), key=lambda each: -statistics.median(each[1].again))
    rows = [
        (f"{name} {what}", value, "ms")
        for name, times in by_median
        for what, value in (("median", statistics.median(times.again)), ("p95", times.p95), ("first", times.first))
    ]
    medians = [statistics.median(times.again) for times in taken.values()]
    ratios = {"slowest_of_300_ms": max(medians) / GOAL, "pages_over_300_ms": sum(each > GOAL for each in medians)}
    report("studio_pages", rows, ratios, as_json=as_json)


if __name__ == "__main__":
    main()
