"""Raw bytes → a `Letter`: pure, bounded, the same for the same bytes.

Whatever the bytes are, either a letter comes out or `Unreadable` is raised. It runs in a process
of its own (`reader.py`), so that even what was not thought of here costs one letter only.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message
from typing import Final

from hub.domain.letter import Automatic, Letter, LetterFile, Wrapping
from hub.errors import Refused
from hub.mail import automatic, headers, html, replies
from hub.mail.headers import Headers
from hub.mail.reply_words import ANSWERED

PARTS_MAX: Final = 1000  # parts of one letter
DEPTH_MAX: Final = 40  # parts within parts
MULTIPARTS_MAX: Final = 300  # the library takes the square of them
HEADER_MAX: Final = 1024 * 1024  # bytes before the first empty line
TEXT_MAX: Final = 512 * 1024  # characters of all texts together
SUBJECT_MAX: Final = 500
LOOP_HEADER: Final = "X-Hub-Loop"
HOPS_HEADER: Final = "X-Hub-Hops"

_MULTIPART: Final = re.compile(rb"content-type:\s{0,5}multipart/", re.IGNORECASE)

_PICTURE: Final = re.compile(
    r"<img\b[^<>]{0,2000}?\bsrc\s{0,3}=\s{0,3}[\"']?cid:([^\"'<>\s]{1,300})[^<>]{0,2000}>",
    re.IGNORECASE,
)

Keep = Callable[[int, bytes], str]
"""Takes the bytes of the n-th file of a letter somewhere; says where."""


class Unreadable(Refused):
    """It is no letter, or one built to break whoever reads it. It is kept whole for a person."""

    def __init__(self, because: str) -> None:
        super().__init__("letter_unreadable", "This letter cannot be read.", because=because)


@dataclass(slots=True)
class _Found:
    """What was found on the way through the parts."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    files: list[LetterFile] = field(default_factory=list)
    wrappings: set[Wrapping] = field(default_factory=set)
    parts: int = 0
    characters: int = 0


def parse(raw: bytes, keep: Keep) -> Letter:
    """The letter these bytes are. Raises Unreadable, and nothing else."""
    _check(raw)
    try:
        return _parse(raw, keep)
    except (RecursionError, MemoryError) as error:
        raise Unreadable(f"{type(error).__name__}: built to break readers") from error
    except Unreadable:
        raise
    except Exception as error:  # the library raises whatever it likes
        raise Unreadable(f"{type(error).__name__}: {error}"[:500]) from error


def _check(raw: bytes) -> None:
    end = re.search(rb"\r?\n\r?\n", raw[: HEADER_MAX + 4])
    if end is None and len(raw) > HEADER_MAX:
        raise Unreadable("the header lines never end")
    if not raw.strip():
        raise Unreadable("it is empty")
    if sum(1 for _found in _MULTIPART.finditer(raw)) > MULTIPARTS_MAX:
        raise Unreadable("too many parts within parts")


def _parse(raw: bytes, keep: Keep) -> Letter:
    # Not policy.default: that one reads structured headers at the least touch, with its holes.
    message: Message[str, str] = message_from_bytes(raw, policy=policy.compat32)
    lines = Headers(message)
    found = _Found()
    _walk(message, found, keep, 0, shown=True)
    author = headers.author(lines.raw("from"))
    clean_html = "\n<hr>\n".join(html.cleaned(one) for one in found.html)
    text = "\n\n".join(one for one in found.plain if one.strip())
    if len(text.strip()) < _STUB and found.html:
        text = "\n\n".join(html.as_text(_named(one, found)) for one in found.html).strip() or text
    text = _in_place(_printable(text)[:TEXT_MAX], found)
    words = replies.extract(text)
    subject = _subject(lines)
    kind = automatic.kind(lines, message, author)
    if kind is None and automatic.tells_of_failure(text):
        kind = Automatic.PROGRAM  # a ticket it may be; an acknowledgement it gets none
    return Letter(
        message_id=_message_id(lines),
        subject=subject,
        author=author,
        said_from=lines.text("from")[:500],
        to=headers.addresses(lines.raw("to")),
        cc=headers.addresses(lines.raw("cc")),
        reply_to=headers.addresses(lines.raw("reply-to")),
        date=headers.when((lines.raw("date") or [""])[0]),
        in_reply_to=headers.ids(lines.raw("in-reply-to")),
        references=headers.ids(lines.raw("references")),
        text=text,
        words=words,
        html=clean_html,
        files=tuple(found.files),
        wrappings=frozenset(found.wrappings),
        automatic=kind,
        bounces=automatic.bounces(message),
        loop=lines.text(LOOP_HEADER)[:200],
        hops=_number(lines.text(HOPS_HEADER)),
        verdicts=tuple(
            headers.one_line(headers.from_8bit(one))
            for one in lines.raw("authentication-results")[:20]
        ),
        list_id=lines.text("list-id")[:300],
        language=_language(f"{subject}\n{words or text[:5000]}"),
        fingerprint=_fingerprint(raw, lines),
        lines=lines.of_programs(),
    )


