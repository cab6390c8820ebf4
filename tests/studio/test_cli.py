"""The command line as people and scripts use it: exit codes, one sentence on stderr, JSON that stays as promised."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # quick one by one, but there are many


ROOT = Path(__file__).parents[2]
PRODUCTS = "id,title,link,price,availability,product_type\n" + "".join(
    f"p{n},Product number {n},https://shop.example/p{n},{n + 5}.50 EUR,in_stock,Shop > Kind {n % 3}\n"
    for n in range(12)
)
SUBSCRIBERS = "address,given_name,mail,personalise\n" + "".join(
    f"person{n}@example.com,Name{n},{'no' if n == 9 else 'yes'},{'no' if n == 8 else 'yes'}\n" for n in range(10)
)
SIGNALS = "id,address,product,kind,at\n" + "".join(
    f"s{n},person{n % 10}@example.com,p{n * 7 % 12},{('view', 'purchase')[n % 3 > 0]},2026-05-{1 + n % 28:02d}T10:00Z\n"
    for n in range(60)
)
SETTINGS = 'sender_name = "Shop"\nsender_address = "a@shop.example"\npostal_address = "1 Mill Lane"\n'


@pytest.fixture
def handpicked(command, monkeypatch, tmp_path):
    """Run a command in this process; gives (exit code, stdout, stderr). Each test has a workspace of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HANDPICKED_WORKSPACE", str(tmp_path / "workspace"))
    return command


@pytest.fixture
def shop(handpicked, tmp_path):
    """A workspace with everything imported and a model trained, through the command line itself."""
    for name, text in (("products", PRODUCTS), ("subscribers", SUBSCRIBERS), ("signals", SIGNALS)):
        (tmp_path / f"{name}.csv").write_text(text)
        code, out, err = handpicked("import", name, f"{name}.csv")
        assert code == 0, out + err
    (tmp_path / "workspace" / "handpicked.toml").write_text(SETTINGS)
    assert handpicked("train")[0] == 0
    assert handpicked("campaign", "new", "weekly")[0] == 0
    return handpicked


def test_the_whole_way_from_files_to_mails(shop, tmp_path):
    code, out, _ = shop("plan", "weekly", "--json")
    assert code == 0
    planned = json.loads(out)
    assert planned["messages"]["planned"] == 9
    assert planned["skipped"] == {"no consent to mail": 1}
    assert set(planned) >= {"run", "campaign", "state", "audience", "messages", "skipped"}
    assert shop("review", "1")[0] == 0
    assert shop("optout", "PERSON3@example.com")[0] == 0
    code, out, _ = shop("send", "1", "--json")
    assert code == 0
    assert json.loads(out)["messages"] | {"accepted": 8, "suppressed": 1} == json.loads(out)["messages"]
    mails = [path.read_text() for path in (tmp_path / "workspace" / "outbox" / "new").iterdir()]
    assert len(mails) == 8
    assert not any("person3@example.com" in mail or "person9@example.com" in mail for mail in mails)
    code, out, _ = shop("status", "1")
    assert code == 0
    assert "finished" in out


def test_run_does_it_all_at_once_and_again_makes_another_run(shop):
    code, out, _ = shop("run", "weekly")
    assert code == 0
    assert "9 mails handed over" in out
    code, out, _ = shop("run", "weekly", "--json")
    assert json.loads(out)["run"] == 2


def test_recommend_prints_the_hero_of_the_plan_first(shop):
    _, out, _ = shop("recommend", "person1@example.com", "--json")
    picks = json.loads(out)
    assert picks[0]["code"].startswith("p")
    shop("preview", "weekly", "person1@example.com", "-o", "mail.html")
    assert f">{picks[0]['title']}<" in Path("mail.html").read_text()
    code, out, _ = shop("recommend", "person1@example.com", "-k", "3")
    assert code == 0
    assert picks[0]["title"] in out


def test_recommend_why_tells_the_whole_story(shop):
    code, out, _ = shop("recommend", "person1@example.com", "--why", "--json")
    told = json.loads(out)
    assert code == 0
    assert {pick["reason"] for pick in told["picks"]} <= {"bought", "looked at", "profile", "trend", "new", "rule"}
    assert len(told["matters"]) == len(told["picks"])
    assert any(signal["drop"] > 0 for signals in told["matters"] for signal in signals)
    assert told["runner_up"]["product"] not in {pick["code"] for pick in told["picks"]}
    assert {each["rule"] for each in told["filtered"]} == {"already bought"}
    assert told["profile"]["labels"][0]["evidence"]
    code, out, _ = shop("recommend", "person1@example.com", "--why")
    assert code == 0
    for words in ("profile: ", "what mattered most", "runner-up: ", "(already bought, score"):
        assert words in out


