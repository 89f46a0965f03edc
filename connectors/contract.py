"""What the hub asks of whoever speaks with a foreign desk, and what it hands in for that.

A connector carries; it decides nothing. It keeps no state of its own: what it must remember comes
back to the host as a cursor or goes into the vault. It never sleeps, never retries a write by
itself and never invents a value: what it cannot say is an error, and errors are sorted by what
must happen next.

Promises every connector keeps, whatever the desk does (connectors/conformance shows them):

- **Done once.** `create`, `comment` and `attach` look for an earlier attempt's result where there
  may be one, so that a desk that did it and answered 500 ends with one of it, not two.
- **Believed only when seen.** A write that returns was read back; a desk that says "200" and does
  something else is a refusal.
- **Private unless public.** What a desk does not clearly call public is private, both ways.
- **Nothing dropped.** A value without a translation is handed over as `Unknown`, never guessed.
- **Ours is known as ours.** What our account over there wrote is marked `by_us`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

STATUSES: Final = ("new", "open", "in_progress", "pending", "resolved", "closed", "cancelled")
"""Our words for where a ticket stands; a desk's own words are translated by its template."""

PRIORITIES: Final = ("low", "normal", "high", "urgent")
"""Our words for how much it matters."""


class DeskError(Exception):
    """Anything a connector can explain. Whatever is not a DeskError is a bug of the connector."""

    def __init__(self, code: str, told: str, *, because: str = "", **facts: str) -> None:
        """`told` is a message id for people with `{name}` places; `because` is for the log."""
        super().__init__(code, told)
        self.code = code
        self.message_id = told
        self.because = because
        self.facts: Mapping[str, str] = facts

    @property
    def told(self) -> str:
        """The English text."""
        return self.message_id.format_map(self.facts)

    def __str__(self) -> str:
        return f"{self.code}: {self.told}" + (f" ({self.because})" if self.because else "")


class Refused(DeskError):  # noqa: N818 - what happened
    """The desk says no to this one thing. Asking again changes nothing; a person must look."""


class Gone(Refused):
    """The ticket is not there any more: deleted, moved out of sight, or never was."""


class Untrusted(DeskError):  # noqa: N818 - what happened
    """What claims to come from the desk cannot be believed."""


class Unavailable(DeskError):  # noqa: N818 - what happened
    """Not now. A write may have been done nonetheless: say `again` at the next try."""

    def __init__(
        self,
        code: str,
        told: str,
        *,
        because: str = "",
        after: timedelta | None = None,
        **facts: str,
    ) -> None:
        """`after` is how long the desk asked us to wait."""
        super().__init__(code, told, because=because, **facts)
        self.after = after


class Misconfigured(DeskError):  # noqa: N818 - what happened
    """Nothing will work until somebody changes the configuration, here or over there."""


# ---------------------------------------------------------------- what the host hands in


@dataclass(frozen=True, slots=True)
class File:
    """Bytes to send; `open` may be called again, each time from the beginning."""

    name: str
    content_type: str
    size: int
    open: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form."""

    name: str
    value: str | File
    content_type: str = ""  # of a text part, where the desk cares


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. The transport encodes forms and streams files."""

    method: str
    url: str  # absolute, already encoded; may hold a secret (some desks want it there): log `safe`
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | File | Sequence[Part] | None = None
    safe: str = ""  # the address without query and secrets


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of any status. Header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Download:
    """An answer whose body is still arriving; read `chunks` once."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Transport(Protocol):
    """The only way out. Where it may connect is its own decision, not the connector's."""

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """The whole answer.

        Raises:
            Unavailable: no usable answer; the desk may have acted.
            Refused: this address may not be called.
        """
        ...

    def stream(self, request: Request) -> AbstractAsyncContextManager[Download]:
        """The same with a body read as it comes."""
        ...


class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """An instant with its zone, UTC."""
        ...


