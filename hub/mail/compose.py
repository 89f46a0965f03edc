"""Our letters: the one place where header lines are built, and the bytes are read again.

Python 3.11.7 lets an encoded subject smuggle in a header (CVE-2024-6923). So nothing with a control
in it comes in here, and what comes out is parsed and compared before anybody gets it.
"""

from __future__ import annotations

import html as markup
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import Header
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from hub.errors import Refused
from hub.mail.headers import one_line, readable, strict
from hub.mail.parse import HOPS_HEADER, LOOP_HEADER

SUBJECT_MAX: Final = 250
NAME_MAX: Final = 100
_POLICY: Final = policy.SMTP.clone(max_line_length=78)
_SAFE_TYPES: Final = frozenset({"image", "audio", "video", "application", "text"})


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A file that goes with a letter."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """What a letter says and where it belongs."""

    sender: str  # From, bare address
    sender_name: str
    recipient: str
    subject: str
    text: str
    html: str
    message_id: str  # without angle brackets
    at: datetime
    reply_to: str
    answers: str | None = None  # message id
    references: Sequence[str] = ()
    automatic: bool = False  # nobody wrote it: RFC 3834
    unsubscribe: str = ""  # address that ends such letters by one call: RFC 8058
    mark: str = ""
    hops: int = 0
    files: Sequence[Enclosed] = ()


def build(draft: Draft) -> bytes:
    """The bytes of this letter. Raises Refused(header_unsafe), Refused(address_invalid)."""
    message = EmailMessage(policy=_POLICY)
    wanted = _headers(draft)
    for name, value in wanted.items():
        if name != "Subject":
            message[name] = value
    message.set_content(draft.text, cte="quoted-printable")
    if draft.html:
        message.add_alternative(draft.html, subtype="html", cte="quoted-printable")
    for one in draft.files:
        kind, _slash, subtype = one.media_type.partition("/")
        if kind not in _SAFE_TYPES or kind == "text" or not subtype:
            kind, subtype = "application", "octet-stream"
        message.add_attachment(
            one.data, maintype=kind, subtype=subtype, filename=_checked(one.name[:200], "file")
        )
    raw = _subject_line(str(wanted["Subject"])) + message.as_bytes()
    _compare(raw, wanted)
    return raw


def _subject_line(subject: str) -> bytes:
    # Not as the other lines: there the library loses the space between two encoded words.
    charset = "us-ascii" if subject.isascii() else "utf-8"
    line = Header(subject, charset, maxlinelen=76, header_name="Subject")
    return f"Subject: {line.encode(linesep=_POLICY.linesep)}{_POLICY.linesep}".encode()


def _headers(draft: Draft) -> dict[str, str | HeaderAddress]:
    wanted: dict[str, str | HeaderAddress] = {
        "From": _mailbox(draft.sender, draft.sender_name),
        "To": _mailbox(draft.recipient, ""),
        "Subject": _checked(draft.subject, "subject")[:SUBJECT_MAX],
        "Date": format_datetime(draft.at),
        "Message-ID": f"<{_id(draft.message_id)}>",
        "Reply-To": _mailbox(draft.reply_to, draft.sender_name),
    }
    chain = [*draft.references, *([draft.answers] if draft.answers else [])]
    safe = [one for one in dict.fromkeys(chain) if _is_id(one)]
    if draft.answers and _is_id(draft.answers):
        wanted["In-Reply-To"] = f"<{draft.answers}>"
    if safe:
        wanted["References"] = " ".join(f"<{one}>" for one in safe[-10:])
    if draft.automatic:
        wanted["Auto-Submitted"] = "auto-generated" if draft.unsubscribe else "auto-replied"
        wanted["Precedence"] = "bulk"
    if draft.unsubscribe:
        wanted["List-Unsubscribe"] = f"<{_address(draft.unsubscribe)}>"
        wanted["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    wanted["X-Auto-Response-Suppress"] = "OOF, DR, RN, NRN, AutoReply"
    if draft.mark:
        wanted[LOOP_HEADER] = _checked(draft.mark, "mark")
    wanted[HOPS_HEADER] = str(draft.hops)
    return wanted


def _checked(text: str, what: str) -> str:
    """The text, if nothing in it could end a header line or pretend to be an encoded word."""
    if one_line(text) != " ".join(text.split(" ")).strip() or "=?" in text:
        text = readable(text) if "=?" in text else one_line(text)
    if any(not ch.isprintable() for ch in text) or "=?" in text:
        raise Refused("header_unsafe", "'{what}' has signs that no letter may have.", what=what)
    return text.strip()


def _mailbox(address: str, name: str) -> HeaderAddress:
    found = strict(address)
    if not found or not found.isascii():
        raise Refused(
            "address_invalid", "'{address}' is no address to write to.", address=address[:200]
        )
    return HeaderAddress(display_name=_checked(name[:NAME_MAX], "name"), addr_spec=found)


def _address(url: str) -> str:
    if not url.isascii() or not url.isprintable() or set(url) & set("<> ,"):
        raise Refused("header_unsafe", "'{what}' has signs that no letter may have.", what="url")
    return url


def _is_id(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and not set(text) & set("<> ")


def _id(text: str) -> str:
    if not _is_id(text):
        raise Refused("header_unsafe", "'{what}' has signs that no letter may have.", what="id")
    return text


_OF_THE_BODY: Final = frozenset(
    {"mime-version", "content-type", "content-transfer-encoding", "content-disposition"}
)


def _compare(raw: bytes, wanted: Mapping[str, object]) -> None:
    """Nothing stands in the bytes that was not wanted. Raises Refused(header_unsafe)."""
    again = message_from_bytes(raw, policy=policy.compat32)
    names = sorted(name.lower() for name in again if name.lower() not in _OF_THE_BODY)
    subject = readable("".join(str(again.get("subject", "")).splitlines()))
    same = names == sorted(name.lower() for name in wanted)
    if not same or subject != one_line(str(wanted["Subject"])) or again.defects:
        raise Refused(
            "header_unsafe",
            "'{what}' has signs that no letter may have.",
            what="letter",
            because=f"{names}",
        )


def as_html(paragraphs: Sequence[str], marker: str, footer: str, language: str) -> str:
    """These plain texts as a page: everything escaped, nothing fetched."""

    def shown(text: str) -> str:
        return markup.escape(text).replace("\n", "<br>\n")

    body = "\n".join(f"<p>{shown(one)}</p>" for one in paragraphs)
    return (
        f'<!DOCTYPE html>\n<html lang="{markup.escape(language)}">'
        '<head><meta charset="utf-8"></head>'
        f'<body>\n<div style="color:#667">{shown(marker)}</div>\n{body}\n'
        f'<div style="color:#667">{shown(footer)}</div>\n</body></html>\n'
    )