def test_a_run_remembers_why_whatever_happens_after(shop, tmp_path):
    assert shop("plan", "weekly")[0] == 0
    before = json.loads(shop("recommend", "person1@example.com", "--run", "1", "--json")[1])
    assert [proof["how"] for pick in before["picks"] for proof in pick["evidence"]]
    assert before["filtered"][0]["rule"] == "already bought"
    (tmp_path / "more.csv").write_text(SIGNALS.replace("\ns", "\nt"))
    assert shop("import", "signals", "more.csv")[0] == 0
    assert json.loads(shop("recommend", "person1@example.com", "--run", "1", "--json")[1]) == before
    words = shop("recommend", "person1@example.com", "--run", "1")[1]
    assert all(pick["title"] in words for pick in before["picks"])
    assert "no consent to mail" in shop("recommend", "person9@example.com", "--run", "1")[1]
    assert shop("recommend", "person1@example.com", "--run", "7")[0] == 2
    assert shop("recommend", "nobody@example.com", "--run", "1")[0] == 2


def test_of_somebody_who_does_not_personalise_there_is_no_story(shop):
    told = json.loads(shop("recommend", "person8@example.com", "--why", "--json")[1])
    assert {pick["reason"] for pick in told["picks"]} <= {"trend", "new"}
    assert told["profile"] == {"rhythm": "unknown", "price_band": "", "labels": []}
    assert not any(told["matters"])


def test_models_are_listed_shown_promoted_and_rolled_back(shop, tmp_path):
    (first,) = json.loads(shop("model", "list", "--json")[1])
    assert first["current"]
    (tmp_path / "more.csv").write_text(SIGNALS.replace("s1,", "t1,"))
    assert shop("import", "signals", "more.csv")[0] == 0
    second = json.loads(shop("train", "--json")[1])["model"]
    assert second != first["model"]
    assert shop("model", "roll-back")[1] == f"model {first['model']} is in use again from the next plan on\n"
    assert [row["model"] for row in json.loads(shop("model", "list", "--json")[1]) if row["current"]] == [
        first["model"]
    ]
    assert shop("model", "promote", second)[0] == 0
    assert second in shop("model", "list")[1]
    assert json.loads(shop("model", "show", second, "--json")[1])["people"] > 0
    assert "components 64" in shop("model", "show", second)[1]
    code, _, err = shop("model", "promote", "../../etc/passwd")
    assert (code, "there is no model" in err) == (2, True)


def test_evaluate_compares_the_models_and_draws_them(shop, tmp_path):
    code, out, _ = shop("evaluate", "--split-at", "2026-05-15", "--json", "--plot", "trade-off.svg")
    told = json.loads(out)
    assert code == 0
    names = ["all-time popular", "recent popular", "own history", "item-kNN", "plain LightFM", "ours, no rules", "ours"]
    assert [model["name"] for model in told["models"]] == names
    assert set(told) >= {"split_at", "days", "customers", "models", "protocol", "trade_off"}
    for model in told["models"]:
        assert {"ndcg@10", "recall@10", "hit_rate@10", "coverage", "novelty", "full_lists"} <= set(model)
    assert (tmp_path / "trade-off.svg").read_text().startswith("<svg")
    assert "gain 1, log2 discount" in shop("evaluate", "--split-at", "2026-05-15")[1]


def test_a_plan_says_what_the_rules_did(shop):
    rules = ("--price-to", "9", "--exclude", "type:Kind 2", "--boost", "title:number 1=2", "--hero-share", "0.5")
    assert shop("campaign", "new", "cheap", *rules)[0] == 0
    assert json.loads(shop("campaign", "show", "cheap", "--json")[1])["rules"]["exclude"] == ["type:Kind 2"]
    code, out, _ = shop("plan", "cheap")
    assert code == 0
    assert "off the shelf: 8 price rule, 1 excluded\n" in out
    told = json.loads(shop("status", "1", "--json")[1])["rules"]
    assert told["price rule"] == {"products": 8}
    code, _, err = shop("campaign", "new", "odd", "--include", "vegan")
    assert (code, err.count("\n")) == (2, 1)
    assert "'vegan' is no filter; write type:…" in err


def test_a_complete_feed_withdraws_what_it_does_not_name(shop, tmp_path):
    (tmp_path / "products.csv").write_text("".join(PRODUCTS.splitlines(keepends=True)[:10]))
    code, out, _ = shop("import", "products", "products.csv", "--complete")
    assert code == 0
    assert "3 products withdrawn" in out
    assert "off the shelf: 3 withdrawn\n" in shop("plan", "weekly")[1]
    picked = {
        pick["code"] for n in range(9) for pick in json.loads(shop("recommend", f"person{n}@example.com", "--json")[1])
    }
    assert not picked & {"p9", "p10", "p11"}


