"""A letter as it was read: what it claims, what it carries, what kind of letter it is.

Everything in it is somebody's claim. Who really wrote it is another question (`Standing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.domain.desk_letter import DeskLetter


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox. The address is `local@domain`, with the domain in lower case."""

    address: str
    name: str = ""

    @property
    def key(self) -> str:
        """The spelling under which two of them are the same mailbox."""
        return self.address.lower()


@dataclass(frozen=True, slots=True)
class LetterFile:
    """A part of the letter that is kept as a file."""

    name: str
    media_type: str
    content_id: str = ""  # by which the text shows it in place; empty: it does not
    path: str = ""  # where its bytes lie until they are in the store


class Wrapping(StrEnum):
    """What the letter is wrapped into, shown as such."""

    SIGNED = "signed"  # S/MIME or PGP; the signature is not checked here
    ENCRYPTED = "encrypted"  # nobody here can read it
    CALENDAR = "calendar"  # it carries an invitation
    WINMAIL = "winmail"  # Outlook's own envelope, kept as a file


class Automatic(StrEnum):
    """Why no person wrote it. Nothing of ours ever answers such a letter by itself."""

    BOUNCE = "bounce"  # a letter could not be delivered (RFC 3464)
    DELAYED = "delayed"  # a letter waits somewhere; nothing is decided
    RECEIPT = "receipt"  # it was delivered or opened
    ABSENCE = "absence"  # out of office
    LIST = "list"  # sent to many
    PROGRAM = "program"  # any other program


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a delivery report says of one recipient."""

    recipient: str = ""
    action: str = ""  # failed, delayed, delivered, relayed, expanded
    status: str = ""  # 5.1.1
    diagnostic: str = ""
    message_id: str = ""  # of the letter it is about


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter, read."""

    message_id: str
    subject: str
    author: Address | None  # the one mailbox in From; None where it is not one, or spoofed
    said_from: str  # what From says, for showing
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    date: datetime | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    text: str  # all of it as text
    words: str  # the newest words alone, without what is quoted and signed
    html: str  # sanitised, empty where there was none
    files: tuple[LetterFile, ...]
    wrappings: frozenset[Wrapping]
    automatic: Automatic | None
    bounces: tuple[Bounce, ...]
    loop: str  # the mark that a hub put there; empty: none
    hops: int  # how many hubs it went through
    verdicts: tuple[str, ...]  # its Authentication-Results lines, first one first
    list_id: str
    language: str  # ru | en, by its words
    fingerprint: str  # the same for two arrivals of one letter
    lines: tuple[tuple[str, str], ...] = ()  # header lines by which programs are told apart
    desk: DeskLetter | None = None  # what it says by the profile that knows it


class Standing(StrEnum):
    """What we know of whether the author's domain really sent it."""

    ALIGNED = "aligned"  # a check that passed stands for the domain of the author
    UNKNOWN = "unknown"  # nothing was checked, or what passed is about another domain
    FAILED = "failed"  # the domain of the author says that this is not its letter
