"""What a mail of 30 KB costs: ours, with the checks of every mail, against Jinja and an inliner for each mail.

Same template, same people, same pictures, in interleaved rounds of one run, in CPU time. Ours begins with the frozen
row as the database gives it; the others get their contexts ready made, and check nothing. `ours, first round` pays for
compiling and for every card that is met for the first time.
"""

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from _harness import Timing, arguments, interleaved, median, note, once, report
from _rendering_contenders import Context, jinja, measured, with_css_inline, with_juice, with_premailer

from campaigns.letters import Letter, Writer, row_of
from engine.render.checks import check
from engine.render.content import Content, Sender
from engine.render.environment import SHIPPED, TemplateFolders
from engine.render.inline import inline_template
from engine.render.locale import Words, catalogues

TEMPLATE, PICKS, PRODUCTS, SENTENCES = "picked-for-you", 10, 1_000, 4
DATE = datetime(2026, 6, 1, 12, tzinfo=UTC)
SENDER = Sender("Linden & Vale", "post@shop.example", "14 Orchard Lane, Galway H91 X2P3", "https://shop.example")
WORDS = ("Rose", "Linden", "Oat", "Almond", "Marsh", "Silver", "Night", "Garden", "Balm", "Cream", "Serum", "Candle")


def make_content() -> Content:
    """The shipped template with its own words."""
    folders = TemplateFolders((SHIPPED,))
    sheet = folders.sheet(TEMPLATE)
    made = inline_template(folders.sandbox(), folders.source, f"{TEMPLATE}.html")
    return Content(
        template=TEMPLATE,
        source=made.source,
        path=made.path,
        places=made.places,
        plain=folders.source("layouts/plain.txt"),
        subject=sheet.subject,
        preheader=sheet.preheader,
        variables={},
        defaults=sheet.defaults() | {"subject": sheet.subject, "preheader": sheet.preheader},
        messages=(),
        catalogues=catalogues(folders.folders),
        language="en",
        sender=SENDER,
        public_url="https://mail.shop.example",
    )


def make_cards(chance: random.Random) -> dict[int, dict[str, Any]]:
    """Products as a run freezes them."""

    def card(number: int) -> dict[str, Any]:
        title = " ".join(chance.sample(WORDS, 3)) + f" {number}"
        return {
            "title": title,
            "description": f"{title}: calms within minutes, made by hand, and enough for three months.",
            "link": f"https://shop.example/products/{number}?from=mail",
            "image": f"https://mail.shop.example/media/{number:020x}.png",
            "image_width": 600,
            "image_height": 600,
            "alt": title,
            "price_minor": chance.randrange(300, 9_000),
            "currency": "GBP",
            "brand": chance.choice(WORDS),
        }

    return {number: card(number) for number in range(PRODUCTS)}


def make_rows(chance: random.Random, people: int) -> list[dict[str, Any]]:
    """Rows of a plan. What is popular is picked more often: product n as often as 1 / (n + 1)."""
    weights = [1 / (number + 1) for number in range(PRODUCTS)]
    rows = []
    for number in range(people):
        drawn = dict.fromkeys(chance.choices(range(PRODUCTS), weights, k=4 * PICKS))
        picks = [*drawn, *(n for n in range(PRODUCTS) if n not in drawn)][:PICKS]
        listed = [
            [sku, 1.5, "profile", f"A good choice for need {sku % 7 + sku * number % SENTENCES}", 1.0] for sku in picks
        ]
        rows.append(
            {
                "address": f"somebody-{number}@example.com",
                "given_name": f"Ana{number}",
                "language": "en",
                "banner": "",
                "picks": json.dumps(listed),
                "message_id": f"{number:032x}@shop.example",
                "token": f"{number:040x}.{number:027x}",
            }
        )
    return rows


def contexts_of(
    rows: Sequence[Mapping[str, Any]], cards: Mapping[int, Mapping[str, Any]], content: Content
) -> list[Context]:
    """What the other ways are given: everything looked up and worded beforehand."""
    words, shown = Words("en"), []
    for row in rows:
        picks = [
            {**cards[sku], "price": words.money(cards[sku]["price_minor"], "GBP"), "reason": sentence}
            for sku, sentence in row_of(row).picks
        ]
        shown.append(
            {
                "language": "en",
                "direction": "ltr",
                "banner": {"words": "", "link": ""},
                "subject": f"{picks[0]['title']} and {len(picks) - 1} more picks",
                "preheader": f"Picked for {row['given_name']} this week",
                "campaign": dict(content.defaults),
                "subscriber": {"given_name": row["given_name"]},
                "hero": picks[0],
                "picks": picks[1:],
                "sender": {"name": SENDER.name, "postal_address": SENDER.postal_address, "website": SENDER.website},
                "links": {"unsubscribe": f"{content.public_url}/u/{row['token']}", "home": SENDER.website},
            }
        )
    return shown