def _named(page: str, found: _Found) -> str:
    """The page with the names of the pictures that came with it in their places."""
    names = {one.content_id: one.name for one in found.files if one.content_id}

    def name_of(picture: re.Match[str]) -> str:
        return f"[{names[picture.group(1)]}]" if picture.group(1) in names else picture.group(0)

    return _PICTURE.sub(name_of, page) if names else page


def _in_place(text: str, found: _Found) -> str:
    """The same where the text part names them as Outlook does: `[cid:image001.png@01D…]`."""
    for one in found.files:
        if one.content_id:
            text = text.replace(f"[cid:{one.content_id}]", f"[{one.name}]")
    return text


_STUB: Final = 3  # fewer characters of plain text are no text


def _message_id(lines: Headers) -> str:
    for value in lines.raw("message-id"):
        if found := headers.ids([value]):
            return found[0]
        # Spaces in an id are not allowed and happen; a reply quotes it the same way.
        if bare := headers.one_line(headers.from_8bit(value)).strip("<> "):
            return bare[:500]
    return ""


def _subject(lines: Headers) -> str:
    return lines.text("subject")[:SUBJECT_MAX]


def bare_subject(subject: str) -> str:
    """The subject without what programs put before it when answering."""
    for _again in range(10):
        found = ANSWERED.match(subject)
        if found is None:
            break
        subject = subject[found.end() :]
    return subject.strip()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _language(text: str) -> str:
    cyrillic = sum("\u0430" <= ch <= "\u0451" for ch in text[:5000].lower())
    latin = sum("a" <= ch <= "z" for ch in text[:5000].lower())
    return "ru" if cyrillic * 2 > latin else "en"


