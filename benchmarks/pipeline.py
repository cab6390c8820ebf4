"""The headline: from a subscriber's history to a mail at the mail server, as most would write it, and as we do.

Naive: ORM rows, `model.predict` per person, Jinja, premailer per mail, EmailMessage, `send_message` on a connection of
its own, one commit each. Ours: plan with every mail checked, send with the ledger and consent read again per mail, on 8
connections. Same people, products, template and mail server, in interleaved rounds of one run. CPU is that of all
processes on our side: ours renders in a worker of its own. That of the mail server, `tests/smtp_sink.py`, which takes
everything and writes nothing down, counts for neither.

What the naive pipeline costs is the same for every mail, so it mails a sample of the people, evenly chosen; ours has
costs that are paid once a run (a model and a catalogue to load, a template to compile), and mails everybody: 20,000,
a small shop's list. With fewer people these costs weigh more: `--people 5000`. Both keep the database in memory where
there is /dev/shm. With `--outbox` both write into a Maildir in memory instead, as this benchmark did before there was
SMTP.
"""

import gc
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))  # `handpicked bench` does not start here

from _harness import arguments, interleaved, median, note, once, report
from _naive import Leave, NaivePipeline, by_smtp, into_maildir
from _shop import CAMPAIGN, folder_in_memory, make_shop, settings_for

from campaigns.deliver import send_run
from campaigns.execute import World, start_run
from campaigns.models import MessageState
from campaigns.plan import plan_run
from campaigns.smtp.pool import Smtp
from campaigns.transports import Outbox, Transport
from engine.render.bounded import cpu_spent
from tests.smtp_sink import Options, SinkProcess

CONNECTIONS = 8
HOST = "127.0.0.1"


class Ours:
    """Whole runs of the campaign: plan, send. stages: seconds of CPU of each, a number a run; mails: of the last."""

    def __init__(self, world: World, transport: Callable[[], Transport | Smtp]) -> None:
        self._world, self._transport = world, transport
        self.stages: dict[str, list[float]] = {"plan": [], "send": []}
        self.mails = 0

    def run(self) -> None:
        """One more."""
        world = self._world
        run = start_run(world, CAMPAIGN)
        assert run is not None
        assert run.id is not None
        number = run.id

        def send() -> None:
            counts = send_run(world.database, number, self._transport(), clock=world.clock)
            self.mails = counts[MessageState.ACCEPTED]

        plan = once(lambda: plan_run(world.database, number, world.settings, world.secrets), elsewhere=cpu_spent)
        self.stages["plan"].append(plan.cpu)
        self.stages["send"].append(once(send, elsewhere=cpu_spent).cpu)


def empty(outbox: Path) -> None:
    """So that each run finds as much room as the one before it."""
    if outbox.is_dir():
        for path in outbox.iterdir():
            path.unlink()


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", people=20_000, rounds=3, naive=300, outbox=False)
    every = max(options.people // options.naive, 1)
    with folder_in_memory() as folder:
        sink = SinkProcess(Options(record=folder / "sink.jsonl", record_of="nothing", hashes=False))
        server: AbstractContextManager[object] = nullcontext() if options.outbox else sink
        note("making a shop and training")
        world = make_shop(folder, options.people)
        with server:
            leave: Leave
            if options.outbox:
                leave, ours = into_maildir(folder / "naive-outbox"), Ours(world, lambda: Outbox(folder / "outbox"))
            else:
                settings = settings_for(world.settings, sink.port, CONNECTIONS)
                leave, ours = by_smtp(HOST, sink.port), Ours(world, lambda: Smtp(settings))
            naive = NaivePipeline(world, leave)
            gc.collect()
            gc.freeze()  # neither walks through the other's objects when it looks for garbage

            def warm() -> None:
                ours.run()
                for stage in ours.stages.values():
                    stage.pop()
                empty(folder / "outbox" / "new")

            found = interleaved(
                options.rounds,
                {"naive": lambda: naive.run(every), "ours": ours.run},
                elsewhere=cpu_spent,
                warm={"naive": lambda: naive.run(every * 5), "ours": warm},
            )
        mails = ours.mails
        assert abs(naive.mails * every - mails) < mails / 20, f"not the same people: {naive.mails} and {mails} mails"
        world.close()
    slow, fast = median(found["naive"]), median(found["ours"])
    naive_cpu, naive_wall = slow.cpu / naive.mails, slow.wall / naive.mails
    rows = [
        ("people mailed", float(mails), "people"),
        ("of them by the naive pipeline, evenly chosen", float(naive.mails), "people"),
        ("naive", 1 / naive_cpu, "mails/s/core"),
        ("ours: plan with every mail checked, send", mails / fast.cpu, "mails/s/core"),
        ("naive, wall", 1 / naive_wall, "mails/s"),
        ("ours, wall", mails / fast.wall, "mails/s"),
        *(
            (f"ours: {name}", sorted(values)[len(values) // 2] / mails * 1e6, "µs/mail")
            for name, values in ours.stages.items()
        ),
    ]
    report("pipeline", rows, {"vs_naive": naive_cpu / (fast.cpu / mails)}, as_json=options.json)


if __name__ == "__main__":
    main()
