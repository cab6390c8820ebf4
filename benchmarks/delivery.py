"""What it costs to bring a mail of some 30 KB to a mail server, and how fast it goes when the server is far away.

Ours is the whole sender: rows claimed, letters written in a worker, consent read again, three commits a group of mails,
SMTP on 8 connections; and the same pool of connections with ready bytes, without ledger and rendering. The others get
finished messages: `smtplib.sendmail(bytes)` on one reused connection and in as many threads as ours has connections,
`smtplib.send_message` on one connection and with one for each mail, `aiosmtplib` on as many connections. They send
every so-manieth mail, as theirs cost the same whatever their number is. The mail server is `tests/smtp_sink.py` in a
process of its own, which writes nothing down; its CPU counts for nobody, that of our worker does.

With a delay before each reply, round trips decide. A mail needs four: MAIL, RCPT, DATA, and the message itself. Where
the server takes commands in groups (PIPELINING, RFC 2920), MAIL, RCPT of the next mail travel behind the end of the one
before it: two. So n connections can bring n / (round trips × delay) mails a second, and not more.

Ratios are of CPU time, and `…_wall` of the clock. `vs_…` compares like with like, ready bytes in all of them;
`whole_vs_…` the whole sender, which renders and asks and writes down beside that. `sendmail` is the better of the two.
`memory_of_ten_times`: what sender and worker together take at their most for all mails, by what they take for a tenth
of them, each in a fresh process.
"""

import gc
import math
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))  # `handpicked bench` does not start here

import _delivery_contenders as contenders
from _harness import Timing, arguments, interleaved, median, note, report
from _shop import CAMPAIGN, folder_in_memory, make_shop, settings_for
from _whole_run import WholeRun, peak_memory

from campaigns.execute import World
from engine.render.bounded import cpu_spent
from tests.smtp_conversation import EXTENSIONS
from tests.smtp_sink import Options, SinkProcess

Row = tuple[str, float, str]
Contenders = dict[str, tuple[int, Callable[[int], object]]]
"""By name: how many mails it sends, and what sends that many."""

MAILED = 0.93  # of the people of a sample shop; a few more than that allow mails
SIGNALS_EACH = 5  # the sender does not look at them: enough for a model
READY = 1_000  # finished messages that the others send in turn, 25 MB
DELAYED_SECONDS = 8  # of sending with a delay, at the rate that it allows
WHOLE, READY_BYTES = "ours: whole sender", "ours: ready bytes"
ONE, MANY, ASYNC = "sendmail(bytes), 1 connection", "sendmail(bytes), threads", "aiosmtplib"
MESSAGE, EACH = "send_message, 1 connection", "send_message, connection each"
ONE_IN = {
    READY_BYTES: 4,
    ONE: 10,
    MANY: 10,
    ASYNC: 20,
    MESSAGE: 40,
    EACH: 50,
}  # of the mails that the whole sender sends


