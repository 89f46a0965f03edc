"""Letters are read: whatever the bytes are, a letter comes out or a plain word why not."""

from __future__ import annotations

import time
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.domain.letter import Automatic, Letter, Wrapping
from hub.mail.headers import author, readable
from hub.mail.parse import Unreadable, bare_subject, parse
from hub.mail.replies import extract, folded
from tests.corpora import corpus

SAMPLES = Path(__file__).parent / "samples"
HEAD = b"From: Anna <anna@romashka.example>\r\nTo: help@plus.example\r\nMessage-ID: <a1@romashka.example>\r\n"


def read(raw: bytes) -> Letter:
    return parse(raw, lambda n, data: f"{n}:{len(data)}")


def a_letter(lines: bytes = b"", body: bytes = b"The till is dead.\r\n") -> bytes:
    return HEAD + lines + b"\r\n" + body


# --- what people wrote ---------------------------------------------------------------------------


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.eml")), ids=lambda path: path.stem)
def test_of_a_reply_from_this_program_only_the_new_words_remain(sample: Path):
    letter = read(sample.read_bytes())
    assert folded(letter.words) == folded(sample.with_suffix(".txt").read_text())
    assert letter.author is not None
    assert letter.author.address == "r.sidorov@romashka.example"
    assert letter.author.name == "Роман Сидоров"
    assert "Не работает касса" in letter.subject
    assert letter.language == "ru"
    assert letter.automatic is None


def test_there_are_enough_samples_of_each_program():
    programs = {path.stem.rpartition("-")[0] for path in SAMPLES.glob("*.eml")}
    assert len(programs) == 8
    assert len(list(SAMPLES.glob("*.eml"))) >= 60


def test_replies_of_the_public_corpus_are_cut_as_it_says():
    emails = corpus("email-reply-trimmer", "test", "emails")
    others = []
    for path in sorted(emails.glob("*.txt")):
        wanted = (emails.parent / "trimmed" / path.name).read_text()
        if folded(extract(path.read_text())) != folded(wanted):
            others.append(path.name)
    assert len(list(emails.glob("*.txt"))) == 64
    assert len(others) <= 3, others


def test_a_letter_built_to_take_long_takes_no_time():
    hostile = [
        "\n" * 20_000 + "x" + "\n" * 20_000,
        "> " * 100_000,
        "On a " * 50_000 + "wrote:",
        ("On " + "a " * 200 + "\n") * 1200,
        ("1 " + "<@" * 200 + "\n") * 600,
        ("От: " + "a" * 900 + "\n") * 280,
        "- " * 120_000,
        ("С уважением, " * 20 + "\n") * 1000,
    ]
    for text in hostile:
        begun = time.process_time()
        extract(text)
        assert time.process_time() - begun < 1


def test_words_above_our_own_marker_are_the_reply_whatever_stands_below():
    text = "Да, согласны.\n\n### Пишите ответ выше этой строки ###\n\nНеразмеченный старый текст\n"
    assert extract(text) == "Да, согласны."


def test_code_between_fences_is_not_taken_for_a_signature():
    text = "Look:\n\n```\n--\nOn Monday he wrote:\n```\n\nThat is all."
    assert extract(text) == text


# --- corpora of broken letters -------------------------------------------------------------------


def _corpus_files() -> list[Path]:
    files = []
    for name in (("set-of-emails", "maildir"), ("mail-parser-malformed", "resources")):
        files += [path for path in corpus(*name).rglob("*") if path.is_file()]
    return files


def test_no_letter_of_the_corpora_is_more_than_unreadable_and_none_takes_a_second():
    files = _corpus_files()
    assert len(files) > 180
    for path in files:
        begun = time.process_time()
        try:
            read(path.read_bytes())
        except Unreadable as error:
            assert error.because
        assert time.process_time() - begun < 1, path.name


def test_every_bounce_of_the_corpus_is_known_as_automatic():
    for kind in ("dos", "err"):
        for path in corpus("set-of-emails", "maildir", kind).glob("*.eml"):
            assert read(path.read_bytes()).automatic is not None, path.name


# --- holes of the standard library ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("anna@romashka.example", "anna@romashka.example"),
        ("Anna <anna@Romashka.EXAMPLE>", "anna@romashka.example"),
        ('"Петрова, Анна" <anna@romashka.example>', "anna@romashka.example"),
        ("=?utf-8?b?0JDQvdC90LA=?= <anna@romashka.example>", "anna@romashka.example"),
    ],
)
def test_one_plain_mailbox_is_the_author(said: str, address: str):
    found = author([said])
    assert found is not None
    assert found.address == address


