"""A mail from frozen inputs: the same bytes everywhere, one line of subject, and a text part that lacks nothing."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from engine.errors import TemplateBroken
from engine.render.compose import Composer
from engine.render.content import Content, Mail, Recipient
from engine.render.locale import catalogues
from engine.render.sandbox import Sandbox
from tests.engine.mails import FOLDERS, SENDER, UNSUBSCRIBE, card, composer, content, recipient, shipped_content

ROOT = Path(__file__).parents[3]


def shipped_mail(name: str, picks: int = 5) -> Mail:
    cards = {number: card(number) for number in range(picks + 1)}
    return Composer(shipped_content(name), cards).compose(recipient(*range(picks + 1)))


@pytest.mark.parametrize("name", FOLDERS.names())
def test_the_same_inputs_give_the_same_mail(name: str) -> None:
    assert shipped_mail(name) == shipped_mail(name)


@pytest.mark.slow
def test_another_process_with_another_hash_seed_makes_the_same_mails() -> None:
    program = (
        "import json, sys; from engine.render.compose import *; from engine.render.content import *;"
        "from dataclasses import asdict;"
        "from engine.render.inline import inline_template; from engine.render.environment import *;"
        "given = json.load(sys.stdin); folders = TemplateFolders((SHIPPED,));"
        "prepared = lambda n: inline_template(folders.sandbox(), folders.source, n + '.html');"
        "inlined = {n: prepared(n).source for n in folders.names()};"
        "mails = [Composer(Content.from_plain(c), {int(k): v for k, v in given['cards'].items()})"
        ".compose(Recipient(**{**given['recipient'], 'picks': [tuple(pick) for pick in given['recipient']['picks']]}))"
        " for c in given['contents']];"
        "json.dump([inlined, [asdict(mail) for mail in mails]], sys.stdout)"
    )
    contents = [shipped_content(name) for name in FOLDERS.names()]
    frozen = {
        "contents": [content.as_plain() for content in contents],
        "cards": {number: card(number) for number in range(6)},
        "recipient": asdict(recipient(*range(6))),
    }
    for seed in ("1", "2"):
        answer = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps(frozen),
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        inlined, mails = json.loads(answer)
        assert inlined == {content.template: content.source for content in contents}
        assert mails == json.loads(json.dumps([asdict(shipped_mail(name)) for name in FOLDERS.names()]))


def test_content_survives_being_frozen() -> None:
    before = shipped_content("announcement")
    assert Content.from_plain(json.loads(json.dumps(before.as_plain()))) == before


def plain(value: object) -> bool:
    if isinstance(value, dict):
        return type(value) is dict and all(type(key) is str and plain(inner) for key, inner in value.items())
    return all(map(plain, value)) if type(value) is list else type(value) in (str, int)


def test_a_template_sees_plain_data_and_nothing_else() -> None:
    everywhere = {*Sandbox().globals, "_", "ngettext"}
    context = composer()._edition("en").context(recipient(1, 2))
    told = {name: value for name, value in context.items() if name not in everywhere}
    assert plain(told)
    names = {"campaign", "sender", "language", "direction", "subscriber", "hero", "picks", "banner", "links"}
    assert set(told) == names


def test_the_hero_is_the_first_pick_and_each_pick_has_its_own_sentence() -> None:
    someone = Recipient("Ana", "en", UNSUBSCRIBE, [(3, "first"), (1, "second")])
    source = "{{ hero.title }} {{ hero.reason }}{% for c in picks %}, {{ c.title }} {{ c.reason }}{% endfor %}"
    assert composer(source).compose(someone).html == "Product 3 first, Product 1 second"


def test_one_mail_leaves_no_trace_in_the_next() -> None:
    writer = composer("{{ subject }} {{ hero.reason }} {{ subscriber.given_name }}")
    alone = composer("{{ subject }} {{ hero.reason }} {{ subscriber.given_name }}").compose(
        recipient(2, given_name="Bo")
    )
    writer.compose(Recipient("Ana", "ar", UNSUBSCRIBE, [(1, "other")]))
    assert writer.compose(recipient(2, given_name="Bo")) == alone


@given(text=st.text(), variable=st.text())
def test_a_subject_is_always_one_line(text: str, variable: str) -> None:
    mail = composer(
        subject="{{ hero.title }}\n{{ campaign.line }}", cards={1: card(1, title=text)}, variables={"line": variable}
    ).compose(recipient())
    for line in (mail.subject, mail.preheader):
        assert len(line.splitlines()) <= 1
        assert line == line.strip()


def test_a_subject_is_text_and_the_same_subject_is_escaped_in_the_html() -> None:
    mail = composer("<title>{{ subject }}</title>", cards={1: card(1, title="Rose & <Oat>")}).compose(recipient())
    assert mail.subject == "Rose & <Oat>"
    assert mail.html == "<title>Rose &amp; &lt;Oat&gt;</title>"


@pytest.mark.parametrize("picks", [0, 1, 11])
@pytest.mark.parametrize("name", FOLDERS.names())
def test_the_text_part_has_every_link_of_the_html(name: str, picks: int) -> None:
    mail = shipped_mail(name, picks)
    links = html.document_fromstring(mail.html).xpath("//a/@href")
    assert len(set(links)) >= 2
    for link in links:
        assert str(link) in mail.text
    assert UNSUBSCRIBE in mail.text
    assert SENDER.postal_address in mail.text


def test_the_text_part_of_a_mail_with_few_words_has_no_gaps() -> None:
    nothing = content(plain=FOLDERS.source("layouts/plain.txt"))
    text = Composer(nothing, {1: card(1)}).compose(recipient()).text
    assert text.startswith("* Product 1\n")
    assert "\n\n\n" not in text
    assert text.endswith("https://shop.example\n")


@pytest.mark.parametrize(
    ("language", "written"),
    [
        *(("en", "en ltr"), ("ar", "ar rtl"), ("AR_eg", "ar-EG rtl"), ("de-AT", "de-AT ltr"), ("de", "de ltr")),
        *(("fa", "en ltr"), ("", "en ltr"), ("arn", "en ltr"), ("'><script>", "en ltr")),
    ],
)
def test_a_mail_is_in_the_language_of_its_reader_or_of_the_shop(language: str, written: str) -> None:
    mails = composer("{{ language }} {{ direction }}", catalogues=catalogues(FOLDERS.folders))
    assert mails.compose(recipient(language=language)).html == written


def test_a_mail_that_is_not_inlined_once_is_inlined_by_itself() -> None:
    source = "<style>p { color: red }</style><p>{{ hero.title }}</p>"
    assert 'style="color:red"' in composer(source, inlined=False).compose(recipient()).html
    assert "<style>" in composer(source, inlined=True).compose(recipient()).html


def test_a_mail_that_premailer_cannot_read_is_broken_and_no_crash() -> None:
    with pytest.raises(TemplateBroken, match="template weekly"):
        composer("{% if hero.title == 'x' %}x{% endif %}", inlined=False).compose(recipient())
