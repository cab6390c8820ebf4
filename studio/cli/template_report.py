"""What `handpicked template check` found out, in lines for a person."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from campaigns.template_check import TemplateCheck
    from engine.render.clients import ClientSupport, Lack, Verdict

LINES_NAMED = 2  # places of a feature in the files; how many more there are is said
CLIENTS_NAMED = 6


def check_lines(found: "TemplateCheck") -> Iterator[str]:
    """The path and why, what it costs, how to get to the fast one; then what was found in the mails."""
    from campaigns.template_check import PATHS

    inlining, cost = found.inlining, found.cost
    because = f", because of {inlining.reason}" if inlining.reason else ""
    yield f"{found.template}: {PATHS[inlining.path]}{because}"
    if inlining.advice:
        yield f"  to have it inlined once: {inlining.advice}"
    yield (
        f"  a mail takes {duration(cost.microseconds)}, that is {cost.mails_per_second:,} a second in one process "
        f"(measured on {cost.mails} mails, after a first round at {duration(cost.first_microseconds)} each)"
    )
    yield f"  {found.mails} mails looked at, to {found.sample}; {size(found)} of HTML"
    if found.languages:
        yield f"  languages: {', '.join(found.languages)}"
    for language, texts in found.unsaid.items():
        more = f" and {len(texts) - 1} more" if len(texts) > 1 else ""
        yield f"  not written in {language}, which has no words for {texts[0]!r}{more}"
    yield f"  variables: {', '.join(found.variables) or 'none'}"
    for concern in found.concerns:
        where = f"({concern.mails} of {found.mails} mails; {concern.reader})"
        yield f"  {concern.severity}: {concern.check} {concern.examples[0]} {where}"
        yield from (f"    {example}" for example in concern.examples[1:])
    if not found.concerns:
        yield "  nothing to complain about in these mails"


def client_lines(lacks: "list[Lack]", support: "ClientSupport") -> Iterator[str]:
    """Each feature some client lacks, with those clients; then the clients that lack most."""
    from engine.render.clients import by_client

    yield f"what mail clients lack, by caniemail.com of {support.date}, {len(support.clients)} clients:"
    for lack in lacks:
        hint = "; only adds to a mail that is fine without" if lack.only_adds else ""
        yield f"  {lack.title} ({', '.join(lack.where)}): {'; '.join(_places(lack.lines)) or 'in every mail'}{hint}"
        for partly, words in ((False, "not in"), (True, "partly in")):
            verdicts = [verdict for verdict in lack.verdicts if verdict.partly == partly]
            for note, same in _by_note(verdicts, partly=partly):
                yield f"    {words} {named(same, support)}{f': {note}' if note else ''}"
    counts = [f"{client} {lacking}" for client, lacking, _ in by_client(lacks)[:CLIENTS_NAMED]]
    if counts:
        yield f"  features lacking altogether: {', '.join(counts)}"
    else:
        yield "  nothing: every client supports all of it"


def named(verdicts: "Iterable[Verdict]", support: "ClientSupport") -> str:
    """Clients by family: "Gmail, Outlook (Windows, macOS)"; a family without platforms is all of them."""
    families: dict[str, list[str]] = {}
    for verdict in verdicts:
        families.setdefault(verdict.family, []).append(verdict.platform)
    return ", ".join(
        family if len(platforms) == support.platforms[family] else f"{family} ({', '.join(platforms)})"
        for family, platforms in families.items()
    )


def duration(microseconds: float) -> str:
    """A duration in three digits.

    >>> duration(238.4), duration(35_410.0)
    ('238 µs', '35.4 ms')
    """
    return f"{microseconds:.0f} µs" if microseconds < 1_000 else f"{microseconds / 1_000:.1f} ms"


def size(found: "TemplateCheck") -> str:
    """How much HTML the mails have, in whole KB."""
    smallest, largest = (-(-count // 1024) for count in (found.smallest, found.largest))
    return f"{largest} KB" if smallest == largest else f"{smallest} to {largest} KB"


def _places(lines: tuple[str, ...]) -> list[str]:
    more = len(lines) - LINES_NAMED
    said = [f"{more} more line{'s' if more > 1 else ''}"] if more > 0 else []
    return [*lines[:LINES_NAMED], *said]


def _by_note(verdicts: "list[Verdict]", *, partly: bool) -> "list[tuple[str, list[Verdict]]]":
    """Those who lack it altogether together, those who lack a part by what the data say about it."""
    groups: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault(verdict.note if partly else "", []).append(verdict)
    return list(groups.items())
