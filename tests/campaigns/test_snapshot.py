"""A snapshot: the same data give the same files; it says nothing of anybody; it is whole or not there."""

import gzip
import hashlib
import json
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from campaigns.errors import CampaignUnknown, RunUnknown
from campaigns.review.archive import MAILS, PEOPLE, Shelf
from campaigns.review.errors import SnapshotUnreadable
from campaigns.review.manifest import MANIFEST, Manifest
from campaigns.review.snapshot import Depth, Taken, snapshot_campaign, snapshot_run
from tests.campaigns.conftest import Shop

pytestmark = pytest.mark.slow  # whole shops are planned and written


def take(shop: Shop, folder: Path, *, sample: int = 5, every: bool = False) -> Taken:
    world = shop.world
    depth = Depth(sample, every)
    return snapshot_campaign(
        world.database, "weekly", folder, world.settings, world.secrets, at=shop.now, depth=depth
    )  # fmt: skip


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_data_give_the_same_files(shop: Shop, tmp_path: Path) -> None:
    first = take(shop, tmp_path / "a", every=True)
    second = take(shop, tmp_path / "b", every=True)
    assert (first.people, first.mails) == (second.people, second.mails)
    assert files_in(tmp_path / "a") == files_in(tmp_path / "b")
    assert first.mails == len(shop.mailable())


def test_the_manifest_names_nobody_and_has_a_line_a_person(shop: Shop, tmp_path: Path) -> None:
    take(shop, tmp_path / "a")
    text = (tmp_path / "a" / MANIFEST).read_text()
    plain = json.loads(text)
    keys = [person["key"] for person in plain["people"]]
    assert keys == sorted(keys)
    assert set(keys) == {str(key) for (key,) in shop.query("SELECT key FROM subscriber WHERE address != ''")}
    assert len(text.splitlines()) == len(keys) + 3
    for address, name in shop.query("SELECT address, given_name FROM subscriber"):
        assert str(address) not in text
        assert not name or f'"{name}"' not in text
    assert {"template", "catalogue", "model", "settings", "history", "code", "at"} <= plain.keys()
    skipped = [person for person in plain["people"] if "html" not in person]
    assert skipped
    assert all(person["reason"] for person in skipped)


def test_what_is_kept_is_what_the_hashes_are_of(shop: Shop, tmp_path: Path) -> None:
    taken = take(shop, tmp_path / "a", sample=5, every=True)
    lines = [person for person in json.loads((tmp_path / "a" / MANIFEST).read_bytes())["people"] if "html" in person]
    shelf = Shelf(tmp_path / "a")
    for line in lines:
        kept = shelf.take(line["key"])
        assert kept is not None
        for part in ("subject", "html", "text"):
            assert hashlib.sha256(getattr(kept, part).encode()).hexdigest() == line[part]
    people = tmp_path / "a" / PEOPLE
    assert len(list(people.iterdir())) == 3 * 5
    for line in lines[:5]:
        assert hashlib.sha256((people / f"{line['key']}.html").read_bytes()).hexdigest() == line["html"]
        message = message_from_bytes((people / f"{line['key']}.eml").read_bytes(), policy=default)
        assert hashlib.sha256(message["Subject"].encode()).hexdigest() == line["subject"]
    assert taken.files == taken.mails == len(lines)


def test_the_files_stay_the_same_from_moment_to_moment(shop: Shop, tmp_path: Path) -> None:
    take(shop, tmp_path / "a")
    shop.now += timedelta(seconds=1)
    take(shop, tmp_path / "b")
    one, other = files_in(tmp_path / "a"), files_in(tmp_path / "b")
    assert {name for name in one if one[name] != other[name]} == {MANIFEST}  # it says of which moment it is


def test_a_run_has_the_mails_of_its_plan(shop: Shop, tmp_path: Path) -> None:
    shop.now -= timedelta(seconds=1)
    run = shop.plan()
    take(shop, tmp_path / "campaign")
    snapshot_run(shop.world.database, run, tmp_path / "run", depth=Depth(60))
    campaign, frozen = (list(Manifest(tmp_path / name).lines()) for name in ("campaign", "run"))
    assert campaign == frozen
    planned = {str(sha256) for (sha256,) in shop.query("SELECT sha256 FROM message WHERE sha256 != ''")}
    kept = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "run" / PEOPLE).glob("*.eml")}
    assert kept == planned
    shop.send(run)
    snapshot_run(shop.world.database, run, tmp_path / "sent")
    assert list(Manifest(tmp_path / "sent").lines()) == frozen


def test_prices_are_read_anew_each_time(shop: Shop, tmp_path: Path) -> None:
    take(shop, tmp_path / "a", every=True)
    shop.execute("UPDATE product SET price_minor = price_minor + 100")
    take(shop, tmp_path / "b", every=True)
    shop.execute("UPDATE product SET price_minor = price_minor - 100")
    take(shop, tmp_path / "c", every=True)
    one, other, again = (list(Manifest(tmp_path / name).lines()) for name in "abc")
    assert one == again
    assert one != other


def test_an_older_snapshot_is_replaced_and_nothing_else_is(shop: Shop, tmp_path: Path) -> None:
    take(shop, tmp_path / "a", every=True)
    take(shop, tmp_path / "a", sample=1)
    assert not (tmp_path / "a" / MAILS).exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear diary")
    with pytest.raises(SnapshotUnreadable, match="choose another"):
        take(shop, tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").exists()


def test_a_failed_snapshot_leaves_the_older_one(shop: Shop, tmp_path: Path) -> None:
    take(shop, tmp_path / "a")
    before = files_in(tmp_path / "a")
    broken = shop.world.settings.workspace / "templates" / "blocks" / "hero.html"
    broken.parent.mkdir(parents=True)
    broken.write_text("<tr><td>{{ hero.title / 3 }}</td></tr>")
    with pytest.raises(Exception, match="hero"):
        take(shop, tmp_path / "a")
    assert files_in(tmp_path / "a") == before


def test_what_is_not_there_is_said(shop: Shop, tmp_path: Path) -> None:
    world = shop.world
    with pytest.raises(CampaignUnknown):
        snapshot_campaign(world.database, "none", tmp_path / "a", world.settings, world.secrets, at=shop.now)
    with pytest.raises(RunUnknown):
        snapshot_run(world.database, 99, tmp_path / "a")
    with pytest.raises(SnapshotUnreadable, match="holds no snapshot"):
        Manifest(tmp_path / "a")


def test_half_a_manifest_is_none(shop: Shop, tmp_path: Path) -> None:
    take(shop, tmp_path / "a", every=True)
    path = tmp_path / "a" / MANIFEST
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SnapshotUnreadable, match="not whole"):
        list(Manifest(tmp_path / "a").lines())
    packed = tmp_path / "a" / MAILS
    packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()))[:-50])
    with pytest.raises(SnapshotUnreadable, match="cannot be read"):
        Shelf(tmp_path / "a").take("f" * 32)