def _printable(text: str) -> str:
    """The text without what cannot be stored or shown: controls and halves of characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.encode("utf-8", "replace").decode()
    return "".join(ch for ch in text if ch in "\n\t" or ch.isprintable() or ch == "\u00a0")


_MEANT: Final = ("message-id", "date", "from", "subject", "content-type")


def _fingerprint(raw: bytes, lines: Headers) -> str:
    """The same for one letter that came two ways: what servers put on top does not count."""
    digest = hashlib.sha256()
    for name in _MEANT:
        for value in lines.raw(name):
            digest.update(f"{name}:{' '.join(value.split())}\n".encode("utf-8", "surrogatepass"))
    parts = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)
    body = parts[1] if len(parts) > 1 else b""
    digest.update(body.replace(b"\r\n", b"\n").rstrip())
    return digest.hexdigest()


# --- parts ----------------------------------------------------------------------------------


def _walk(part: Message[str, str], found: _Found, keep: Keep, depth: int, *, shown: bool) -> None:
    found.parts += 1
    if found.parts > PARTS_MAX or depth > DEPTH_MAX:
        raise Unreadable("too many parts")
    kind = part.get_content_type()
    _note_wrapping(part, kind, found)
    inner = automatic.parts_of(part)
    if kind == "multipart/encrypted":
        found.wrappings.add(Wrapping.ENCRYPTED)
    if kind.startswith("message/") and inner:
        if kind in {"message/delivery-status", "message/global-delivery-status"}:
            return  # told as a bounce
        _keep_letter(part, inner[0], found, keep)
        return
    if inner:
        for one in inner:
            _walk(one, found, keep, depth + 1, shown=shown)
        return
    _leaf(part, kind, found, keep)


def _note_wrapping(part: Message[str, str], kind: str, found: _Found) -> None:
    if kind in {
        "multipart/signed",
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
    }:
        found.wrappings.add(Wrapping.SIGNED)
    elif kind in {"application/pkcs7-mime", "application/x-pkcs7-mime"}:
        said = str(part.get_param("smime-type", "") or "").lower()
        found.wrappings.add(Wrapping.SIGNED if "signed" in said else Wrapping.ENCRYPTED)
    elif kind == "application/pgp-encrypted":
        found.wrappings.add(Wrapping.ENCRYPTED)
    elif kind == "text/calendar":
        found.wrappings.add(Wrapping.CALENDAR)
    elif kind == "application/ms-tnef":
        found.wrappings.add(Wrapping.WINMAIL)


def _leaf(part: Message[str, str], kind: str, found: _Found, keep: Keep) -> None:
    name = _file_name(part)
    if name.lower() == "winmail.dat":
        found.wrappings.add(Wrapping.WINMAIL)
    attached = _disposition(part) == "attachment" or (name and kind != "text/html")
    if kind.startswith("multipart/"):
        kind = "text/plain"  # its boundary is nowhere: what stands there can still be read
    if kind in {"text/plain", "text/html", "text/enriched"} and not attached:
        data = _bytes(part)
        text = headers.decoded(data, str(part.get_param("charset", "") or ""))
        room = TEXT_MAX - found.characters
        if len(text) <= room:
            (found.html if kind == "text/html" else found.plain).append(text)
            found.characters += len(text)
            if "-----BEGIN PGP MESSAGE-----" in text:
                found.wrappings.add(Wrapping.ENCRYPTED)
            elif "-----BEGIN PGP SIGNED MESSAGE-----" in text:
                found.wrappings.add(Wrapping.SIGNED)
            return
        name = name or ("letter.html" if kind == "text/html" else "letter.txt")
    data = _bytes(part)
    if not data and not name:
        return
    content_id = headers.one_line(headers.from_8bit(str(part.get("content-id", "")))).strip("<> ")
    _keep(found, keep, name or _name_for(kind), kind, data, content_id)


def _disposition(part: Message[str, str]) -> str:
    return str(part.get("content-disposition", "")).partition(";")[0].strip().lower()


def _bytes(part: Message[str, str]) -> bytes:
    """The decoded bytes of a part; as they stand where the encoding is broken."""
    try:
        data = part.get_payload(decode=True)
    except (ValueError, binascii.Error, LookupError, AssertionError, TypeError):
        data = None
    if isinstance(data, bytes):
        return data
    said = part.get_payload()
    return said.encode("utf-8", "surrogateescape") if isinstance(said, str) else b""


def _file_name(part: Message[str, str]) -> str:
    try:
        said = part.get_filename() or ""
    except (ValueError, LookupError, TypeError, IndexError, AttributeError):
        return "file"
    return headers.readable(str(said))[:255]


_ENDINGS: Final = {
    "image/png": "image.png",
    "image/jpeg": "image.jpg",
    "image/gif": "image.gif",
    "text/calendar": "invite.ics",
    "application/pdf": "document.pdf",
    "text/csv": "table.csv",
    "application/pgp-signature": "signature.asc",
    "application/pkcs7-signature": "smime.p7s",
    "application/pkcs7-mime": "smime.p7m",
    "application/ms-tnef": "winmail.dat",
}


def _name_for(kind: str) -> str:
    return _ENDINGS.get(kind, "file")


def _keep_letter(
    part: Message[str, str], inner: Message[str, str], found: _Found, keep: Keep
) -> None:
    """A letter within the letter is kept as a file."""
    try:
        data = inner.as_bytes(policy=policy.compat32)
    except (ValueError, LookupError, TypeError, AttributeError, KeyError):
        data = str(inner.get_payload())[:TEXT_MAX].encode("utf-8", "replace")
    name = _file_name(part) or f"{bare_subject(_subject(Headers(inner)))[:100] or 'letter'}.eml"
    _keep(found, keep, name, "message/rfc822", data, "")


def _keep(found: _Found, keep: Keep, name: str, kind: str, data: bytes, content_id: str) -> None:
    path = keep(len(found.files), data)
    found.files.append(LetterFile(name, kind, content_id[:300], path))