TRICKS = [
    ["a@x.example", "b@y.example"],  # two From headers
    ["a@x.example, b@y.example"],
    ["Team: a@x.example, b@y.example;"],
    ["Team: a@x.example;"],
    ["Outer: Inner: a@x.example;;"],
    ["alice@example.org)bob@example.com"],  # CVE-2023-27043
    ["alice@example.org]<bob@example.com>"],
    ["alice@example.org(<bob@example.com>"],
    ["alice@example.org><bob@example.com>"],
    ["<alice@example.org>bob@example.com"],
    ["alice@example.org@bob@example.com"],
    ['"alice@example.org <"<bob@example.com> x"'],
    ['"a@x.example"@evil.example'],  # quoted local part with an at sign
    ["a@x.example <b@y.example> <c@z.example>"],
    ["(" * 2000 + "a@x.example"],
    ["a@[127.0.0.1]"],
    ["a@x.example\x00b@y.example"],
    ["a..b@x.example"],
    [""],
    [],
    ["<>"],
    ["a@"],
    ["Anna"],
]


@pytest.mark.parametrize("said", TRICKS, ids=range(len(TRICKS)))
def test_from_with_a_trick_in_it_has_no_author(said: list[str]):
    assert author(said) is None


def test_a_header_in_raw_cyrillic_bytes_is_read():
    raw = a_letter("Subject: Не работает касса".encode("cp1251") + b"\r\n")
    assert read(raw).subject == "Не работает касса"


def test_a_charset_nobody_knows_costs_nothing():
    raw = a_letter(
        b"Content-Type: text/plain; charset=x-martian\r\n", "Касса не работает".encode("cp1251")
    )
    assert read(raw).text.strip() == "Касса не работает"


@pytest.mark.parametrize(
    "charset", ["idna", "punycode", "unicode_escape", "hex", "zlib", "undefined"]
)
def test_a_charset_that_is_none_for_letters_is_not_used(charset: str):
    raw = a_letter(
        f"Content-Type: text/plain; charset={charset}\r\n".encode(), b"plain words \\u0041"
    )
    assert read(raw).text.strip() == "plain words \\u0041"


def test_a_message_id_with_spaces_is_whole():
    raw = a_letter().replace(b"<a1@romashka.example>", b"<bad id @romashka.example>")
    assert read(raw).message_id == "bad id @romashka.example"


def test_encoded_line_ends_in_a_subject_make_no_line():
    raw = a_letter(b"Subject: =?utf-8?q?Till=0D=0ABcc:_evil@x.example?=\r\n")
    assert read(raw).subject == "Till Bcc: evil@x.example"


@pytest.mark.parametrize("bad", ["\r", "\n", "\x0b", "\x1c", "\u0085", "\u2028", "\u2029", "\x00"])
def test_nothing_that_controls_is_left_in_a_header(bad: str):
    assert readable(f"a{bad}b") == "a b"


def _nested(depth: int) -> bytes:
    parts = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(depth)
    )
    return HEAD + parts + b"\r\ntext"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        _nested(60),
        _nested(1000),
        HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000,
        b"X-Long: " + b"a" * (3 * 1024 * 1024),
    ],
    ids=["empty", "blank", "deep", "deeper", "many", "endless"],
)
def test_a_letter_built_to_break_readers_is_unreadable_in_no_time(raw: bytes):
    begun = time.process_time()
    with pytest.raises(Unreadable):
        read(raw)
    assert time.process_time() - begun < 1


def test_five_thousand_recipients_are_read_up_to_a_bound():
    to = b", ".join(b"p%d@x.example" % n for n in range(5000))
    begun = time.process_time()
    assert len(read(a_letter(b"Cc: " + to + b"\r\n")).cc) <= 200
    assert time.process_time() - begun < 1


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(
            [
                b"From: ",
                b"To: a@x.example",
                b"\r\n",
                b"\n",
                b"Content-Type: multipart/mixed; boundary=b",
                b"--b",
                b"--b--",
                b"Subject: =?utf-8?b?",
                b"?=",
                b"Content-Transfer-Encoding: base64",
                b"charset=",
                b"koi8-r",
                b"((((",
                b"<<>>",
                b"\xff\xfe\x00",
                b"Content-Type: message/rfc822",
                b"Content-Type: message/delivery-status",
                b"Final-Recipient: rfc822; a@b",
                b"name*0*=utf-8''%ff",
                b"Content-Disposition: attachment; filename=",
                b"> ",
                b"begin 644 f",
                b"=?x?q?=0a?=",
                b"@;:,",
            ]
        )
        | st.binary(max_size=30),
        max_size=60,
    ).map(b"".join)
)
def test_whatever_the_bytes_are_a_letter_comes_out_or_unreadable(raw: bytes):
    try:
        letter = read(raw)
    except Unreadable:
        return
    assert "\n" not in letter.subject
    letter.text.encode()


# --- what it carries -----------------------------------------------------------------------------


def test_pictures_in_the_text_and_files_are_kept_with_their_names():
    whole = MIMEMultipart("related")
    whole["From"] = "Anna <anna@romashka.example>"
    whole.attach(
        MIMEText('<p>Look <img src="cid:p1@x"><img src="https://spy.example/p.png"></p>', "html")
    )
    picture = MIMEImage(b"\x89PNG", "png")
    picture["Content-ID"] = "<p1@x>"
    whole.attach(picture)
    table = MIMEText("a;b", "csv", "utf-8")
    table.add_header("Content-Disposition", "attachment", filename=("utf-8", "", "Акт №5.csv"))
    whole.attach(table)
    letter = read(whole.as_bytes())
    assert [(one.name, one.content_id) for one in letter.files] == [
        ("image.png", "p1@x"),
        ("Акт №5.csv", ""),
    ]
    assert 'src="cid:p1@x"' in letter.html
    assert "spy.example" not in letter.html


