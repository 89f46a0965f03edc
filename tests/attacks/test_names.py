"""Families A12, A13, A14, B7, B10, B11: names of nodes, documents, keys and files."""

from __future__ import annotations

import ast
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub.actions import files, invitations
from hub.domain.comment import Visibility
from hub.errors import HubError
from hub.federation import linking
from hub.federation.door import JSON, Call, Reply
from hub.protocol.encoding import b64url
from hub.protocol.invitation import check_base_url
from hub.storage import attachments, handoffs, links
from tests.attacks.scene import Scene, descriptor, nothing_remains, rejected
from tests.kit.fake_peer import FakePeer
from tests.kit.program import program
from tests.kit.rows import changed, stored

HUB = Path(__file__).parents[2] / "hub"

# --- A12: one address has one spelling --------------------------------------------------------

OTHER_SPELLINGS = [
    "https://Hub.partner.example",
    "HTTPS://hub.partner.example",
    "https://hub.partner.example.",
    "https://hub.partner.example:443",
    "https://hub.partner.example:0443",
    "https://hub.partner.example:",
    "https://hub.partner.example/",
    "https://hub.partner.example/.",
    "https://hub.partner.example/a/..",
    "https://hub.partner.example//",
    "https://hub.partner.example/%61",
    "https://%68ub.partner.example",
    "https://hub.partner.example?",
    "https://hub.partner.example#",
    "https://@hub.partner.example",
    "https://user@hub.partner.example",
    "https://hub.partner.example\\",
    "https://hub。partner。example",
    "https://hub．partner.example",
    "https://ｈub.partner.example",
    "https://hub.\u200bpartner.example",
    "https://hub.pаrtner.example",
    "https://hub.partnér.example",
    "https://straße.example",
    "https://\thub.partner.example",
    "https://hub.partner.example\n",
    "https://127.1",
    "https://0x7f000001",
    "https://2130706433",
    "https://127.0.0.01",
    "https://[0:0:0:0:0:0:0:1]",
    "https://[::0001]",
    "https://[::1%25lo]",
]


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
async def test_another_spelling_of_an_address_is_no_address_of_a_node(
    scene: Scene, spelling: str
) -> None:
    a, peer = scene.a, FakePeer.of(scene.network, "Двойник")
    code = (await invitations.invite(a.hub, a.dispatcher, "Двойник")).code
    async with nothing_remains(scene):
        said = await peer.ask(a, code, offer_text=peer.offer_text(base_url=spelling))
        assert said.status in {400, 403, 422}, said
    assert (await peer.ask(a, code)).status == 202  # as it must be written


@pytest.mark.parametrize(
    "base",
    ["https://hub.partner.example", "https://xn--e1afmkfd.xn--p1ai", "https://h.example:8443/hub/b",
     "http://127.0.0.1:8101", "https://[::1]", "https://[2a02:6b8::feed:ff]:8443"],
)  # fmt: skip
def test_the_one_spelling_of_an_address_is_taken(base: str) -> None:
    check_base_url(base)


async def test_whoever_calls_itself_like_a_partner_is_shown_to_people(scene: Scene) -> None:
    """Names are for people: the node tells partners apart by what is pinned, and people by this."""
    a, twin = scene.a, FakePeer.of(scene.network, "Двойник Юга")
    code = (await invitations.invite(a.hub, a.dispatcher, "Кто-то")).code
    said = await twin.ask(
        a, code, offer_text=twin.offer_text(name=scene.b.name, base_url=scene.b.base_url)
    )
    assert said.status == 202
    from hub.storage import audit

    kinds = [one.kind for one in await a.hub.db.read(audit.open_alerts)]
    assert kinds == ["identity_changed"]
    kept = await a.hub.db.read(lambda c: links.get(c, scene.b.link_id))
    assert kept.peer_node_id == scene.b.node_id
    await scene.b.ping()


# --- A13: a document is one only at its place, with its type ----------------------------------

DOCUMENT_TYPES = ["text/html", "text/plain", "application/octet-stream", "application/jose",
                  "application/problem+json", "multipart/mixed"]  # fmt: skip


@pytest.mark.parametrize("how", [*DOCUMENT_TYPES, "redirect", "moved for good"])
async def test_a_discovery_document_of_another_type_or_place_is_not_believed(
    scene: Scene, how: str
) -> None:
    a, peer = scene.a, FakePeer.of(scene.network, "Каталог")
    status = {"redirect": 302, "moved for good": 308}.get(how, 200)
    kind = how if "/" in how else JSON
    headers = {"content-type": kind, "location": f"{peer.base_url}/elsewhere"}
    peer.script = lambda call: (
        Reply(status, headers, peer.document()) if call.target == "/.well-known/txp" else None
    )
    before = await stored(a.hub)
    with pytest.raises(HubError):
        await linking.accept(a.hub, a.transport, a.dispatcher, peer.invite(), None)
    assert changed(before, await stored(a.hub)) == []
    assert [call.target for call in peer.calls] == ["/.well-known/txp"]


