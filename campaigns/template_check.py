"""What is to be known about a template before a campaign uses it: its path, its cost, and what is wrong in its mails.

Everything is found out on finished mails, made as a run makes them. The cost is measured here and now, on this machine.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from time import perf_counter
from typing import Any

from campaigns.letters import Letter, Row, Writer
from campaigns.press import Press
from campaigns.sample_mails import Reader, SampleShop, sample_content
from campaigns.settings import Settings
from engine.errors import TemplateBroken
from engine.render.advice import advice_for
from engine.render.bounded import shared
from engine.render.checks import check
from engine.render.clients import places_in, template_files
from engine.render.content import Content
from engine.render.contrast import contrast_findings
from engine.render.environment import TemplateFolders
from engine.render.inline import InlinePath, prepare
from engine.render.languages import lacking, languages_of

CROWD = 60  # rows to measure with: enough that no cache of one mail's parts flatters the result
AT_A_TIME = 25
EXAMPLES = 3  # of a kind of finding
LOOKED_AT = 10  # people besides the made-up readers
LONGEST_MEASURING = 1.0  # seconds for each of the two rounds
FAST = ("once", "shapes")
PATHS = {  # in words, behind the template's name
    "once": "its CSS is inlined once, into the template",
    "shapes": "its CSS is inlined once for each shape of mail",
    "each": "its CSS is inlined mail by mail",
}
_NAME = re.compile(r"(?:no attribute|filter named|test named) '(\w+)'|'(\w+)' is undefined")


@dataclass(frozen=True)
class Inlining:
    """How the CSS of a template gets into its mails. path: once, shapes or each; reason: why not once, and where."""

    path: str
    reason: str

    @property
    def fast(self) -> bool:
        """Whether a run of many mails is done in minutes."""
        return self.path in FAST

    @property
    def advice(self) -> str:
        """How to get to the fast path; empty when it is there already."""
        return advice_for(self.reason) if self.reason else ""


@dataclass(frozen=True)
class Cost:
    """What a mail takes, written to its last byte, by one process. first: while nothing is kept from others yet."""

    microseconds: float
    first_microseconds: float
    mails: int

    @property
    def mails_per_second(self) -> int:
        """So many mails are ready each second."""
        return int(1e6 / self.microseconds)

    def summary(self) -> dict[str, object]:
        """As plain data."""
        return {
            "microseconds_per_mail": round(self.microseconds, 1),
            "microseconds_of_a_first_mail": round(self.first_microseconds, 1),
            "mails_per_second": self.mails_per_second,
            "mails_measured": self.mails,
        }


@dataclass(frozen=True)
class Concern:
    """A kind of finding in some of the sample mails. examples: what was found, a few of them; reader: in whose mail the
    first; mails: in how many."""

    severity: str
    check: str
    examples: tuple[str, ...]
    reader: str
    mails: int


@dataclass(frozen=True)
class TemplateCheck:
    """Everything found out about one template. sample: whose mails were looked at."""

    template: str
    inlining: Inlining
    cost: Cost
    concerns: tuple[Concern, ...]
    smallest: int
    largest: int
    languages: tuple[str, ...]
    unsaid: Mapping[str, list[str]]
    variables: dict[str, str]
    sample: str
    mails: int

    @property
    def good(self) -> bool:
        """Whether there is nothing to look at."""
        return self.inlining.fast and not self.concerns

    def summary(self) -> dict[str, Any]:
        """As plain data, with keys that stay."""
        return {
            "template": self.template,
            "path": self.inlining.path,
            "inlined_once": self.inlining.path == "once",
            "reason": self.inlining.reason,
            "advice": self.inlining.advice,
            "cost": self.cost.summary(),
            "findings": [asdict(concern) for concern in self.concerns],
            "html_bytes": {"smallest": self.smallest, "largest": self.largest},
            "languages": list(self.languages),
            "unsaid": dict(self.unsaid),
            "variables": self.variables,
            "sample": self.sample,
            "mails": self.mails,
        }


def check_template(
    settings: Settings, name: str, shop: SampleShop, *, now: datetime
) -> tuple[TemplateCheck, list[str]]:
    """(what was found out, the HTML of the mails looked at). Raises TemplateMissing, TemplateBroken.

    The mails go to every made-up reader, and to some of the workspace's own people.
    """
    content = sample_content(settings, name, now)
    inlining = inlining_of(settings.templates, name, content)
    crowd = shop.crowd(content, CROWD)
    some = [Reader(row.address, row.given_name, row) for row in crowd[:LOOKED_AT]]
    readers = [reader for reader in (*shop.readers(content), *some) if reader.row]
    rows = [reader.row for reader in readers if reader.row]
    try:
        with Press(content, shop.cards, date=now) as press:
            letters = list(zip(readers, press.letters(rows), strict=True))
    except TemplateBroken as error:
        raise TemplateBroken(located(str(error), files_of(settings.templates, name))) from error
    with Press(content, shop.cards, date=now) as press:
        cost = measured(press, crowd)
    sizes = [len(letter.mail.html.encode()) for _, letter in letters]
    found = TemplateCheck(
        template=name,
        inlining=inlining,
        cost=cost,
        concerns=concerns_in(letters, content, hosts_in(content, shop, now)),
        smallest=min(sizes),
        largest=max(sizes),
        languages=languages_of(content),
        unsaid={tag: texts for tag in sorted(content.catalogues) if (texts := lacking(content, tag))},
        variables=settings.templates.sheet(name).defaults(),
        sample="the workspace's people and products" if shop.world else "made-up people and products",
        mails=len(letters),
    )
    return found, [letter.mail.html for _, letter in letters]


def files_of(folders: TemplateFolders, name: str) -> dict[str, str]:
    """The sources a template is made of, by file."""
    return template_files(folders.source, f"{name}.html")


def located(problem: str, files: Mapping[str, str]) -> str:
    """The sentence about a template, and where in its files the name stands that it complains of.

    A mail is rendered from all files in one piece; an author never sees the lines of that one. What names a file of
    the template already stays as it is.

    >>> located("template own, line 9: no attribute 'titel'", {"hero.html": "<p>{{ hero.titel }}</p>"})
    "template own, line 9: no attribute 'titel' (hero.html, line 1)"
    """
    named = _NAME.search(problem)
    if named is None or any(file in problem for file in files):
        return problem
    places = list(places_in(files, rf"\{{[{{%][^}}]*(?<!\w){re.escape(named[1] or named[2])}(?!\w)"))
    return f"{problem} ({'; '.join(places[:3])})" if places else problem


def inlining_of(folders: TemplateFolders, name: str, content: Content) -> Inlining:
    """Which path the template takes, and why. Raises TemplateMissing, TemplateBroken."""
    if content.path is InlinePath.ONCE:
        return Inlining("once", "")
    prepared = shared().call(prepare, folders.files(), f"{name}.html", what=name)
    return Inlining(str(prepared.path), prepared.reason)


def measured(press: Press, rows: Sequence[Row], *, longest: float = LONGEST_MEASURING) -> Cost:
    """What a mail costs: a first round with nothing kept, then again with the same rows. Raises TemplateBroken."""
    _timed(press, rows[:1], longest)  # its process is there now
    (first, written), (again, mails) = (_timed(press, rows, longest) for _ in range(2))
    return Cost(again / mails * 1e6, first / written * 1e6, mails)


def _timed(press: Press, rows: Sequence[Row], longest: float) -> tuple[float, int]:
    """(seconds, mails written), stopping after the longest time."""
    begun, written = perf_counter(), 0
    for part in _parts(rows):
        press.begin_messages(part)
        written += len(press.finish())
        if perf_counter() - begun > longest:
            break
    return perf_counter() - begun, written


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The first by itself, so that a slow template is found out soon; then as many at a time as sending writes."""
    yield rows[:1]
    for start in range(1, len(rows), AT_A_TIME):
        yield rows[start : start + AT_A_TIME]


def concerns_in(
    letters: Iterable[tuple[Reader, Letter]], content: Content, known_hosts: frozenset[str]
) -> tuple[Concern, ...]:
    """What is wrong in these mails: each kind once, errors first."""
    found: dict[tuple[str, str], list[tuple[Reader, list[str]]]] = {}
    for reader, letter in letters:
        of_this: dict[tuple[str, str], list[str]] = {}
        for finding in (
            *check(letter.mail, content.sender, letter.unsubscribe_url, known_hosts),
            *contrast_findings(letter.mail.html),
        ):
            of_this.setdefault((finding.severity, finding.check), []).append(finding.detail)
        for kind, details in of_this.items():
            found.setdefault(kind, []).append((reader, details))
    return tuple(
        Concern(
            severity,
            name,
            tuple(islice(dict.fromkeys(detail for _, details in cases for detail in details), EXAMPLES)),
            cases[0][0].title or cases[0][0].key,
            len(cases),
        )
        for (severity, name), cases in sorted(found.items())
    )


def hosts_in(content: Content, shop: SampleShop, now: datetime) -> frozenset[str]:
    """Where links of the template's mails may lead: to what it says itself, and to the shop's products."""
    return Writer(content, shop.cards, date=now).known_hosts
