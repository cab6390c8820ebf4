"""The pages about people: whom a search finds, what is told of one person, and what may be done about it."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import event, select
from sqlmodel import col

from studio.models import AuditLine
from studio.roles import Role
from studio.search import people
from subscribers import consent
from subscribers.database import reading, writing
from subscribers.models import Kind, Subscriber, Suppression
from subscribers.roster import NewSubscriber, add_many
from subscribers.signals import NewSignal, record

from .conftest import SCRIPT

pytestmark = pytest.mark.slow

BASE = "/subscribers"


def found(client, **query):
    """The addresses that the list shows, in its order."""
    words = client.get(BASE, params=query).text
    return [
        part.partition("<")[0]
        for part in words.split('<th scope="row"><a href="/subscribers/')[1:]
        for part in [part.partition(">")[2]]
    ]


def ids(shop):
    with reading(shop.world.database) as session:
        return {
            address.partition("@")[0]: number
            for address, number in session.execute(select(Subscriber.address, Subscriber.id))
        }


def lines(shop):
    with reading(shop.world.database) as session:
        return [(line.action, line.subject, line.detail) for line in session.scalars(select(AuditLine))]


def add(shop, *names):
    with writing(shop.world.database) as session:
        new = [NewSubscriber(f"{name}", shop.world.secrets.key_of(name)) for name in names]
        add_many(session, new, now=shop.now)


def test_everybody_by_address(shop):
    assert found(shop.studio)[:3] == ["ana@example.com", "ben@example.com", "cleo@example.com"]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("AN", ["ana"]),
        ("e", ["eva"]),
        ("nobody", []),
        ("2", ["ben"]),
        ("#2", ["ben"]),
        ("@example.org", []),
        ("%", []),
        ("_na", []),
    ],
)
def test_search_finds_by_what_is_typed(shop, typed, names):
    assert found(shop.studio, q=typed) == [f"{name}@example.com" for name in names]


def test_search_finds_a_domain_and_a_given_name(shop):
    add(shop, "zoe@example.org")
    assert found(shop.studio, q="@EXAMPLE.org") == ["zoe@example.org"]
    assert found(shop.studio, q="Cle", by="name") == ["cleo@example.com"]


def test_the_slices_show_everybody_once(shop):
    add(shop, *(f"m{number:03}@example.com" for number in range(120)))
    client, seen, path = shop.studio, [], f"{BASE}?q=m"
    while path:
        words = client.get(path).text
        seen += [f"m{number:03}" for number in range(120) if f"m{number:03}@example.com<" in words]
        after = words.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        path = after
    assert seen == [f"m{number:03}" for number in range(120)]


@pytest.mark.parametrize("by", ["address", "name"])
def test_a_beginning_is_found_by_its_index(shop, by):
    with reading(shop.world.database) as session:
        seen = []
        event.listen(shop.world.database, "before_cursor_execute", lambda *given: seen.append((given[2], given[3])))
        session.execute(people("an", by).limit(3))
        statement, values = seen[-1]
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    index = {"address": "ix_subscriber_address", "name": "ix_subscriber_given_name"}[by]
    assert any(f"SEARCH subscriber USING INDEX {index}" in row[3] for row in plan), plan


def test_while_one_types(shop):
    words = shop.studio.get(f"{BASE}/found", params={"q": "an"}).text
    assert 'href="/subscribers/1"' in words
    assert "<main" not in words
    assert shop.studio.get(f"{BASE}/found").text.strip() == ""


def test_one_person(shop):
    words = shop.studio.get(f"{BASE}/1").text
    assert "ana@example.com" in words
    assert "Rosehip Face Oil" in words
    assert "bought" in words
    assert "/campaigns/weekly/preview?address=ana%40example.com" in words
    assert "Run 1" in words
    assert "personalise" in words


def test_what_people_wrote_is_text(shop):
    number = ids(shop)["finn"]
    for path in (BASE, f"{BASE}/{number}", f"{BASE}/found?q=finn"):
        words = shop.studio.get(path).text
        assert SCRIPT not in words
        assert "&lt;script&gt;" in words


def test_the_profile_shows_only_labels_that_enough_people_share(shop):
    client = shop.studio
    words = client.get(f"{BASE}/1").text
    assert "Profile" in words
    assert "vegan" not in words.partition("Profile")[2].partition("What they did")[0]  # 4 people have it, 5 must
    with writing(shop.world.database) as session:
        more = [NewSignal(who, "soap", Kind.PURCHASE, shop.now - timedelta(days=1), f"x {who}") for who in range(2, 7)]
        record(session, more)
    shop.now += timedelta(days=1)
    client = shop.studio
    client.get(f"{BASE}/1")
    client.app.state.figures._aside.submit(int).result()  # the labels have been looked for
    profile = client.get(f"{BASE}/1").text.partition("Profile")[2].partition("What they did")[0]
    assert "vegan" in profile
    assert "bought Bath Soap" in profile


def test_no_profile_of_somebody_who_does_not_allow_it(shop):
    with writing(shop.world.database) as session:
        session.get(Subscriber, 1).may_personalise = False
        session.commit()
    assert "no profile is made" in shop.studio.get(f"{BASE}/1").text


@pytest.mark.parametrize("number", ["0", "99", "-1", "2147483648", "9" * 30, "a"])
def test_a_number_that_is_nobodys_is_a_sentence(shop, number):
    assert shop.studio.get(f"{BASE}/{number}").status_code in (404, 422)


@pytest.mark.parametrize("query", ["q=%00", "by=id", "at=rubbish", "q=" + "a" * 321, "q=%f0%9f%92%a9", "q='--"])
def test_no_search_breaks_a_page(shop, query):
    assert shop.studio.get(f"{BASE}?{query}").status_code in (200, 400, 422)


def test_opting_out(shop):
    answer = shop.studio_of(Role.MARKETER).post(f"{BASE}/1/opt-out")
    assert answer.headers["location"] == f"{BASE}/1?done=opted-out"
    with reading(shop.world.database) as session:
        assert not consent.may_mail(session, shop.key("ana"))
    assert ("subscriber.opt_out", "subscriber 1", "") in lines(shop)
    assert "gets no mail" in shop.studio.get(f"{BASE}/1").text


def test_the_export_holds_everything_and_leaves_a_line(shop):
    answer = shop.studio.post(f"{BASE}/1/export")
    held = json.loads(answer.content)
    assert held["subscriber"]["address"] == "ana@example.com"
    assert len(held["signals"]) == 2
    assert len(held["consent"]) == 3
    assert held["mails"][0]["run"] == 1
    assert "attachment" in answer.headers["content-disposition"]
    assert ("subscriber.export", "subscriber 1", "") in lines(shop)


def test_erasing_asks_for_the_number(shop):
    client = shop.studio
    assert "ana@example.com" in client.get(f"{BASE}/1/erase").text
    refused = client.post(f"{BASE}/1/erase", data={"number": "2"})
    assert refused.status_code == 422
    assert 'id="number-problem"' in refused.text
    assert "ana@example.com" in client.get(f"{BASE}/1").text


def test_an_erased_person_is_a_number_that_says_so(shop):
    client = shop.studio
    answer = client.post(f"{BASE}/1/erase", data={"number": "1"})
    assert answer.headers["location"] == f"{BASE}/1?done=erased"
    words = client.get(f"{BASE}/1").text
    assert "was erased" in words
    assert "ana@" not in words
    assert found(client, q="1") == ["erased"]
    assert "ana@example.com" not in client.get(BASE).text
    with reading(shop.world.database) as session:
        assert session.scalar(select(Suppression.id).where(col(Suppression.key) == shop.key("ana")))
    for action in ("erase", "opt-out", "export"):
        assert client.post(f"{BASE}/1/{action}", data={"number": "1"}).status_code == 400
    assert [line for line in lines(shop) if line[0] != "login"] == [("subscriber.erase", "subscriber 1", "")]


@pytest.mark.parametrize(
    ("role", "action"), [(Role.VIEWER, "opt-out"), (Role.APPROVER, "export"), (Role.APPROVER, "erase")]
)
def test_who_may_not(shop, role, action):
    before = shop.studio_of(role)
    rows = shop.everything()
    assert before.post(f"{BASE}/1/{action}", data={"number": "1"}).status_code == 403
    assert shop.everything() == rows