class Bench:
    """A shop with a planned run, and what is measured with it. All rows are of medians of interleaved rounds."""

    def __init__(self, world: World, folder: Path, *, mails: int, rounds: int, connections: int) -> None:
        self._world, self._folder, self._rounds, self._connections = world, folder, rounds, connections
        self._run = WholeRun(world, CAMPAIGN)
        assert self._run.mails >= mails, f"only {self._run.mails} people may be mailed"
        self.mails = mails
        self._post = contenders.Post(self._run.messages(min(READY, mails)))
        sizes = sorted(len(outgoing.message) for outgoing in self._post.messages)
        self.size = sizes[len(sizes) // 2] / 1024

    def at_once(self) -> tuple[list[Row], dict[str, float]]:
        """Rows and ratios with a server that answers at once."""
        with self._sink() as sink:
            port, ready = sink.port, self.mails // ONE_IN[READY_BYTES]
            run = self._ours(port, self.mails, ready) | {
                name: (count, work)
                for name, work in self._others(port).items()
                if (count := max(self.mails // ONE_IN[name], self._connections))
            }
            cost = self._measured(run)
        rows = [(name, 1 / mail.cpu, "mails/s/core") for name, mail in cost.items()]
        rows += [(f"{name}, wall", 1 / mail.wall, "mails/s") for name, mail in cost.items()]
        others = {
            "sendmail": Timing(min(cost[ONE].cpu, cost[MANY].cpu), min(cost[ONE].wall, cost[MANY].wall)),
            "send_message": cost[MESSAGE],
            "connection_each": cost[EACH],
            "aiosmtplib": cost[ASYNC],
        }
        ratios = dict[str, float]()
        for prefix, ours in (("vs_", cost[READY_BYTES]), ("whole_vs_", cost[WHOLE])):
            ratios |= {prefix + name: other.cpu / ours.cpu for name, other in others.items()}
            ratios[prefix + "sendmail_wall"] = others["sendmail"].wall / ours.wall
        return rows, ratios

    def far_away(self, delay: float) -> tuple[list[Row], dict[str, float]]:
        """Rows and ratios with a server that takes `delay` seconds for each reply."""
        rows, ratios = list[Row](), dict[str, float]()
        for trips, extensions in ((2, EXTENSIONS), (4, tuple(name for name in EXTENSIONS if name != "PIPELINING"))):
            allowed = self._connections / (trips * delay)
            count = min(math.ceil(allowed * DELAYED_SECONDS), self.mails)
            with self._sink(delay, extensions) as sink:
                run = self._ours(sink.port, count, count)
                if trips == 4:  # as many as smtplib and aiosmtplib always need
                    run |= {
                        name: (count, work) for name, work in self._others(sink.port).items() if name in (MANY, ASYNC)
                    }
                cost = self._measured(run)
            after = f"after {delay * 1000:g} ms, {trips} round trips"
            rows += [(f"{name}, {after}", 1 / mail.wall, "mails/s") for name, mail in cost.items()]
            rows.append((f"what that delay allows, {trips} round trips", allowed, "mails/s"))
            ratios["of_delay_limit" if trips == 2 else "of_delay_limit_without_pipelining"] = (
                1 / cost[WHOLE].wall / allowed
            )
        return rows, ratios

    def memory(self) -> tuple[list[Row], dict[str, float]]:
        """Rows and the ratio of what all mails and a tenth of them take."""
        rows, sums = list[Row](), list[float]()
        with self._sink() as sink:
            for mails in (self.mails // 10, self.mails):
                note(f"memory of {mails:,} mails")
                sender, worker = peak_memory(self._world, self._run, sink.port, self._connections, mails)
                rows += [(f"memory of the sender, {mails:,} mails", sender, "MB")]
                rows += [(f"memory of its worker, {mails:,} mails", worker, "MB")]
                sums.append(sender + worker)
        return rows, {"memory_of_ten_times": sums[1] / sums[0]}

    def _ours(self, port: int, whole: int, ready: int) -> Contenders:
        """Both of ours. whole, ready: how many mails."""
        settings = settings_for(self._world.settings, port, self._connections)
        return {
            WHOLE: (whole, partial(self._run.send, settings)),
            READY_BYTES: (ready, partial(contenders.pool_alone, self._post, settings)),
        }

    def _others(self, port: int) -> dict[str, Callable[[int], object]]:
        """Each sends as many mails as it is told."""
        many, post = self._connections, self._post
        return {
            ONE: partial(contenders.sendmail, post, port, 1),
            MANY: partial(contenders.sendmail, post, port, many),
            ASYNC: partial(contenders.aiosmtplib_sendmail, post, port, many),
            MESSAGE: partial(contenders.send_message, post, port),
            EACH: partial(contenders.connection_each, post, port),
        }

    def _measured(self, run: Contenders) -> Mapping[str, Timing]:
        """What a mail costs each of them, at the median."""
        found = interleaved(
            self._rounds,
            {name: partial(work, count) for name, (count, work) in run.items()},
            elsewhere=cpu_spent,
            warm={WHOLE: partial(self._run.put_back, run[WHOLE][0])},
        )
        middles = {name: median(timings) for name, timings in found.items()}
        return {name: Timing(each.cpu / run[name][0], each.wall / run[name][0]) for name, each in middles.items()}

    def _sink(self, delay: float = 0, extensions: tuple[str, ...] = EXTENSIONS) -> SinkProcess:
        record = self._folder / "sink.jsonl"  # nothing is written into it
        return SinkProcess(
            Options(record=record, record_of="nothing", hashes=False, delay=delay, extensions=extensions)
        )


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", mails=100_000, rounds=3, connections=8, delay=20)
    with folder_in_memory() as folder:
        note("making a shop and a plan")
        people = math.ceil(options.mails / MAILED)
        world = make_shop(folder, people, signals_each=SIGNALS_EACH, epochs=1)
        bench = Bench(world, folder, mails=options.mails, rounds=options.rounds, connections=options.connections)
        gc.collect()
        gc.freeze()  # nobody walks through what the others have made when it looks for garbage
        rows: list[Row] = [("mails", float(bench.mails), "mails"), ("size of a mail", bench.size, "KB")]
        ratios: dict[str, float] = {}
        for part in (bench.at_once, lambda: bench.far_away(options.delay / 1000), bench.memory):
            more, compared = part()
            rows += more
            ratios |= compared
        world.close()
    report("delivery", rows, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
