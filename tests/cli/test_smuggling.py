"""Family E12: whatever bytes come, a served node and whoever stands before it see the same borders.

A real `hub serve` and raw sockets. Behind each odd request stands a second, plain one: either the
odd one is answered and the second as well, or the odd one is refused and the line is closed, so
that nothing behind it is ever taken for a request.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import found, free_port

HOST = b"Host: hub.example\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"


def _post(*lines: bytes, body: bytes = b"") -> bytes:
    head = b"POST /sign-in HTTP/1.1\r\n" + HOST + b"Sec-Fetch-Site: same-origin\r\n"
    return head + b"".join(lines) + b"\r\n" + body


def _get(*lines: bytes) -> bytes:
    return b"GET /healthz HTTP/1.1\r\n" + HOST + b"".join(lines) + b"\r\n"


LENGTHS = [b"+4", b"-4", b"4 4", b"4, 4", b"4,5", b"0x4", b"4.0", b"4e0", b"", b" ", b"\x0b4",
           b"4;", b"'4'", b"\xd9\xa4", b"4\x00", b"04a", b"1_0", b"99999999999999999999",
           b"18446744073709551620"]  # fmt: skip
CODINGS = [b"chunked, identity", b"chunked, chunked", b"xchunked", b"chunked;q=1",
           b"'chunked'", b"\x0bchunked", b"chunked\x0b", b"chunked, gzip", b"gzip", b"identity", b"cow",
           b"ch\x00unked", b"chunked,", b"x", b"chunk\xc3\xa9d"]  # fmt: skip
SIZES = [b"0x4", b"+4", b"-4", b"4 ", b" 4", b"\x0b4", b"4_", b"fffffffffffffffff", b"4;\n", b"g", b"",
         b"4\x00", b"4\r", b"\xef\xbc\x94"]  # fmt: skip
NAMES = [b"Content-Length : 4", b"Content-Length\t: 4", b" Content-Length: 4", b"\tContent-Length: 4",
         b"Content-Length\x00: 4", b"Content Length: 4", b"Transfer-Encoding : chunked",
         b" Transfer-Encoding: chunked", b"Transfer-Encoding\x0b: chunked", b"Transfer-Encoding\xa0: chunked",
         b"\x00Transfer-Encoding: chunked", b"(Transfer-Encoding): chunked", b"Transfer-Encoding",
         b": chunked", b"X: a\rTransfer-Encoding: chunked", b"X: a\nTransfer-Encoding: chunked",
         b"X: a\x00b", b"X: a\r\n Transfer-Encoding: chunked"]  # fmt: skip
LINES = [b"GET /healthz HTTP/1.1 HTTP/1.1", b"GET /healthz", b"GET /healthz HTTP/0.9",
         b"GET /healthz HTTP/2.0", b"GET /healthz HTTP/1.10", b"GET /healthz HTTP/01.1", b"GET /healthz http/1.1",
         b"GET\t/healthz\tHTTP/1.1", b"GET /heal\x00thz HTTP/1.1", b"GET /healthz\x0b HTTP/1.1", b" GET /healthz HTTP/1.1",
         b"G(T /healthz HTTP/1.1", b"GET /healthz HTTP/1.1\x00", b"GET /healthz HTTP/1.1 ", b"PRI * HTTP/2.0"]  # fmt: skip

MUST_BE_REFUSED: dict[str, bytes] = {
    **{f"length {one!r}": _post(b"Content-Length: " + one + b"\r\n", body=b"a=b&") for one in LENGTHS},
    "length and chunks": _post(b"Content-Length: 4\r\n", CHUNKED, body=END),
    "chunks and length": _post(CHUNKED, b"Content-Length: 4\r\n", body=END),
    "two lengths": _post(b"Content-Length: 4\r\n", b"Content-Length: 5\r\n", body=b"a=b&c"),
    "the same length twice": _post(b"Content-Length: 4\r\n" * 2, body=b"a=b&"),
    **{f"coding {one!r}": _post(b"Transfer-Encoding: " + one + b"\r\n", body=END) for one in CODINGS},
    "coding twice": _post(CHUNKED * 2, body=END),
    "coding and another": _post(CHUNKED, b"Transfer-Encoding: identity\r\n", body=END),
    "chunks of the old protocol": _post(CHUNKED, body=END).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    **{f"size {one!r}": _post(CHUNKED, body=one + b"\r\na=b&\r\n" + END) for one in SIZES},
    "a chunk longer than it says": _post(CHUNKED, body=b"2\r\na=b&\r\n" + END),
    "a chunk without its end": _post(CHUNKED, body=b"4\r\na=b&" + END),
    "a chunk that ends on LF": _post(CHUNKED, body=b"4\na=b&\n0\n\n"),
    "an extension with LF": _post(CHUNKED, body=b"4;a\nb\r\na=b&\r\n" + END),
    "a trailer that is none": _post(CHUNKED, body=b"0\r\nbad trailer\r\n\r\n"),
    **{f"name {one!r}": _post(one + b"\r\n", body=b"a=b&") for one in NAMES},
    **{f"line {one!r}": one + b"\r\n" + HOST + b"\r\n" for one in LINES},
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": _get(b"Host: evil.example\r\n"),
    "lines that end on LF": b"GET /healthz HTTP/1.1\nHost: hub.example\n\n",
    "lines that end on CR": b"GET /healthz HTTP/1.1\rHost: hub.example\r\r",
    "a header without end": _get(b"X: " + b"a" * 9000 + b"\r\n"),
    "two hundred headers": _get(b"".join(b"X-%d: 1\r\n" % n for n in range(200))),
}  # fmt: skip

MAY_BE_EITHER: dict[str, bytes] = {
    # Forms the standard lets a server take: then it takes them whole, and the next one as well.
    "two spaces": b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "no coding before chunks": _post(b"Transfer-Encoding: identity, chunked\r\n", body=END),
    "an empty line before": b"\r\n" + _get(),
    "a body nobody expects": _get(b"Content-Length: 4\r\n") + b"a=b&",
    "chunks nobody expects": _get(CHUNKED) + b"4\r\na=b&\r\n" + END,
    "an extension": _post(CHUNKED, body=b"4;a=b\r\na=b&\r\n" + END),
    "many zeros": _post(CHUNKED, body=b"0004\r\na=b&\r\n000\r\n\r\n"),
    "a trailer": _post(CHUNKED, body=b"4\r\na=b&\r\n0\r\nX: y\r\n\r\n"),
    "a trailer that is a length": _post(CHUNKED, body=b"4\r\na=b&\r\n0\r\nContent-Length: 40\r\n\r\n"),
    "zeros before a length": _post(b"Content-Length: 0004\r\n", body=b"a=b&"),
    "an address with its host": b"GET http://evil.example/healthz HTTP/1.1\r\n" + HOST + b"\r\n",
    "an upgrade": _get(b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"),
    "another upgrade": _get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
    "a coding in capitals": _post(b"TRANSFER-ENCODING: Chunked\r\n", body=b"4\r\na=b&\r\n" + END),
    "an expectation": _post(b"Content-Length: 4\r\nExpect: 100-continue\r\n", body=b"a=b&"),
    "an expectation nobody knows": _post(b"Content-Length: 4\r\nExpect: <script>\r\n", body=b"a=b&"),
    "a length in a Connection": _post(b"Connection: Content-Length\r\nContent-Length: 4\r\n", body=b"a=b&"),
    "a form refused unread": _post(b"Content-Type: text/plain\r\nContent-Length: 4\r\n", body=b"a=b&"),
}  # fmt: skip


@dataclass
class Served:
    """A served node of its own process."""

    port: int
    log: Path

    def say(self, sent: bytes) -> bytes:
        """Everything that is answered to these bytes until the line is closed."""
        with socket.create_connection(("127.0.0.1", self.port)) as line:
            line.settimeout(20)
            heard = b""
            try:
                line.sendall(sent)
                while piece := line.recv(65536):
                    heard += piece
            except ConnectionError:
                pass  # it hung up on what nobody wants to read
            return heard


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served")
    node = found(root / "node", "Сервис Плюс")
    port, log = free_port(), root / "log"
    command = [sys.executable, "-m", "hub", "--json", "serve", "--listen", f"127.0.0.1:{port}"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (
        log.open("wb") as told,
        subprocess.Popen(
            [*command, "--data", str(node.data)],
            stdout=subprocess.PIPE,
            stderr=told,
            env=environment,
        ) as process,
    ):
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        yield Served(port, log)
        process.terminate()
        assert process.wait(20) == 0


def statuses(heard: bytes) -> list[int]:
    """The status of each answer, by its own length."""
    found, rest = [], heard
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        found.append(int(lines[0].split(b" ")[1]))
        if found[-1] == 100:
            continue
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
        rest = rest[int(headers.get(b"content-length", b"0")) :]
    return found


LAST = NEXT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("how", MUST_BE_REFUSED)
def test_what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(
    served: Served, how: str
) -> None:
    answers = statuses(served.say(MUST_BE_REFUSED[how] + NEXT + LAST))
    # 400 and the end; or, where the head alone is right, the answer to it and then the end.
    assert len(answers) == 1, answers
    assert 400 <= answers[0] < 500, answers


@pytest.mark.parametrize("how", MAY_BE_EITHER)
def test_what_may_be_taken_is_taken_whole_or_the_line_is_closed(served: Served, how: str) -> None:
    answers = [one for one in statuses(served.say(MAY_BE_EITHER[how] + NEXT + LAST)) if one != 100]
    assert len(answers) in {1, 3}, answers
    assert answers[1:] in ([], [404, 404]), answers
    assert all(one < 500 for one in answers)


def test_a_plain_request_and_the_next_are_two(served: Served) -> None:
    form = b"email=a%40b.example&password=x"
    post = _post(
        b"Content-Type: application/x-www-form-urlencoded\r\n",
        b"Content-Length: %d\r\n" % len(form),
        body=form,
    )
    cut = [b"%x\r\n%s\r\n" % (len(one), one) for one in (form[:7], form[7:])]
    chunks = _post(
        b"Content-Type: application/x-www-form-urlencoded\r\n", CHUNKED, body=b"".join(cut) + END
    )
    assert statuses(served.say(_get() + post + chunks + LAST)) == [200, 422, 422, 404]


def test_there_are_as_many_cases_as_were_asked_for() -> None:
    assert len(MUST_BE_REFUSED) + len(MAY_BE_EITHER) >= 100


def test_what_is_no_request_is_answered_with_no_byte_of_it_and_logged_with_none(
    served: Served,
) -> None:
    secret = b"hub-cookie=c0ffee-live-session"
    for sent in (
        _get(b"Cookie: " + secret + b"\x00\r\n"),
        b"GET /<script>alert(1)</script> " + secret + b"\r\n\r\n",
        _get(b"X: " + secret + b"a" * 9000 + b"\r\n"),
        _get(b"Expect: " + secret + b"\r\n", b"Connection: close\r\n"),
    ):
        heard = served.say(sent)
        assert secret not in heard and b"script" not in heard, heard
        head = heard.partition(b"\r\n\r\n")[0].lower()
        assert b"x-content-type-options: nosniff" in head
        assert b"content-security-policy: default-src 'none'" in head
        assert b"aiohttp" not in head and b"python" not in head
    told = b""
    for _ in range(100):
        told = served.log.read_bytes()
        if told.count(b'"no_request"') >= 3:
            break
        time.sleep(0.05)
    assert told.count(b'"no_request"') >= 3
    assert secret not in told and b"Traceback" not in told and b"script" not in told
