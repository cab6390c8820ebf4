"""The bytes of a message: exactly the intended headers, and the same message once parsed, whatever is in the words."""

import binascii
import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import CampaignInvalid
from campaigns.mime import Letterhead, _quoted, encoded, mailbox
from engine.render.content import Mail, Sender

DATE = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEADERS = [
    *("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"),
    *("MIME-Version", "Content-Type"),
]
LINK = "https://mail.example/u/" + "a" * 120
one_line = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120)
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def build(*, subject="Hello", name="Shop", html="<p>hi</p>", text="hi", to="ana@example.com", link=LINK):
    sender = Sender(name, "shop@example.com", "1 Mill Lane", "https://shop.example")
    mail = Mail(subject, "", (html,), (text,))
    return Letterhead(sender, date=DATE).message(mail, to=to, message_id="abc@example.com", unsubscribe_url=link)


def parsed(message: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(message, policy=email.policy.default)  # type: ignore[return-value]


@given(subject=one_line, name=one_line)
def test_whatever_the_subject_and_sender_name_the_headers_are_the_intended_ones(subject, name):
    message = parsed(build(subject=subject, name=name))
    assert message.keys() == HEADERS
    assert message["To"].addresses[0].addr_spec == "ana@example.com"
    assert len(message["From"].addresses) == 1
    assert message["From"].addresses[0].addr_spec == "shop@example.com"
    assert message["List-Unsubscribe"] == f"<{LINK}>"
    assert not message.defects


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=200))
def test_a_subject_reads_the_same_once_parsed(subject):
    assert str(parsed(build(subject=subject))["Subject"]) == subject


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x1c", "\u2028", "\u2029", "\x00"])
@pytest.mark.parametrize("where", ["subject", "name", "to", "link"])
def test_a_line_break_in_a_header_is_refused_and_never_sent(where, line_end):
    with pytest.raises(CampaignInvalid, match="line break"):
        build(**{where: f"good{line_end}Bcc: victim@example.com"})


@given(text=any_text, html=any_text)
def test_the_parts_read_the_same_once_parsed(text, html):
    def normal(words: str) -> str:
        return words.replace("\r\n", "\n").replace("\r", "\n")

    parts = [part.get_payload(decode=True).decode() for part in parsed(build(text=text, html=html)).iter_parts()]
    assert [normal(part) for part in parts] == [normal(text), normal(html)]


@given(any_text)
def test_encoding_line_by_line_is_encoding_the_whole(text):
    body = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    # the codec takes the line end of its soft breaks from the first line end it finds: there must be one
    assert _quoted(text) == binascii.b2a_qp(body.encode() + b"\r\n", istext=True)[:-2]


@given(text=any_text, html=any_text, subject=one_line)
def test_no_line_is_longer_than_a_server_must_take(text, html, subject):
    head, _, body = build(text=text, html=html, subject=subject).partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 78
    assert body.isascii()


def test_list_unsubscribe_is_one_line_without_encoded_words_however_long():
    head = build(link="https://mail.example/u/" + "x" * 700).partition(b"\r\n\r\n")[0]
    assert b"List-Unsubscribe: <https://mail.example/u/xxxx" in head
    assert b"=?" not in head


def test_a_link_too_long_for_a_header_is_refused():
    with pytest.raises(CampaignInvalid, match="998"):
        build(link="https://mail.example/u/" + "x" * 1000)


def test_names_are_quoted_where_they_must_be():
    assert mailbox('Oat, "Amber" & Co.', "a@example.com") == '"Oat, \\"Amber\\" & Co." <a@example.com>'
    assert mailbox("", "a@example.com") == "a@example.com"
    assert encoded("=?utf-8?q?x?=").startswith("=?utf-8?")
