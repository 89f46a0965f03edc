"""Header lines of strangers, read without believing that they are well made.

The standard library's own readers of structured headers raise, recurse and take time on hostile
input (a nested group in From, CVE-2023-27043); here every reading has a bound and an answer.
"""

from __future__ import annotations

import codecs
import email.errors
import re
from datetime import UTC, datetime
from email import policy
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any, Final

from charset_normalizer import from_bytes

from hub.domain.letter import Address

VALUE_MAX: Final = 16 * 1024  # characters of one header that are looked at
ADDRESSES_MAX: Final = 200  # of To and Cc that are remembered
IDS_MAX: Final = 100  # of References
_NESTED_MAX: Final = 20  # comments within comments
_LINES_MAX: Final = 2000  # header lines of one letter

_OF_PROGRAMS_MAX: Final = 60  # header lines that are kept to tell programs apart
_SHOWN_MAX: Final = 300  # characters of each
_NAME_MAX: Final = 60
_OF_ALL: Final = frozenset(
    [
        *("from", "to", "cc", "bcc", "subject", "date", "sender", "reply-to", "references"),
        *("message-id", "in-reply-to", "received", "return-path", "delivered-to", "x-original-to"),
        *("dkim-signature", "arc-seal", "arc-message-signature", "arc-authentication-results"),
        *("authentication-results", "received-spf", "mime-version", "content-type"),
        *("content-transfer-encoding", "x-received", "x-google-dkim-signature"),
    ]
)  # said of every letter, or told elsewhere

_ODD: Final = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
_ALIASES: Final = {"cp-1251": "cp1251", "win-1251": "cp1251", "koi8r": "koi8-r", "utf8mb4": "utf-8"}
_ID: Final = re.compile(r"<([^<>\s]{1,500})>")
_MAILBOX: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u0080-\U0010ffff-]{1,64}"
    r"@(?=.{1,253}\Z)[^\W_](?:[\w.-]*[^\W_])?\Z"
)


class Headers:
    """The header lines of one letter."""

    def __init__(self, message: Message[str, str]) -> None:
        self._lines = [
            (name.lower(), value) for name, value in list(message.raw_items())[:_LINES_MAX]
        ]

    def raw(self, name: str) -> list[str]:
        """Every value of this name, as it stood, in one line and at most so long."""
        wanted = name.lower()
        return [unfolded(value) for known, value in self._lines if known == wanted]

    def text(self, name: str) -> str:
        """The first value of this name as people read it: one line without controls."""
        found = self.raw(name)
        return readable(found[0]) if found else ""

    def has(self, name: str) -> bool:
        """Whether there is such a line."""
        return any(known == name.lower() for known, _value in self._lines)

    def of_programs(self) -> tuple[tuple[str, str], ...]:
        """Those by which a program makes itself known, as people read them, with small names."""
        return tuple(
            (name, readable(value)[:_SHOWN_MAX])
            for name, value in self._lines
            if name not in _OF_ALL and len(name) <= _NAME_MAX
        )[:_OF_PROGRAMS_MAX]


def unfolded(value: object) -> str:
    """A header value in one line; what it had that is no ASCII as surrogates, still."""
    text = value if isinstance(value, str) else str(value)
    return re.sub(r"\r\n|\r|\n", "", text)[:VALUE_MAX].strip()


def from_8bit(text: str) -> str:
    """Text whose bytes beyond ASCII were kept as surrogates, read in the charset they fit."""
    try:
        return text.encode("ascii").decode()
    except UnicodeEncodeError:
        return decoded(text.encode("utf-8", "surrogateescape"), "")


def decoded(data: bytes, charset: str) -> str:
    """These bytes as text: in the charset named, else in the one they fit best."""
    named = _ALIASES.get(charset.strip().strip("\"'").lower(), charset.strip().strip("\"'"))
    for one in (named, "utf-8"):
        try:
            if one and codecs.lookup(one).name.replace("-", "_") not in _ODD:
                return data.decode(one)
        except (LookupError, UnicodeError, ValueError):
            continue
    best = from_bytes(
        data[:65_536], cp_isolation=["cp1251", "koi8_r", "cp866", "latin_1", "utf_16", "gb18030"]
    ).best()
    encoding = "cp1251" if best is None else best.encoding
    return data.decode(encoding, "replace")


def readable(value: str) -> str:
    """A header as people read it: encoded words decoded, one line, nothing that controls."""
    try:
        pieces = decode_header(from_8bit(value))
    except (email.errors.HeaderParseError, ValueError, LookupError, RecursionError):
        pieces = [(from_8bit(value), None)]
    text = "".join(
        piece if isinstance(piece, str) else decoded(piece, charset or "")
        for piece, charset in pieces
    )
    return one_line(text)


def one_line(text: str) -> str:
    """The text without line ends and controls, in one line."""
    kept = "".join(ch if ch.isprintable() else " " for ch in text)
    return " ".join(kept.split())


def ids(values: list[str]) -> tuple[str, ...]:
    """The message ids these headers name, without their angle brackets."""
    found: dict[str, None] = {}
    for value in values:
        for one in _ID.findall(value):
            found[one_line(from_8bit(one))] = None
    return tuple(found)[-IDS_MAX:]


def addresses(values: list[str]) -> tuple[Address, ...]:
    """The mailboxes these headers name, as far as they can be told for certain."""
    found: list[Address] = []
    for value in values:
        found += _mailboxes(value)[0]
    return tuple(found[:ADDRESSES_MAX])


def author(values: list[str]) -> Address | None:
    """The one mailbox of From; None where there are several, none, or tricks."""
    if len(values) != 1:
        return None
    found, clean = _mailboxes(values[0])
    return found[0] if clean and len(found) == 1 else None


def _mailboxes(value: str) -> tuple[list[Address], bool]:
    """The mailboxes of one header, and whether nothing in it is doubtful."""
    text = from_8bit(value)
    if text.count("(") > _NESTED_MAX or text.count(":") > _NESTED_MAX or "\x00" in text:
        return [], False
    try:
        header: Any = policy.default.header_factory("to", text)
        groups = header.groups
        pairs = [(one.addr_spec, one.display_name) for one in header.addresses]
    except (
        RecursionError,
        ValueError,
        IndexError,
        AttributeError,
        LookupError,
        TypeError,
        AssertionError,
        email.errors.MessageError,
    ):
        return [], False
    grouped = any(group.display_name is not None for group in groups)
    clean = not grouped and not _doubtful(header.defects)
    found = []
    for address, name in pairs:
        if mailbox := strict(address):
            found.append(Address(mailbox, readable(name or "")[:200]))
        else:
            clean = False
    return found, clean


def _doubtful(defects: tuple[object, ...]) -> bool:
    """Whether something is wrong beyond letters that should have been encoded."""
    harmless = (
        email.errors.NonASCIILocalPartDefect,
        email.errors.ObsoleteHeaderDefect,
        email.errors.UndecodableBytesDefect,
        email.errors.InvalidBase64PaddingDefect,
    )
    return any(not isinstance(one, harmless) for one in defects)


def strict(address: str) -> str:
    """The address with its domain in lower case; empty where it is none we would write to."""
    address = address.strip()
    if not _MAILBOX.fullmatch(address) or ".." in address:
        return ""
    local, _at, domain = address.rpartition("@")
    if local.startswith(".") or local.endswith("."):
        return ""
    return f"{local}@{domain.lower()}"


def when(value: str) -> datetime | None:
    """The instant a Date header names; None where it names none."""
    try:
        found = parsedate_to_datetime(one_line(from_8bit(value))[:100])
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None
