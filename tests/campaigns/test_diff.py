"""Seeded changes: each is found, with its group, cause and count, and nothing else is."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from campaigns.edit import Definition, save_campaign
from campaigns.review.causes import CATALOGUE, SETTINGS, TEMPLATE
from campaigns.review.cluster import MOST_ALIKE, Groups
from campaigns.review.diff import Difference, approvals_in, compare
from campaigns.review.dom import ATTRIBUTE, WORDS, Change
from campaigns.review.errors import SnapshotUnreadable
from campaigns.review.explain import HERO, Explained, Kind, kinds_of
from campaigns.review.junit import junit
from campaigns.review.manifest import MANIFEST
from campaigns.review.snapshot import Depth, snapshot_campaign
from engine.render.environment import SHIPPED
from studio.cli.main import app
from subscribers.database import writing
from tests.campaigns.conftest import Shop

pytestmark = pytest.mark.slow  # whole shops are planned and written

Expected = list[tuple[str, str, int]]


class Review:
    """Snapshots of one shop, before and after something is done to it."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.folder, self.count = shop, folder, 0
        self.before = self.take()

    def take(self, *, every: bool = True) -> Path:
        world = self.shop.world
        self.count += 1
        folder = self.folder / f"snapshot{self.count}"
        snapshot_campaign(
            *(world.database, "weekly", folder, world.settings, world.secrets),
            at=self.shop.now,
            depth=Depth(10, every),
        )
        return folder

    def edit(self, name: str, *changes: tuple[str, str]) -> None:
        text = (SHIPPED / name).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = self.shop.world.settings.workspace / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def compared(self, **options: object) -> Difference:
        return compare(self.before, self.take(), **options)  # type: ignore[arg-type]


@pytest.fixture
def review(shop: Shop, tmp_path: Path) -> Review:
    return Review(shop, tmp_path)


def groups_of(found: Difference) -> Expected:
    return [(group.cause, group.title, group.messages) for group in found.groups]


def test_a_change_of_nothing_is_none(review: Review) -> None:
    found = review.compared()
    assert (found.changed, found.added, found.removed, found.unseen, found.groups) == (0, 0, 0, 0, [])
    assert found.same == len(review.shop.mailable())


