"""Files that are brought in by a browser: hostile ones too, and none of them in memory."""

import asyncio
import csv
import io
import json

import pytest
from sqlalchemy import select
from starlette.requests import Request

from studio.errors import StudioError
from studio.import_work import uploads_of
from studio.models import AuditLine, Job
from studio.roles import Role
from studio.uploads import FileTooLarge, find_upload, receive
from subscribers.database import reading
from subscribers.models import Subscriber

from .conftest import SCRIPT

pytestmark = pytest.mark.slow

PEOPLE = "Mail address,first name,mail\nnew@example.com,Nia,yes\nnobody,=1+1,yes\nother@example.com,Ola,no\n"


def send(client, text, *, kind="subscribers", name="people.csv"):
    body = text if isinstance(text, bytes) else text.encode()
    return client.post("/imports/new", data={"kind": kind}, files={"file": (name, body, "text/csv")})


def brought_in(client, text, **fields):
    """The page of the job after everything was done."""
    place = send(client, text).headers["location"]
    answer = client.post(place, data=fields)
    assert answer.status_code == 303, answer.text
    client.app.state.jobs.work_off()
    return client.get(answer.headers["location"])


def left(shop):
    return [path.name for path in uploads_of(shop.world).iterdir() if not path.name.startswith(".")]


def addresses(shop):
    with reading(shop.world.database) as session:
        return set(session.scalars(select(Subscriber.address)))


def test_the_whole_way(shop):
    client = shop.studio_of(Role.MARKETER)
    place = send(client, PEOPLE).headers["location"]
    words = client.get(place).text
    assert "Mail address" in words
    assert "Nia" in words
    assert '<option value="first name" selected>' in words
    fields = {"field-address": "Mail address", "field-given_name": "first name", "field-mail": "mail"}
    answer = client.post(place, data=fields)
    assert answer.headers["location"].endswith("?done=imported")
    client.app.state.jobs.work_off()
    words = client.get(answer.headers["location"]).text
    assert "<b>3 rows</b>" in words
    assert "<b>2</b> added" in words
    assert "<td>nobody</td>" in words
    assert "is no usable address" in words
    assert {"new@example.com", "other@example.com"} <= addresses(shop)
    assert left(shop) == []
    assert "people.csv" in client.get("/imports").text
    with reading(shop.world.database) as session:
        line = session.scalars(select(AuditLine)).one()
    assert (line.action, line.actor) == ("import.start", "marketer")
    assert "@" not in line.subject + line.detail


def test_the_rejected_rows_are_harmless_in_a_spreadsheet(shop):
    client = shop.studio
    words = brought_in(client, PEOPLE, **{"field-address": "Mail address", "field-given_name": "first name"}).text
    address = words.partition('href="/imports/')[2].partition('"')[0]
    file = client.get(f"/imports/{address}")
    assert "attachment" in file.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(file.text)))
    assert rows[0][:2] == ["line", "reason"]
    assert rows[1][2:4] == ["nobody", "'=1+1"]
    assert shop.studio_of(Role.VIEWER).get(f"/imports/{address}").status_code == 403


def test_consent_is_what_was_ticked(shop):
    brought_in(shop.studio, "email\nnew@example.com\n", **{"field-address": "email", "consent": ["mail"]})
    with reading(shop.world.database) as session:
        person = session.scalars(select(Subscriber).where(Subscriber.address == "new@example.com")).one()
    assert (person.may_mail, person.may_personalise, person.may_track) == (True, False, False)


def test_a_column_that_is_not_chosen_is_not_read(shop):
    brought_in(shop.studio, "email,given_name\nnew@example.com,Nia\n", **{"field-address": "email"})
    with reading(shop.world.database) as session:
        person = session.scalars(select(Subscriber).where(Subscriber.address == "new@example.com")).one()
    assert person.given_name == ""


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "Choose the column that holds it."),
        ({"field-address": "nothing"}, "Choose one of the file"),
        ({"field-address": "email", "field-country": "email"}, "chosen twice"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(shop, fields, problem):
    client = shop.studio
    place = send(client, "email,land\nnew@example.com,UK\n").headers["location"]
    answer = client.post(place, data=fields)
    assert answer.status_code == 422
    assert problem in answer.text
    assert "field-" in answer.text.partition("-problem")[0]
    with reading(shop.world.database) as session:
        assert not list(session.scalars(select(Job)))


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("", "subscribers", "a.csv"),
        (b"\x00\x01\xff" * 50, "rubbish", "a.csv"),
        ("email\n", "subscribers", ""),
        (b"\x1f\x8b broken", "subscribers", "a.gz"),
    ],
)
def test_what_is_no_such_file_is_refused_and_not_kept(shop, text, kind, name):
    answer = send(shop.studio, text, kind=kind, name=name)
    assert answer.status_code in (400, 422)
    assert left(shop) == []


