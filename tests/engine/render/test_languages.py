"""A mail is in one language: a language is offered only where everything in the mail has been said in it."""

from pathlib import Path

import pytest

from engine.render.banners import label_for
from engine.render.compose import Composer
from engine.render.content import Content
from engine.render.languages import lacking, languages_of
from engine.render.locale import catalogues, translated
from tests.engine.mails import FOLDERS, card, content, recipient, shipped_content

GERMAN = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: de\\n"\n\n'


def po(**said: str) -> str:
    return GERMAN + "".join(f'msgid "{message}"\nmsgstr "{words}"\n\n' for message, words in said.items())


@pytest.mark.parametrize("name", FOLDERS.names())
def test_shipped_templates_speak_three_languages(name: str) -> None:
    assert languages_of(shipped_content(name)) == ("en", "ar", "de")


@pytest.mark.parametrize(
    ("variables", "offered"),
    [
        ({"headline": "News"}, ("en",)),
        ({"headline": "News", "headline.de": "Neues"}, ("en", "de")),
        ({"headline": "News", "headline.de": "Neues", "message": "More"}, ("en",)),
        ({"headline": ""}, ("en", "ar", "de")),
        ({"offer_code": "SPRING"}, ("en", "ar", "de")),
        ({"headline": "News", "headline.de": "  "}, ("en",)),
    ],
)
def test_a_text_of_the_marketers_own_must_be_said_in_each_language(
    variables: dict[str, str], offered: tuple[str, ...]
) -> None:
    assert languages_of(shipped_content("announcement", variables=variables)) == offered


def test_a_subject_of_their_own_too() -> None:
    changed = shipped_content("announcement", subject="Big news")
    assert languages_of(changed) == ("en",)
    assert lacking(changed, "de") == ["subject"]
    said = shipped_content("announcement", subject="Big news", variables={"subject.de": "Große Neuigkeiten"})
    assert languages_of(said) == ("en", "de")
    mails = Composer(said, {1: card(1)})
    assert mails.compose(recipient(language="de")).subject == "Große Neuigkeiten"
    assert mails.compose(recipient(language="ar")).subject == "Big news"


OWN = {"subject": "{{ hero.title }}", "preheader": "For {{ subscriber.given_name }}"}


def test_words_of_an_own_template_that_no_catalogue_has_are_not_mixed_with_others() -> None:
    def own(**said: str) -> Content:
        return content(defaults=OWN | {"headline": "Our club"}, messages=("Leave",), catalogues={"de": po(**said)})

    assert lacking(own(Leave="Weg"), "de") == ["Our club"]
    assert languages_of(own(Leave="Weg")) == ("en",)
    assert languages_of(own(Leave="Weg", **{"Our club": "Unser Club"})) == ("en", "de")


def test_a_template_in_german_is_not_called_english() -> None:
    own = content(language="de", defaults=OWN | {"headline": "Unser Club"}, catalogues={"de": po(Leave="Weg")})
    assert languages_of(own) == ("de",)
    english = content(language="de", defaults=OWN | {"headline": "Leave"}, catalogues={"de": po(Leave="Weg")})
    assert languages_of(english) == ("de", "en")


def test_the_mail_of_a_reader_of_another_language_is_in_the_campaigns_throughout() -> None:
    mails = Composer(shipped_content("announcement", variables={"headline": "Spring"}), {1: card(1)})
    assert mails.compose(recipient(language="de")).html == mails.compose(recipient(language="en")).html
    assert 'lang="en"' in mails.compose(recipient(language="ar")).html


def test_own_words_come_before_shipped_ones_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / "locale").mkdir()
    (tmp_path / "locale" / "de.po").write_text(po(Hello="Moin"), "utf-8")
    both = catalogues((tmp_path, *FOLDERS.folders))["de"]
    assert translated(both) >= translated(catalogues(FOLDERS.folders)["de"])
    mails = Composer(shipped_content("announcement", catalogues={"de": both}), {1: card(1)})
    text = mails.compose(recipient(language="de")).text
    assert "Moin Ana," in text
    assert "Guten Tag" not in text
    assert "abbestellen" in text.lower() or "abmelden" in text.lower()


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        (["type:creams", "label:dry skin"], "dry skin"),
        (["label:Oily Skin", "label:dry skin"], "oily skin"),
        (["type:creams"], "everyone"),
        ([], "everyone"),
    ],
)
def test_the_first_banner_whose_label_somebody_has(labels: list[str], label: str) -> None:
    assert label_for("oily skin: A\ndry skin: B | https://x.example\neveryone: C", labels) == label


def test_a_banner_is_said_in_the_readers_language() -> None:
    lines = {"banners": "dry skin: Creams", "banners.de": "dry skin: Cremes"}
    mails = Composer(shipped_content("picked-for-you", variables=lines), {1: card(1)})
    assert "Cremes" in mails.compose(recipient(language="de", banner="dry skin")).html
    assert ">Creams<" in mails.compose(recipient(language="en", banner="dry skin")).html
    assert "Creams" not in mails.compose(recipient(language="en")).html
