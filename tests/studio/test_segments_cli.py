"""Segments, approval and the checklist on the command line."""

import json

import pytest

pytestmark = pytest.mark.slow  # quick one by one, but there are many

PEOPLE = """\
address,language,country,mail,personalise
ana@example.com,de,AT,yes,yes
ben@example.com,de-AT,AT,no,yes
cleo@example.com,en,GB,yes,no
"""


@pytest.fixture
def handpicked(command, monkeypatch, tmp_path):
    """Run a command in a workspace of three people; gives (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    (tmp_path / "people.csv").write_text(PEOPLE)
    assert command("import", "subscribers", "people.csv")[0] == 0
    return command


def test_a_segment_is_saved_shown_counted_listed_and_deleted(handpicked):
    assert "no segments yet" in handpicked("segment", "list")[1]
    code, out, _ = handpicked("segment", "save", "german", "--language", "de", "--personalise", "--not", "any=90")
    assert (code, out) == (0, "segment german is saved: 2 people in it now\n")
    assert handpicked("segment", "count", "german")[1] == "segment german: 2 people, 1 of them may be mailed\n"
    told = json.loads(handpicked("segment", "count", "german", "--json")[1])
    assert told == {"segment": "german", "people": 2, "may_mail": 1}
    told = json.loads(handpicked("segment", "show", "german", "--json")[1])
    assert told["rules"] == {"languages": ["de"], "personalise": True, "did_not": {"any": 90}}
    assert told["campaigns"] == []
    assert "language: de; agrees to being personalised; nothing" in handpicked("segment", "list")[1]
    assert json.loads(handpicked("segment", "list", "--json")[1])[0]["name"] == "german"
    assert handpicked("segment", "delete", "german")[1] == "segment german is deleted\n"
    code, _, err = handpicked("segment", "show", "german")
    assert (code, err) == (2, "handpicked: there is no segment 'german'; there are: none yet\n")


def test_every_option_says_its_rule(handpicked, tmp_path):
    options = [
        *("--country", "at", "--time-zone", "UTC", "--joined-after", "2020-01-01", "--joined-before", "2099-01-01"),
        *("--joined-within", "3", "--joined-longer-ago", "1", "--no-track", "--did", "click=30", "--did", "cart=7"),
        *("--purchases", "2"),
    ]
    assert handpicked("segment", "save", "all", *options)[0] == 0
    rules = json.loads(handpicked("segment", "show", "all", "--json")[1])["rules"]
    assert rules == {
        "countries": ["at"], "time_zones": ["UTC"], "joined_after": "2020-01-01", "joined_before": "2099-01-01",
        "joined_within_days": 3, "joined_longer_ago_days": 1, "track": False, "did": {"click": 30, "cart": 7},
        "purchases": 2,
    }  # fmt: skip
    (tmp_path / "all.json").write_text(json.dumps(rules))
    assert handpicked("segment", "save", "again", "--file", "all.json")[0] == 0
    assert json.loads(handpicked("segment", "show", "again", "--json")[1])["rules"] == rules


@pytest.mark.parametrize(("options", "words"), [
    (["--did", "click"], "--did click: write it as KIND=DAYS, such as click=30"),
    (["--not", "click=x"], "--not click=x: write it as KIND=DAYS"),
    (["--not", "sneeze=3"], "did_not: there is no kind 'sneeze'"),
    (["--bought", "OIL"], "bought: no product has the code 'OIL'"),
    (["--joined-after", "soon"], "joined_after: 'soon' is no day"),
    (["--file", "nothing.json"], "No such file or directory: nothing.json"),
])  # fmt: skip
def test_what_cannot_be_is_one_sentence(handpicked, options, words):
    code, _, err = handpicked("segment", "save", "odd", *options)
    assert code in (2, 3)
    assert words in err
    assert err.count("\n") == 1
    assert "no segments yet" in handpicked("segment", "list")[1]


def test_a_campaign_is_for_segments_and_is_approved_and_checked(handpicked):
    handpicked("segment", "save", "german", "--language", "de")
    handpicked("segment", "save", "british", "--country", "GB")
    code, _, err = handpicked("campaign", "new", "weekly", "--segment", "gernan")
    assert (code, err) == (2, "handpicked: [segments] there is no segment 'gernan'; there are: british, german\n")
    assert handpicked("campaign", "new", "weekly", "--segment", "german", "--not-segment", "british")[0] == 0
    assert handpicked("segment", "delete", "german")[0] == 2
    out = handpicked("campaign", "approve", "weekly", "--by", "Ana")[1]
    assert out == "campaign weekly is approved as it stands, by Ana\n"
    told = json.loads(handpicked("campaign", "show", "weekly", "--json")[1])
    assert (told["segments"], told["approved_by"]) == ({"include": ["german"], "exclude": ["british"]}, "Ana")
    code, out, _ = handpicked("campaign", "check", "weekly")
    assert code == 1
    assert "block  No model is trained yet. Run `handpicked train`.\n" in out
    items = json.loads(handpicked("campaign", "check", "weekly", "--json")[1])
    assert {item["key"]: item["state"] for item in items}["sender"] == "block"