async def test_a_file_that_looks_like_our_document_is_served_as_a_file(scene: Scene) -> None:
    """A's door serves it by its digest only, as bytes of no type, to those it was shown to."""
    from io import BytesIO

    a, b = scene.a, scene.b
    document = b.document()
    for name in (".well-known/txp", "txp", "../../.well-known/txp"):
        new = files.store(a.hub, name, "application/json", BytesIO(document))
        await files.add(a.hub, a.dispatcher, scene.with_b.ticket, [new], Visibility.PUBLIC)
    await scene.network.run_until_idle()
    ours = await b.call("GET", "/.well-known/txp", base=a.settings.url)
    assert ours.members["document"] != json.loads(document)["document"]
    digest = b64url(sha256(document).digest())
    door = scene.network.wire.doors[a.settings.url]
    reply = await door.answer(b.signed("GET", f"{b.path}/blobs/{digest}"))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/octet-stream")
    for path in ("/.well-known/txp/x", "/files/.well-known/txp", f"/.well-known/{digest}"):
        assert (await b.call("GET", path, base=a.settings.url)).status == 404


# --- A14: randomness --------------------------------------------------------------------------


def test_nothing_secret_is_made_with_a_generator_that_can_be_guessed() -> None:
    """Only the clock's module knows `random`, for the jitter of retries; keys come from `secrets`."""
    guilty = set()
    for path in HUB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if {name.split(".")[0] for name in names} & {"random", "uuid"}:
                guilty.add(path.relative_to(HUB).as_posix())
    assert guilty <= {"clock.py"}


# --- B7: strangers ----------------------------------------------------------------------------


async def test_five_hundred_subdomains_of_one_attacker_leave_nothing(scene: Scene) -> None:
    """There is no asking without an invitation, so there is nothing to fill."""
    a, peer = scene.a, FakePeer.of(scene.network, "Рой")
    invitation = FakePeer.of(scene.network, "чужой").invite()
    async with nothing_remains(scene):
        for n in range(500):
            base = f"https://n{n}.attacker.example"
            said = await peer.ask(a, invitation, offer_text=peer.offer_text(base_url=base))
            assert (said.status, said.code) == (404, "not_found")


# --- B11: names of files ----------------------------------------------------------------------

FILE_NAMES = [
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\windows\\win.ini",
    "C:\\CON",
    "CON",
    "nul.txt",
    ".htaccess",
    "a\u202egnp.exe",
    "\u2066b\u2069.pdf",
    "x" * 255,
    "a\nContent-Type: text/html",
    'a"; filename="b.html',
    "a%00.png",
    "; rm -rf ~",
    "index.html",
    "-rf",
    " ",
    "..",
]


@pytest.mark.parametrize("name", FILE_NAMES, ids=[repr(name[:20]) for name in FILE_NAMES])
async def test_a_name_of_a_file_is_a_label_and_never_a_path(scene: Scene, name: str) -> None:
    a, b = scene.a, scene.b
    words = f"file {name!r}".encode()
    digest = b64url(sha256(words).digest())
    named = descriptor(b, sha256=digest, size=len(words), name=name)
    before = _tree(a.settings.data)
    b.script = lambda call: _file(b, call, words) if "/blobs/" in call.target else None
    try:
        await b.say("comment.add", b.comment_data(files=[named]), handoff=scene.with_b.theirs)
        await scene.network.run_until_idle()
    finally:
        b.script = lambda _call: None
    found = await _attachment(scene, digest)
    assert found.state == "available"
    new = _tree(a.settings.data) - before
    assert {path.name for path in new} == {digest}
    async with program(a) as client:
        ticket = await scene.a.hub.db.read(
            lambda c: handoffs.find(c, scene.with_b.theirs).ticket_id  # type: ignore[union-attr]
        )
        got = await client.call("GET", f"/tickets/{ticket}/files/{found.id}")
    assert (got.status, got.raw) == (200, words)
    shown = got.headers["Content-Disposition"]
    assert shown.startswith("attachment")
    assert not set(shown) & set("\r\n\u202e\u2066")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got.headers["Content-Security-Policy"]


TOO_LONG = ["", "x" * 256, "x" * 4096]