def test_preview_writes_a_whole_message_and_says_why_somebody_gets_nothing(shop):
    assert shop("preview", "weekly", "person1@example.com", "-o", "mail.eml")[0] == 0
    assert Path("mail.eml").read_bytes().startswith(b"From: Shop <a@shop.example>")
    code, _, err = shop("preview", "weekly", "person9@example.com")
    assert (code, "gets nothing: no consent to mail" in err) == (1, True)


def test_campaigns_are_scheduled_paused_and_listed(shop, tmp_path):
    assert shop("campaign", "schedule", "weekly", "--cron", "0 9 * * 1", "--time-zone", "Europe/Berlin")[0] == 0
    _, out, _ = shop("campaign", "list")
    assert "scheduled, next Mon" in out
    assert shop("campaign", "pause", "weekly")[0] == 0
    code, _, err = shop("campaign", "pause", "weekly")
    assert code == 2
    assert "is paused" in err
    (tmp_path / "spring.toml").write_text(
        'name = "spring"\ntemplate = "announcement"\n[schedule]\nat = "2099-01-01 09:00"\n'
    )
    assert shop("campaign", "apply", "spring.toml")[0] == 0
    _, out, _ = shop("campaign", "list", "--json")
    assert [(c["name"], c["state"]) for c in json.loads(out)] == [("spring", "scheduled"), ("weekly", "paused")]
    assert shop("campaign", "show", "weekly")[0] == 0


@pytest.mark.parametrize(("words", "code", "sentence"), [
    (("recommend", "nobody@example.com"), 2, "nobody with the address"),
    (("plan", "nothing"), 2, "there is no campaign 'nothing'"),
    (("send", "7"), 2, "there is no run 7"),
    (("import", "products", "missing.csv"), 2, "there is no file 'missing.csv'"),
    (("import", "products", "."), 2, "is a folder"),
    (("import", "orders", "missing.csv", "--preset", "x"), 2, "there is no preset 'x'; there are: online-retail"),
    (("import", "subscribers", "x.csv", "--consent", "spam"), 2, "there is no such purpose"),
    (("import", "subscribers", "x.csv", "--map", "email"), 2, "write it as COLUMN=FIELD"),
    (("campaign", "new", "Big One"), 2, "small letters"),
    (("campaign", "schedule", "weekly"), 2, "there is no campaign 'weekly'"),
    (("optout", "nobody"), 2, "no usable email address"),
    (("template", "check", "nothing"), 2, "there is no template 'nothing'"),
    (("train",), 2, "import products or orders first"),
    (("evaluate",), 2, "there are no signals yet"),
    (("evaluate", "--split-at", "soon"), 2, "there are no signals yet"),
    (("status", "1"), 2, "there is no run 1"),
    (("bench", "nothing"), 2, ""),
])  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_never_a_traceback(handpicked, words, code, sentence):
    found, out, err = handpicked(*words)
    assert found == code
    assert sentence in err
    assert "Traceback" not in out + err
    assert len(err.strip().splitlines()) <= 1


def test_a_plan_that_fails_leaves_no_run_that_waits_for_ever(shop, tmp_path):
    (tmp_path / "workspace" / "handpicked.toml").write_text("")
    for command in ("plan", "run"):
        code, _, err = shop(command, "weekly")
        assert code == 2
        assert "set sender_name, sender_address, postal_address" in err
    _, out, _ = shop("campaign", "show", "weekly", "--json")
    assert [run["state"] for run in json.loads(out)["runs"]] == ["cancelled", "cancelled"]


def test_a_bad_schedule_in_a_file_changes_nothing(shop, tmp_path):
    (tmp_path / "spring.toml").write_text('name = "spring"\n[schedule]\nat = "2001-01-01 09:00"\n')
    code, _, err = shop("campaign", "apply", "spring.toml")
    assert (code, "is in the past" in err) == (2, True)
    _, out, _ = shop("campaign", "list", "--json")
    assert [campaign["name"] for campaign in json.loads(out)] == ["weekly"]


def test_run_by_smtp_says_at_once_what_is_missing(shop):
    assert shop("campaign", "new", "by-mail", "--transport", "smtp")[0] == 0
    code, _, err = shop("run", "by-mail")
    assert (code, "set smtp_host" in err) == (2, True)
    _, out, _ = shop("campaign", "show", "by-mail", "--json")
    assert json.loads(out)["runs"] == []


def test_a_database_that_cannot_be_opened_is_a_service(handpicked, tmp_path, monkeypatch):
    monkeypatch.setenv("HANDPICKED_DATABASE_URL", "sqlite:////proc/nowhere/handpicked.db")
    code, _, err = handpicked("campaign", "list")
    assert code == 3
    assert "cannot open the database" in err


