"""The catalogues that ship say everything the templates say, in full, and nothing else."""

import re
import subprocess
import sys
import unicodedata
from io import BytesIO
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from engine.recommend import explain
from engine.render.environment import SHIPPED
from engine.render.locale import Words, catalogues
from tools import messages

LANGUAGES = ("ar", "de")
WANTED = messages.messages()


def catalogue(language: str) -> Catalog:
    text = (SHIPPED / "locale" / f"{language}.po").read_bytes()
    return read_po(BytesIO(text), charset="utf-8", abort_invalid=True)


def entries(language: str) -> list[Message]:
    return [entry for entry in catalogue(language) if entry.id]


def forms(said: object) -> list[str]:
    return [said] if isinstance(said, str) else list(said)  # type: ignore[call-overload]


def test_these_languages_ship() -> None:
    assert sorted(catalogues((SHIPPED,))) == list(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated_and_nothing_is_left_over(language: str) -> None:
    text = (SHIPPED / "locale" / f"{language}.po").read_text("utf-8")
    renewed, missing, obsolete = messages.brought_up_to_date(text, WANTED)
    assert (missing, obsolete) == ([], [])
    assert renewed == text, "run tools/messages.py"
    assert {entry.id for entry in entries(language)} == set(WANTED)
    assert not [entry.id for entry in entries(language) if entry.fuzzy]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_source(language: str) -> None:
    for entry in entries(language):
        sources = [set(re.findall(r"%\(\w+\)s", form)) for form in forms(entry.id)]
        for said in forms(entry.string):
            found = set(re.findall(r"%\(\w+\)s", said))
            assert found <= sources[-1], said
            assert found >= sources[0], said
            assert said.count("%") == len(re.findall(r"%\(\w+\)s", said)), said


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_those_of_the_language(language: str) -> None:
    ours = catalogue(language)
    assert str(ours.locale) == language
    for entry in entries(language):
        assert len(forms(entry.string)) == (1 if isinstance(entry.id, str) else ours.num_plurals)
    rules = Locale.parse(language).plural_form
    singular, plural = next(entry.id for entry in entries(language) if not isinstance(entry.id, str))
    words = Words(language, (SHIPPED / "locale" / f"{language}.po").read_text("utf-8"))
    by_form: dict[str, set[str]] = {}
    for number in range(3, 1000):  # CLDR names the form, and numbers of one form are said with the same words
        said = words.ngettext(singular, plural, number, title="X", num="N")
        by_form.setdefault(rules(number), set()).add(said)
    assert all(len(sayings) == 1 for sayings in by_form.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_is_text_without_markup_or_hidden_characters(language: str) -> None:
    for entry in entries(language):
        for said in forms(entry.string):
            assert not re.search(r"[<>{}]|&\w+;|&#", said), said
            assert not [sign for sign in said if unicodedata.category(sign).startswith("C") and sign != "\n"], said
            assert said == unicodedata.normalize("NFC", said)
            assert said.strip() == said
            assert said.count("\n") == forms(entry.id)[0].count("\n")
            assert "  " not in said


def test_translations_are_in_the_letters_of_their_language() -> None:
    for entry in entries("ar"):
        for said in forms(entry.string):
            rest = re.sub(r"%\(\w+\)s", "", said)
            assert not re.search("[A-Za-z]", rest), said
            assert re.search("[\u0600-\u06ff]", said), said
    shared = {"%(greeting)s %(name)s,", "%(greeting)s,"}
    assert {entry.id for entry in entries("de") if entry.string == entry.id} == shared


def test_german_addresses_the_reader_politely() -> None:
    said = " ".join(form for entry in entries("de") for form in forms(entry.string))
    assert not re.search(r"\b([Dd]u|[Dd]ich|[Dd]ir|[Dd]eine?[mnrs]?|[Ee]uch|[Ee]uer)\b", said)


def test_every_sentence_that_explains_a_pick_can_be_said_in_any_language() -> None:
    spoken = {
        explain.NEW.sentence,
        *(explain.sentence(name) for name in ("brand:maren", "type:oil", "label:dry skin", "label:redness", "x:y")),
    }
    for sentence in spoken - set(messages.SENTENCES):
        assert any(
            re.fullmatch(re.escape(known).replace(re.escape("%(value)s"), "(.+)"), sentence)
            for known in messages.SENTENCES
        ), sentence


def test_a_text_put_together_is_refused() -> None:
    for source in ('{{ _("a" ~ b) }}', "{{ _(campaign.headline) }}", '{{ ngettext("a", b, 2) }}', "{{ _() }}"):
        with pytest.raises(SystemExit, match=r"x\.html, line 1"):
            list(messages.spoken_in(source, "x.html"))
    assert list(messages.spoken_in('<a title="{{ _("a") }}">{% if ngettext("b", "c", 1) %}{% endif %}', "x")) == [
        "a",
        ("b", "c"),
    ]


def test_new_texts_come_in_empty_and_old_ones_go() -> None:
    text = '# Words\nmsgid ""\nmsgstr "Language: de\\n"\n\nmsgid "Old"\nmsgstr "Alt"\n\nmsgid "Kept"\nmsgstr "Da"\n'
    renewed, missing, obsolete = messages.brought_up_to_date(text, {"Kept": ["a.html"], ("One", "%(num)s"): ["b.html"]})
    assert (missing, obsolete) == (["One"], ["Old"])
    assert renewed.startswith('# Words\nmsgid ""\n')
    assert 'msgid "Kept"\nmsgstr "Da"' in renewed
    assert 'msgid_plural "%(num)s"\nmsgstr[0] ""\nmsgstr[1] ""' in renewed
    assert messages.brought_up_to_date(renewed, {"Kept": ["a.html"], ("One", "%(num)s"): ["b.html"]})[0] == renewed


def test_the_command_says_that_all_is_there() -> None:
    command = [sys.executable, str(Path(messages.__file__)), "--check"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