def test_html_has_nothing_left_that_acts():
    body = (
        b'<script>x()</script><style>p{}</style><form action="https://x.example"><input name=a></form>'
        b'<p onclick="x()" style="position:fixed">Hello <a href="javascript:x()">there</a></p>'
    )
    letter = read(a_letter(b"Content-Type: text/html\r\n", body))
    for bad in ("script", "style", "form", "input", "onclick", "javascript", "position"):
        assert bad not in letter.html
    assert letter.words == "Hello there"


def test_html_nested_ten_thousand_deep_is_still_text():
    body = b"<div>" * 10_000 + b"The till is dead" + b"</div>" * 10_000
    begun = time.process_time()
    assert "The till is dead" in read(a_letter(b"Content-Type: text/html\r\n", body)).text
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("kind", "wrapping"),
    [
        (b"multipart/signed; boundary=b", Wrapping.SIGNED),
        (b"multipart/encrypted; boundary=b", Wrapping.ENCRYPTED),
        (b"application/pkcs7-mime; smime-type=enveloped-data", Wrapping.ENCRYPTED),
        (b"application/pkcs7-mime; smime-type=signed-data", Wrapping.SIGNED),
        (b"application/ms-tnef; name=winmail.dat", Wrapping.WINMAIL),
        (b"text/calendar; method=REQUEST", Wrapping.CALENDAR),
    ],
)
def test_what_a_letter_is_wrapped_into_is_known(kind: bytes, wrapping: Wrapping):
    assert (
        wrapping
        in read(a_letter(b"Content-Type: " + kind + b"\r\n", b"--b\r\n\r\nx\r\n--b--")).wrappings
    )


def test_a_letter_in_a_letter_is_kept_as_a_file():
    body = b"--b\r\n\r\nsee below\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Old\r\n\r\nhi\r\n--b--"
    letter = read(a_letter(b"Content-Type: multipart/mixed; boundary=b\r\n", body))
    assert [(one.name, one.media_type) for one in letter.files] == [("Old.eml", "message/rfc822")]


# --- who wrote it: people or programs ------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"Auto-Submitted: auto-replied", Automatic.ABSENCE),
        (b"Auto-Submitted: auto-generated", Automatic.PROGRAM),
        (b"Auto-Submitted: no", None),
        (b"Precedence: bulk", Automatic.PROGRAM),
        (b"Precedence: list", Automatic.LIST),
        (b"List-Id: <news.x.example>", Automatic.LIST),
        (b"List-Unsubscribe: <mailto:u@x.example>", Automatic.LIST),
        (b"X-Autoreply: yes", Automatic.ABSENCE),
        (b"X-Auto-Response-Suppress: All", Automatic.PROGRAM),
        (b"X-Loop: help@plus.example", Automatic.PROGRAM),
        (b"Return-Path: <>", Automatic.PROGRAM),
        (b"Subject: Out of Office: till", Automatic.ABSENCE),
        ("Subject: Автоответ: Не работает касса".encode(), Automatic.ABSENCE),
        (b"Feedback-ID: 1:2:3", Automatic.PROGRAM),
        (b"X-Mailer: The Bat!", None),
    ],
)
def test_what_programs_send_is_told_from_what_people_send(line: bytes, kind: Automatic | None):
    assert read(a_letter(line + b"\r\n")).automatic is kind


def test_a_delivery_report_says_whom_it_could_not_reach_and_which_letter():
    body = (
        b"--b\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; mx.x.example\r\n\r\nFinal-Recipient: rfc822; anna@x.example\r\n"
        b"Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such user\r\n\r\n"
        b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <ours@plus.example>\r\n\r\n--b--\r\n"
    )
    letter = read(
        a_letter(
            b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n", body
        )
    )
    (bounce,) = letter.bounces
    assert letter.automatic is Automatic.BOUNCE
    assert (bounce.recipient, bounce.action, bounce.status) == ("anna@x.example", "failed", "5.1.1")
    assert bounce.message_id == "ours@plus.example"
    assert bounce.diagnostic == "smtp; 550 no such user"


def test_one_letter_that_came_two_ways_has_one_fingerprint():
    one = b"Received: from a\r\nDelivered-To: x\r\n" + a_letter()
    two = b"Received: from b\r\nReceived: from c\r\n" + a_letter()
    other = a_letter(body=b"Another one.\r\n")
    assert read(one).fingerprint == read(two).fingerprint != read(other).fingerprint


def test_a_subject_without_what_answering_put_before_it():
    assert bare_subject("Re: RE[2]: Fwd: Отв: Не работает касса") == "Не работает касса"