class Vault(Protocol):
    """The secrets of one desk. What a desk gives us to keep (a refreshed token) goes back in."""

    def read(self, name: str) -> str | None:
        """The secret; None where there is none."""
        ...

    async def write(self, name: str, value: str) -> None:
        """Keep it: after this returns it survives a crash."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """Everything a connector may touch."""

    transport: Transport
    clock: Clock
    vault: Vault
    settings: Mapping[str, Any]  # what the administrator filled in for this desk


# ---------------------------------------------------------------- what a connector hands over


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote something over there."""

    id: str = ""
    name: str = ""
    email: str = ""
    by_us: bool = False  # our own account on that desk


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value over there that no rule translates: shown to a person, the rest goes on."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """A file over there; `ref` is what `download` takes."""

    id: str
    name: str
    ref: str
    size: int | None = None
    content_type: str = "application/octet-stream"
    public: bool = False
    author: Author = field(default_factory=Author)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ForeignComment:
    """A comment over there. Anything not clearly public is private."""

    id: str
    body: str
    at: datetime
    author: Author
    public: bool = False
    html: bool = False
    files: tuple[ForeignFile, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignTicket:
    """A ticket over there, whole, in our words where there are rules for it."""

    id: str
    title: str
    number: str = ""  # what people over there call it
    url: str = ""
    description: str = ""
    html: bool = False
    status: str | None = None  # of STATUSES; None: unknown or not told
    status_there: str = ""
    priority: str | None = None  # of PRIORITIES
    assigned: bool = True  # to us, or to whoever we work for over there
    requester: Author = field(default_factory=Author)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    marker: str = ""  # the one we left when we made it
    merged_into: str = ""  # its id now, where somebody merged it away
    comments: tuple[ForeignComment, ...] = ()
    files: tuple[ForeignFile, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    unknown: tuple[Unknown, ...] = ()
    every_comment: bool = False  # whichever is not among them was deleted, or hidden from us


@dataclass(frozen=True, slots=True)
class Failed:
    """One ticket that could not be read: it waits alone, the others go on."""

    id: str
    error: DeskError


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what changed. Keep `cursor` together with what the page brought, or neither."""

    tickets: tuple[ForeignTicket, ...]
    gone: tuple[str, ...]
    failed: tuple[Failed, ...]
    cursor: str
    requests: int = 0  # how many it took


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to be made over there. `marker` is ours and unique: it finds it again."""

    marker: str
    title: str
    description: str = ""
    status: str = "new"
    priority: str = "normal"
    requester: Author = field(default_factory=Author)
    number: str = ""  # what our people call it
    url: str = ""  # where they see it
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Created:
    """Where it is now. `existed` says that an earlier attempt had made it."""

    id: str
    number: str = ""
    url: str = ""
    existed: bool = False


@dataclass(frozen=True, slots=True)
class NewComment:
    """A comment to be written over there."""

    body: str
    public: bool
    author: str = ""  # who says it, for desks that show it in the text
    key: str = ""  # ours and unique, for desks that keep such keys


@dataclass(frozen=True, slots=True)
class Change:
    """What shall be different over there; None is left alone."""

    status: str | None = None
    priority: str | None = None
    title: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""  # why, where a desk demands a reason


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook as it arrived: raw bytes, header names in lower case."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Hint:
    """A webhook says that something about a ticket changed. Look; do not take its word."""

    ticket: str
    delivery: str = ""  # the same for a repeated delivery
    content: ForeignTicket | None = None  # only from desks that can tell us in no other way


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"  # works, but something will not be carried
    ERROR = "error"  # does not work


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `check`: what was looked at, what was found, what to do over there."""

    what: str
    level: Level
    told: str
    cure: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this desk can do at all; the host never asks for the rest."""

    pull: bool = True
    fetch: bool = True
    create: bool = True
    comment: bool = True
    private_comments: bool = True
    attach: bool = True
    private_files: bool = True
    set_status: bool = True
    find: bool = True  # a ticket by our marker
    webhooks: bool = False
    max_file_bytes: int | None = None


class Connector(Protocol):
    """One desk, spoken to through one account over there."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def check(self) -> Sequence[Finding]:
        """What is missing before it can work: address, account, rights, fields, statuses.

        Changes nothing over there. Raises nothing: what fails is a finding.
        """
        ...

    def pull(self, cursor: str | None) -> AsyncIterator[Page]:
        """All that changed since the cursor, page by page; None begins with now.

        What changed may come twice; it never fails to come. Raises only what concerns the desk
        as a whole; what concerns one ticket is in the page.
        """
        ...

    def open_tickets(self) -> AsyncIterator[Page]:
        """Every open ticket: for a first filling and for full comparison. Cursors are empty."""
        ...

    async def fetch(self, ticket_id: str) -> ForeignTicket:
        """One ticket, whole.

        Raises:
            Gone: it is not there.
        """
        ...

    async def find(self, marker: str) -> str | None:
        """The id of the ticket that bears our marker, if there is one."""
        ...

    async def create(self, wish: NewTicket) -> Created:
        """One ticket with this marker is there, however often this is called."""
        ...

    async def comment(
        self, ticket_id: str, wish: NewComment, *, known: Collection[str], again: bool = False
    ) -> str:
        """The comment is there; its id.

        `known` are the ids of comments that are something else; with `again` an earlier attempt
        may have done it already.
        """
        ...

    async def attach(
        self,
        ticket_id: str,
        wish: File,
        *,
        public: bool,
        known: Collection[str],
        again: bool = False,
    ) -> str:
        """The file is there, whole; its id. `known` and `again` as with comments."""
        ...

    async def change(self, ticket_id: str, wish: Change) -> ForeignTicket:
        """The ticket as it is afterwards, with everything as wished.

        Raises:
            Refused: `not_taken`: the desk did not do it, whatever it answered.
        """
        ...

    def download(self, ref: str) -> AsyncIterator[bytes]:
        """A file's bytes.

        Raises:
            Unavailable: `cut_off`: fewer bytes came than were announced.
        """
        ...

    def receive(self, call: Call) -> Sequence[Hint]:
        """What a webhook points at. Reads nothing else.

        Raises:
            Untrusted: its signature is missing, wrong or old.
        """
        ...
