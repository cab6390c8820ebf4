"""`handpicked template check` on the command line: exit codes, lines for people, JSON that stays as promised."""

import json
from pathlib import Path

import pytest

from engine.render.clients import DATA

SHEET = 'title = "T"\nsubject = "{{ hero.title }}"\npreheader = "For you"\n[variables.mood]\ndefault = "word"\n'
FOOT = '<a href="{{ links.unsubscribe }}">No more</a> {{ sender.postal_address }}'
PAGES = {
    "good": f'<html><body><p style="border-radius: 2px">{{{{ hero.title }}}}</p>{FOOT}</body></html>',
    "faulty": "<html><body><p>{{ hero.title }}</p></body></html>",
    "slow": f'<html><head><style>.word {{ color: black }}</style></head><body><p class="{{{{ campaign.mood }}}}">x</p>'
    f"{FOOT}</body></html>",
    "broken": "<html><body>\n<p>{{ hero.title }</p></body></html>",
}


@pytest.fixture
def handpicked(command, monkeypatch, tmp_path):
    """Run a command in this process, in a workspace with four templates; gives (exit code, stdout, stderr)."""
    folder = tmp_path / "workspace" / "templates"
    folder.mkdir(parents=True)
    for name, page in PAGES.items():
        (folder / f"{name}.html").write_text(page)
        (folder / f"{name}.toml").write_text(SHEET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HANDPICKED_WORKSPACE", str(tmp_path / "workspace"))
    return command


def test_a_good_template_ends_with_0(handpicked):
    code, out, err = handpicked("template", "check", "good")
    assert (code, err) == (0, "")
    assert out.startswith("good: its CSS is inlined once, into the template\n")
    assert "a second in one process" in out
    assert "nothing to complain about" in out


def test_findings_end_with_1(handpicked):
    code, out, _ = handpicked("template", "check", "faulty")
    assert code == 1
    assert "error: unsubscribe link is missing from the HTML" in out


def test_a_slower_path_says_why_and_the_way_out(handpicked):
    code, out, _ = handpicked("template", "check", "slow", "--json")
    found = json.loads(out)
    assert found["path"] in ("shapes", "each")
    assert code == (0 if found["path"] == "shapes" else 1)
    assert found["inlined_once"] is False
    assert "slow.html, line 1: Jinja in the attribute class" in found["reason"]
    assert "two elements" in found["advice"]
    _, out, _ = handpicked("template", "check", "slow")
    assert "because of slow.html, line 1" in out
    assert "to have it inlined once: write two elements" in out


def test_a_broken_template_ends_with_2_and_one_sentence(handpicked):
    code, out, err = handpicked("template", "check", "broken")
    assert (code, out) == (2, "")
    assert "line 2" in err
    assert len(err.strip().splitlines()) == 1


def test_clients_without_the_data_says_how_to_get_them(handpicked, monkeypatch, tmp_path):
    monkeypatch.setattr("engine.render.clients.ClientSupport.__init__.__defaults__", (tmp_path / "none.json",))
    code, out, err = handpicked("template", "check", "good", "--clients")
    assert (code, out) == (2, "")
    assert "make caniemail" in err


@pytest.mark.skipif(not DATA.exists(), reason="the caniemail data were not fetched: make caniemail")
def test_clients_names_who_lacks_what(handpicked):
    code, out, _ = handpicked("template", "check", "good", "--clients")
    assert code == 0
    assert "what mail clients lack, by caniemail.com of 20" in out
    assert "border-radius (inline): good.html, line 1" in out
    assert "not in Orange, Outlook (Windows" in out
    _, out, _ = handpicked("template", "check", "good", "--clients", "--json")
    lacks = {lack["feature"]: lack for lack in json.loads(out)["clients"]["lacks"]}
    assert "Outlook Windows" in lacks["css-border-radius"]["not_supported"]
    assert lacks["css-border-radius"]["lines"] == ["good.html, line 1"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
def test_serve_stays_on_this_machine(handpicked, host):
    code, _, err = handpicked("template", "serve", "good", "--host", host)
    assert code == 2
    assert "must stay on this machine" in err


def test_serve_names_a_template_that_is_not_there(handpicked):
    code, _, err = handpicked("template", "serve", "nothing")
    assert code == 2
    assert "there is no template 'nothing'" in err


def test_the_data_are_fetched_quietly_or_not_at_all(tmp_path, monkeypatch, capsys):
    import runpy

    tool = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "caniemail.py"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tool["main"](str(tmp_path)) == 0
    assert "npm is missing" in capsys.readouterr().err
    assert not (tmp_path / tool["PLACE"]).exists()
    assert DATA.parts[-3:] == Path(tool["PLACE"]).parts