class Ours:
    """From frozen rows to checked HTML, or to the bytes of the message."""

    def __init__(self, content: Content, cards: Mapping[int, Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]):
        self._writer, self._rows = Writer(content, cards, date=DATE), rows

    def html(self) -> int:
        """The HTML of every row in one piece, checked."""
        return sum(len(mail.html) for mail in (self._checked(row).mail for row in self._rows))

    def messages(self) -> int:
        """The whole message of every row, checked."""
        return sum(len(self._checked(row, whole=True).message) for row in self._rows)

    def _checked(self, row: Mapping[str, Any], *, whole: bool = False) -> Letter:
        letter = self._writer.write(row_of(row)) if whole else self._writer.words(row_of(row))
        found = check(letter.mail, SENDER, letter.unsubscribe_url, self._writer.known_hosts)
        assert not found, found
        return letter


def email_messages(letters: Sequence[Letter]) -> Callable[[], object]:
    """EmailMessage from words that are rendered already."""

    def build(letter: Letter) -> bytes:
        message = EmailMessage()
        message["From"], message["To"] = f"{SENDER.name} <{SENDER.address}>", "somebody@example.com"
        message["Subject"], message["Date"] = letter.mail.subject, DATE
        message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(letter.mail.text)
        message.add_alternative(letter.mail.html, subtype="html")
        return message.as_bytes()  # quoted-printable too: lines of an inlined mail are longer than 78 columns

    return lambda: [build(letter) for letter in letters]


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", people=4_000, rounds=5)
    chance = random.Random(7)
    content, cards = make_content(), make_cards(chance)
    rows = make_rows(chance, options.people)
    contexts = contexts_of(rows[:200], cards, content)
    ours = Ours(content, cards, rows)
    cold = once(ours.html)
    letters = [Writer(content, cards, date=DATE).write(row_of(row)) for row in rows[:100]]
    sizes = [len(letter.mail.html.encode()) for letter in letters]
    contenders: dict[str, tuple[int, Callable[[], object]]] = {
        "ours to checked HTML": (len(rows), ours.html),
        "ours to checked message": (len(rows), ours.messages),
        "jinja": (200, jinja(TEMPLATE, contexts)),
        "jinja + premailer": (20, with_premailer(TEMPLATE, contexts[:20], tuned=False)),
        "jinja + premailer, tuned": (20, with_premailer(TEMPLATE, contexts[:20], tuned=True)),
        "EmailMessage alone": (100, email_messages(letters)),
    }
    css_inline, juice = with_css_inline(TEMPLATE, contexts), with_juice(TEMPLATE, contexts)
    for _, work in contenders.values():
        work()  # warm
    timings = interleaved(options.rounds, {name: work for name, (_, work) in contenders.items()})
    cost = {name: median(timings[name]).cpu / mails for name, (mails, _) in contenders.items()}
    others = {"jinja + css-inline": css_inline} | ({"nunjucks + juice": juice} if juice else {})
    for name, command in others.items():
        note(f"{options.rounds} rounds: {name}")
        cost[name] = median([Timing(seconds, seconds) for seconds in measured(command, options.rounds)]).cpu
    table = [
        ("size of the HTML", sorted(sizes)[len(sizes) // 2] / 1024, "KB"),
        *((name, seconds * 1e6, "µs/mail") for name, seconds in cost.items()),
        ("ours to checked HTML, first round", cold.cpu / len(rows) * 1e6, "µs/mail"),
    ]
    ratios = {
        "vs_premailer": cost["jinja + premailer"] / cost["ours to checked HTML"],
        "vs_premailer_tuned": cost["jinja + premailer, tuned"] / cost["ours to checked HTML"],
        "vs_css_inline": cost["jinja + css-inline"] / cost["ours to checked HTML"],
        "vs_jinja": cost["jinja"] / cost["ours to checked HTML"],
        "message_vs_emailmessage": cost["EmailMessage alone"] / cost["ours to checked message"],
    }
    if juice:
        ratios["vs_juice"] = cost["nunjucks + juice"] / cost["ours to checked HTML"]
    report("rendering", table, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