EDITS = {
    "colour": (
        "layouts/base.html",
        ("line-height: 42px; color: #23211d; padding", "line-height: 42px; color: #33211d; padding"),
        "style color: '#23211d' → '#33211d'",
    ),
    "alt": (
        "blocks/hero.html",
        ('alt="{{ hero.alt }}"', 'alt="Picture of {{ hero.alt }}"'),
        "alt: '' → 'Picture of'",
    ),
    "parameter": (
        "blocks/hero.html",
        ('class="button-label" dir="auto" href="{{ hero.link }}"',
         'class="button-label" dir="auto" href="{{ hero.link }}?utm=x"'),
        "link href ?utm: '(none)' → 'x'",
    ),
    "footer link": (
        "blocks/footer.html",
        ('href="{{ sender.website }}"', 'href="{{ sender.website }}/home"'),
        "link href path: '' → '/home'",
    ),
    "label": (
        "blocks/hero.html",
        ("{{ campaign.button_label }}</a>", "Now: {{ campaign.button_label }}</a>"),
        "words: '' → 'Now:'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_one_edit_of_a_template_is_one_group_of_everybody(review: Review, name: str) -> None:
    file, change, title = EDITS[name]
    review.edit(file, change)
    found = review.compared()
    everybody = len(review.shop.mailable())
    assert groups_of(found) == [(TEMPLATE, title, everybody)]
    assert found.groups[0].only == found.changed == found.looked == everybody


def test_a_swapped_block_has_moved(review: Review) -> None:
    hero, grid = '{% include "blocks/hero.html" %}', '{% include "blocks/grid.html" %}'
    review.edit("picked-for-you.html", (hero, "HERO"), (grid, hero), ("HERO", grid))
    found = review.compared()
    assert found.changed == len(review.shop.mailable())
    assert {group.cause for group in found.groups} == {TEMPLATE}
    assert all(group.title.startswith("moved in ") for group in found.groups), groups_of(found)


def test_another_price_is_the_catalogues_doing(review: Review) -> None:
    """Raised so little that it moves nobody's picks."""
    products = [str(code) for (code,) in review.shop.query("SELECT code FROM product ORDER BY sku_id LIMIT 15")]
    before = json.loads((review.before / MANIFEST).read_bytes())["people"]
    shown = [one for one in before if set(one.get("products", [])) & set(products)]
    first = "SELECT sku_id FROM product ORDER BY sku_id LIMIT 15"
    review.shop.execute(f"UPDATE product SET price_minor = price_minor + 1 WHERE sku_id IN ({first})")
    assert shown
    assert groups_of(review.compared()) == [(CATALOGUE, "price of a product", len(shown))]


def test_a_product_that_is_withdrawn_is_replaced(review: Review) -> None:
    before = [one for one in json.loads((review.before / MANIFEST).read_bytes())["people"] if "products" in one]
    heroes = [one["products"][0] for one in before]
    hero = max(sorted(set(heroes)), key=heroes.count)
    review.shop.execute("UPDATE product SET availability = 'withdrawn' WHERE code = :code", code=hero)
    found = review.compared()
    assert {group.cause for group in found.groups} == {CATALOGUE}, groups_of(found)
    others = {"other products below the hero", "the same products in another order", "another number of products"}
    assert {group.title for group in found.groups} <= {HERO, *others}, groups_of(found)
    (replaced,) = [group for group in found.groups if group.title == HERO]
    assert replaced.messages >= heroes.count(hero)
    assert found.changed == sum(group.messages for group in found.groups)


def test_another_subject_is_the_campaigns_doing(review: Review) -> None:
    world = review.shop.world
    review.shop.execute("UPDATE subscriber SET language = 'en'")  # a subject that is not in German takes German away
    review.before = review.take()
    with writing(world.database) as session:
        save_campaign(session, Definition("weekly", subject="Just in"), world.settings, now=review.shop.now)
    found = review.compared(ignore=["title"])
    assert {group.cause for group in found.groups} == {SETTINGS}, groups_of(found)
    assert found.changed == len(review.shop.mailable())
    assert all(group.title.startswith("subject") for group in found.groups), groups_of(found)
    assert review.compared(ignore=["title", "subject", ".preheader"]).changed == 0


def test_two_changes_at_once_are_two_groups(review: Review) -> None:
    file, change, title = EDITS["colour"]
    review.edit(file, change)
    review.shop.execute("UPDATE product SET price_minor = price_minor + 1 WHERE sku_id % 3 = 0")
    found = review.compared()
    everybody = len(review.shop.mailable())
    prices, colour = sorted(found.groups, key=lambda group: group.cause)
    assert (colour.cause, colour.title, colour.messages) == (TEMPLATE, title, everybody)
    assert (prices.cause, prices.title, prices.only) == (CATALOGUE, "price of a product", 0)
    assert colour.only + prices.messages == everybody


def test_somebody_who_said_no_is_removed_and_comes_back(review: Review) -> None:
    review.shop.opt_out(review.shop.mailable()[0])
    after = review.take()
    gone, back = compare(review.before, after), compare(after, review.before)
    assert (gone.removed, gone.added, back.removed, back.added) == (1, 0, 0, 1)
    assert ("audience", "no mail any more (opted out)", 1) in groups_of(gone)
    assert {group.cause for group in gone.groups} == {"audience"}  # a hero is free for somebody else


def test_without_files_the_manifest_still_says_who_and_why(review: Review) -> None:
    before = review.take(every=False)
    review.shop.execute("UPDATE product SET price_minor = price_minor + 1")
    found = compare(before, review.take(every=False))
    assert groups_of(found) == [(CATALOGUE, "price of a product", len(review.shop.mailable()))]
    assert found.looked == 10


def test_what_cannot_be_seen_is_no_change(review: Review) -> None:
    review.edit("blocks/footer.html", ("<tr>\n<td", "<tr>\n\n  <td"))
    found = review.compared()
    assert (found.changed, found.unseen) == (0, len(review.shop.mailable()))
    assert found.open == []


def test_a_rule_passes_over_what_it_names(review: Review) -> None:
    file, change, _ = EDITS["footer link"]
    review.edit(file, change)
    assert review.compared(ignore=[".foot a"]).changed == 0
    assert review.compared(ignore=["a.foot-link@href"]).changed == 0
    assert review.compared(ignore=[".head"]).changed == len(review.shop.mailable())


def test_an_approval_is_of_one_change_and_no_other(review: Review, tmp_path: Path) -> None:
    file, change, _ = EDITS["colour"]
    review.edit(file, change)
    found = review.compared()
    (tmp_path / "yes.json").write_text(json.dumps({"approved": [group.id for group in found.groups]}))
    approved = approvals_in(tmp_path / "yes.json")
    assert review.compared(approved=approved).open == []
    review.edit(file, (change[0], change[1].replace("#33211d", "#44211d")))
    assert len(review.compared(approved=approved).open) == 1


def test_two_changes_that_read_alike_when_shortened_are_two() -> None:
    groups = Groups()
    for key, middle in (("a", "one"), ("b", "two")):
        old, new = "x" * 300, f"{'x' * 150}{middle}{'x' * 150}"
        found = Explained()
        for kind in kinds_of(TEMPLATE, Change(ATTRIBUTE, "p > a", "alt", old, new)):
            found.add(kind)
        groups.add(key, found)
    first, second = groups.found()
    assert first.title == second.title
    assert first.id != second.id


def test_what_is_each_persons_own_is_one_group() -> None:
    groups = Groups()
    for number in range(MOST_ALIKE + 5):
        found = Explained()
        for kind in kinds_of(TEMPLATE, Change(WORDS, "td > p", "", f"Hello {number}", f"Name{number}, good day")):
            found.add(kind)
        groups.add(f"{number:02}", found)
    (only,) = groups.found()
    assert only.messages == MOST_ALIKE + 5
    assert only.title.endswith("different for each")


def test_what_reads_alike_beside_other_products_is_the_templates() -> None:
    """A label in the place of a product: it would else be taken for something the product says."""
    groups = Groups()
    for key, pair in (("a", "P1 P2"), ("b", "P3 P4")):
        found = Explained()
        found.add(Kind("model", HERO))
        for kind in kinds_of(TEMPLATE, Change(WORDS, "td > a", "", "Buy", "Order")):
            found.by_products.append((kind, "td > a", pair))
        groups.add(key, found)
    assert {(group.cause, group.messages) for group in groups.found()} == {("model", 2), (TEMPLATE, 2)}


def test_two_shops_are_not_compared(review: Review, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in review.before.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    lines = (other / MANIFEST).read_text().splitlines(keepends=True)
    people = sorted(line.replace('{"key":"', '{"key":"z', 1) for line in lines[2:-1])
    (other / MANIFEST).write_text("".join([*lines[:2], *people, lines[-1]]))
    with pytest.raises(SnapshotUnreadable, match="nobody in common"):
        compare(review.before, other)


def test_the_commands_end_with_what_they_found(review: Review, tmp_path: Path) -> None:
    runner, workspace = CliRunner(), str(review.shop.world.settings.workspace)
    at = ["--at", review.shop.now.isoformat(), "--workspace", workspace]
    made = runner.invoke(app, ["snapshot", "weekly", str(tmp_path / "new"), "--all", *at])
    assert (made.exit_code, "mails" in made.output) == (0, True), made.output
    same = runner.invoke(app, ["diff", str(review.before), str(tmp_path / "new"), "--json"])
    assert same.exit_code == 0
    assert json.loads(same.output)["causes"] == []
    file, change, title = EDITS["colour"]
    review.edit(file, change)
    runner.invoke(app, ["snapshot", "weekly", str(tmp_path / "new"), *at])
    report = tmp_path / "report.xml"
    different = runner.invoke(
        app, ["diff", str(review.before), str(tmp_path / "new"), "--json", "--junit", str(report)]
    )
    assert different.exit_code == 1
    found = json.loads(different.output)
    assert {"same", "changed", "added", "removed", "causes"} <= found.keys()
    assert {"cause", "messages", "example"} <= found["causes"][0].keys()
    suite = ET.fromstring(report.read_bytes())
    assert suite.get("failures") == str(len(found["causes"]))
    words = runner.invoke(app, ["diff", str(review.before), str(tmp_path / "new")])
    assert title in words.output
    nothing = runner.invoke(app, ["diff", str(review.before), str(tmp_path / "nowhere")])
    assert isinstance(nothing.exception, SnapshotUnreadable)


def test_junit_holds_whatever_a_mail_says(review: Review) -> None:
    review.edit("blocks/footer.html", ("{{ sender.name }}", "{{ sender.name }} <![CDATA[ ]]> &lt;&#1;x"))
    suite = ET.fromstring(junit(review.compared()))
    assert suite.findall("testcase/failure")