async def test_a_name_that_is_none_or_too_long_is_refused(scene: Scene) -> None:
    b = scene.b
    messages = [
        b.message(
            "comment.add",
            b.comment_data(files=[descriptor(b, name=name)]),
            handoff=scene.with_b.theirs,
        )
        for name in TOO_LONG
    ]
    for answer in await rejected(scene, *messages):
        assert answer["code"] == "schema_invalid"
        assert "files[0].name" in answer["detail"]


DIGESTS = ["..", "../../hub.db", "..%2f..%2fhub.db", "/etc/passwd", "a" * 4096, "%00", "A" * 42,
           "A" * 44, "con", ".", "A" * 42 + "=", "A" * 40 + "../"]  # fmt: skip


@pytest.mark.parametrize("digest", DIGESTS, ids=[one[:20] for one in DIGESTS])
async def test_only_a_digest_is_asked_of_the_store(scene: Scene, digest: str) -> None:
    async with nothing_remains(scene):
        said = await scene.b.call("GET", f"{scene.b.path}/blobs/{digest}")
        assert (said.status, said.code) == (404, "not_found")


# --- B10: what is inside a file ---------------------------------------------------------------

POLYGLOTS: dict[str, tuple[str, bytes]] = {
    "svg with an entity": (
        "image/svg+xml", b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'),
    "png of 60,000 squared": ("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60"),
    "gif that is a script": ("image/gif", b"GIF89a/*<script>*/=alert(1)//"),
    "pdf that is a page": ("application/pdf", b"%PDF-1.4\n<html><script>alert(1)</script>"),
    "postscript": ("image/x-eps", b"%!PS\n(/etc/passwd) (r) file"),
    "an archive with a link": ("application/zip", b"PK\x03\x04 ../../etc/passwd"),
}  # fmt: skip


@pytest.mark.parametrize("how", POLYGLOTS)
async def test_a_hostile_file_is_given_back_as_it_came_and_never_looked_into(
    scene: Scene, how: str
) -> None:
    a, b = scene.a, scene.b
    media_type, words = POLYGLOTS[how]
    digest = b64url(sha256(words).digest())
    named = descriptor(b, sha256=digest, size=len(words), name="a.bin", media_type=media_type)
    b.script = lambda call: _file(b, call, words) if "/blobs/" in call.target else None
    try:
        await b.say("comment.add", b.comment_data(files=[named]), handoff=scene.with_b.theirs)
        await scene.network.run_until_idle()
    finally:
        b.script = lambda _call: None
    found = await _attachment(scene, digest)
    async with program(a) as client:
        ticket = await a.hub.db.read(
            lambda c: handoffs.find(c, scene.with_b.theirs).ticket_id  # type: ignore[union-attr]
        )
        got = await client.call("GET", f"/tickets/{ticket}/files/{found.id}")
    assert got.raw == words
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got.headers["Content-Security-Policy"]


def test_nothing_in_the_nodes_process_decodes_a_file() -> None:
    """No library that opens pictures, pages, archives or XML is imported but where it is said."""
    openers = {"PIL", "xml", "lxml", "zipfile", "tarfile", "gzip", "bz2", "lzma", "pickle",
               "cv2", "fitz", "pypdf", "magic", "imghdr", "shelve", "marshal"}  # fmt: skip
    found = set()
    for path in HUB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {
                    (path.name, one.name) for one in node.names if one.name.split(".")[0] in openers
                }
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in openers:
                found.add((path.name, node.module or ""))
    # The backup and evidence bundles are archives of our own making, so are the console's styles.
    assert {name for name, _ in found} - ARCHIVISTS <= READERS


ARCHIVISTS = {"backups.py", "backup.py", "bundle.py", "bundles.py", "evidence.py", "archive.py",
              "assets.py"}  # fmt: skip
READERS = {"html.py", "desk_reading.py", "pictures.py"}
"""HTML of letters and images: each read in a process of its own, within time and memory."""


def _tree(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file() and not path.name.startswith("hub.")}


def _file(b: FakePeer, call: Call, words: bytes) -> Reply:
    from hub.protocol import http_signatures
    from hub.protocol.http_signatures import HttpRequest, HttpResponse

    headers = {"content-type": "application/octet-stream", "content-length": str(len(words))}
    asked = HttpRequest(call.method, b.base_url + call.target, call.headers, call.body)
    made = http_signatures.sign_response(HttpResponse(200, headers, b""), asked, b.keys.http, b.now)
    return Reply(200, {**headers, **made}, words)


async def _attachment(scene: Scene, digest: str) -> Any:
    def look(connection: Any) -> Any:
        handoff = handoffs.find(connection, scene.with_b.theirs)
        assert handoff is not None
        every = attachments.of_ticket(connection, handoff.ticket_id)
        return next(one for one in every if one.sha256 == digest)

    return await scene.a.hub.db.read(look)