def test_a_setting_that_cannot_be_used_is_named(handpicked, monkeypatch):
    monkeypatch.setenv("HANDPICKED_SMTP_PORT", "many")
    code, _, err = handpicked("campaign", "list")
    assert code == 2
    assert "setting smtp_port" in err


HOSTILE = {
    "wrong encoding": (SUBSCRIBERS.replace("Name3", "Zoë").encode("cp1252"), 9, "line 5: given_name"),
    "extra column": (SUBSCRIBERS.replace("\n", ",x\n").encode(), 10, "columns not used: x"),
    "a field of a megabyte": (SUBSCRIBERS.replace("Name3", "x" * 1_048_576).encode(), 9, "1,048,576 characters"),
    "NUL bytes": (SUBSCRIBERS.replace("Name3", "Na\x00me").encode(), 9, "NUL byte"),
    "duplicate ids": ((SUBSCRIBERS + "person1@example.com,x,yes,yes\n").encode(), 10, "stands in this file twice"),
    "a bad date": (b"address,consented_at\na@example.com,2026-02-31\nb@example.com,2026-02-01\n", 1, "no ISO 8601"),
    "a bad address": (SUBSCRIBERS.replace("person3@", "person3@@").encode(), 9, "no usable address"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_reported_clearly_and_its_good_rows_get_in(handpicked, tmp_path, case):
    content, good, sentence = HOSTILE[case]
    (tmp_path / "people.csv").write_bytes(content)
    code, out, err = handpicked("import", "subscribers", "people.csv")
    assert code == (0 if case == "extra column" else 1)
    assert sentence in out + err
    assert "Traceback" not in out + err
    assert f"{good} added" in out
    _, out, _ = handpicked("import", "subscribers", "people.csv", "--json")
    report = json.loads(out)
    assert report["counts"]["already there"] == good
    assert bool(report["rejects_file"]) == (code == 1)


def test_a_negative_price_is_rejected_and_the_other_products_get_in(handpicked, tmp_path):
    (tmp_path / "products.csv").write_text(PRODUCTS.replace("7.50 EUR", "-7.50 EUR", 1))
    code, out, err = handpicked("import", "products", "products.csv")
    assert code == 1
    assert "is negative" in err
    assert "11 added" in out


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "is empty"), (b"\n\n", "is empty"), (b"name\nAna\n", "no column 'address'")]
)
def test_a_file_in_which_nothing_can_be_understood_is_refused_whole(handpicked, tmp_path, content, sentence):
    (tmp_path / "people.csv").write_bytes(content)
    code, _, err = handpicked("import", "subscribers", "people.csv")
    assert code == 2
    assert sentence in err


def test_columns_are_mapped_and_consent_can_be_vouched_for(handpicked, tmp_path):
    (tmp_path / "people.csv").write_text("Kontakt,Vorname\nana@example.com,Ana\n")
    words = ("import", "subscribers", "people.csv", "--map", "Kontakt=address", "--map", "Vorname=given_name")
    assert handpicked(*words, "--consent", "mail,personalise")[0] == 0
    _, out, _ = handpicked("subscriber", "show", "ANA@example.com", "--json")
    person = json.loads(out)
    assert (person["given_name"], person["may_mail"], person["may_personalise"], person["may_track"]) == (
        "Ana",
        True,
        True,
        False,
    )


def test_export_holds_what_we_hold(shop):
    shop("run", "weekly")
    _, out, _ = shop("subscriber", "export", "person1@example.com")
    held = json.loads(out)
    assert set(held) == {"subscriber", "consent", "suppressed", "signals", "mails"}
    assert len(held["signals"]) == 6
    assert held["mails"][0]["state"] == "accepted"


def test_doctor_names_what_is_missing(handpicked):
    code, out, _ = handpicked("doctor")
    assert code == 0
    assert "lightfm" in out
    from studio.doctor import examine

    found = {item.name: item for item in examine(which=lambda program: None)}
    assert not found["Chromium"].there
    assert "apt-get install chromium" in found["Chromium"].detail
    assert not found["C compiler"].there


def test_a_benchmark_runs_by_its_name_with_what_it_takes_itself(handpicked):
    code, out, _ = handpicked("bench")
    assert (code, out) == (0, "benchmarks: delivery, pipeline, rendering, scoring, studio_pages, weights\n")
    command = [sys.executable, "-c", "from studio.cli.main import main; main()", "bench", "weights"]
    found = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0
    assert "DATA" in found.stdout + found.stderr
    assert handpicked("bench", "speed")[0] == 2


def test_help_imports_nothing_heavy():
    code = "import sys, studio.cli.main; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    names = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"numpy", "lightfm", "sqlalchemy", "fastapi", "premailer", "pydantic", "apscheduler"} & set(names)


def test_a_pipe_gets_no_progress_bar_and_no_colour(shop):
    _, out, err = shop("campaign", "list")
    assert "\x1b" not in out + err
    assert err == ""