@pytest.mark.parametrize("name", ["../../evil.csv", "/etc/passwd", "C:\\tmp\\x.csv", SCRIPT, "a" * 5_000, "x\x00.csv"])
def test_the_name_of_a_file_is_only_shown(shop, name):
    client = shop.studio
    answer = send(client, PEOPLE, name=name)
    if answer.status_code == 303:
        words = client.get(answer.headers["location"]).text
        assert "<script>alert" not in words
    assert all(len(kept.partition(".")[0]) == 32 for kept in left(shop))
    assert {path.name for path in shop.world.settings.workspace.glob("*.csv")} == set()


def test_products_are_brought_in_with_pictures(shop):
    client = shop.studio
    feed = "id,title,link,price,availability\nnew,New Cream,https://shop.example/new,9.50 EUR,in stock\n"
    place = send(client, feed, kind="products").headers["location"]
    fields = {f"field-{name}": name for name in ("id", "title", "link", "price", "availability")}
    job = client.post(place, data=fields).headers["location"]
    client.app.state.jobs.work_off()
    assert "<b>1</b> pictures drawn" in client.get(job).text
    assert "New Cream" in client.get("/products").text


def test_who_may_bring_files_in(shop):
    client = shop.studio_of(Role.VIEWER)
    assert client.get("/imports").status_code == 200
    assert client.get("/imports/new").status_code == 403
    assert send(client, PEOPLE).status_code == 403
    assert not uploads_of(shop.world).exists()


def test_an_upload_is_found_by_its_token_only(shop):
    client = shop.studio
    for token in ("0" * 32, "x" * 32, "0" * 31, "..%2f..%2fhandpicked"):
        assert client.get(f"/imports/new/{token}").status_code in (400, 404, 422)
    with pytest.raises(StudioError):
        find_upload(uploads_of(shop.world), "0" * 32)


def multipart(parts, *, length=None, boundary="edge"):
    """A request whose body comes in these parts."""
    queue = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    queue.append({"type": "http.disconnect"} if length == "cut" else {"type": "http.request", "body": b""})

    async def more():
        return queue.pop(0)

    headers = [(b"content-type", f"multipart/form-data; boundary={boundary}".encode())]
    headers += [(b"content-length", str(length).encode())] if isinstance(length, int) else []
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, more)


HEAD = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'


@pytest.mark.parametrize("length", [None, 3_000])
def test_a_file_that_is_too_large_is_refused_and_not_kept(tmp_path, length):
    with pytest.raises(FileTooLarge):
        asyncio.run(receive(multipart([HEAD, *[b"x" * 500] * 5], length=length), tmp_path, largest=2_000))
    assert not list(tmp_path.glob("*.*v")) + list(tmp_path.glob("*.part"))


def test_a_connection_that_ends_leaves_nothing(tmp_path):
    with pytest.raises(StudioError, match="connection ended"):
        asyncio.run(receive(multipart([HEAD, b"email\n"], length="cut"), tmp_path))
    with pytest.raises(StudioError, match="connection ended"):
        asyncio.run(receive(multipart([HEAD, b"email\n"]), tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [".now"]


def test_a_file_is_written_as_it_comes(tmp_path):
    rows = b"row,row\r\n" * 20_000
    parts = [HEAD, *(rows[start : start + 7_001] for start in range(0, len(rows), 7_001)), b"\r\n--edge--\r\n"]
    upload = asyncio.run(receive(multipart(parts), tmp_path))
    assert upload.path(tmp_path).read_bytes() == rows
    assert json.loads((tmp_path / f"{upload.token}.json").read_text())["file_name"] == "a.csv"
