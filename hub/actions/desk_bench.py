"""Working on a desk before it works: what doors may ask of whoever speaks with foreign desks.

Doors do not know each other, so they see the bridge as this. Whatever is looked at here is the
draft; nothing of it changes a ticket or writes anything over there, but `publish`, `join` and
`fill`, which say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hub.actions.context import Actor
from hub.domain.desk import DeskRole
from hub.ids import DeskId, TicketId

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class DeskKind:
    """A kind of desk there is a description for."""

    name: str
    title: str
    tried: tuple[tuple[str, str], ...]  # against what, how (real | simulator | documentation)


@dataclass(frozen=True, slots=True)
class Asked:
    """Something a description wants to know of one desk."""

    name: str
    label: str
    kind: str  # url | text | number | flag
    hint: str
    value: Scalar  # what the draft says


@dataclass(frozen=True, slots=True)
class Draft:
    """The two files of a desk as they stand now, and what can be understood of them."""

    settings: str  # desk.yaml
    description: str  # description.yaml
    seal: str  # differs whenever either text does: whoever saves says which one they saw
    said: Mapping[str, Scalar]  # members of desk.yaml; empty where it cannot be understood
    asked: tuple[Asked, ...]
    secrets: tuple[Asked, ...]  # their values are shown nowhere
    trouble: str | None  # why the draft cannot work, with file, line and column


@dataclass(frozen=True, slots=True)
class Line:
    """One finding of a check, in the reader's language."""

    what: str
    level: str  # ok | warning | error
    told: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class There:
    """A ticket over there."""

    id: str
    number: str
    url: str
    title: str
    description: str
    status: str | None  # in our words; None: no word of ours fits
    status_there: str
    priority: str | None
    assigned: bool  # to us
    comments: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ours:
    """The ticket here as it would be afterwards."""

    number: str
    title: str
    description: str
    status: str
    priority: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A member of our ticket that would change."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word over there that no table translates."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Written:
    """Something that would be written over there."""

    what: str  # ticket | fields | comment | file
    text: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What would become of one ticket over there. Nothing of it was done."""

    there: There
    ours: Ours | None  # None: it would not become one of ours
    new: bool
    changed: tuple[Changed, ...]
    comments: int
    files: tuple[str, ...]
    unknown: tuple[Unknown, ...]
    sent: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """A ticket over there that could not be taken over."""

    there: str
    told: str


@dataclass(frozen=True, slots=True)
class TrialOfAll:
    """What would become of every open ticket over there, counted."""

    seen: int
    new: int
    changed: int
    failed: tuple[Failed, ...]
    unknown: tuple[Unknown, ...]


class DeskBench(Protocol):
    """Everything a person does to a desk that needs its files or its connector.

    Every method asks the policy for DESKS_WRITE; each raises NotFound where there is no such desk.
    """

    def kinds(self) -> tuple[DeskKind, ...]:
        """Descriptions a desk can begin with."""
        ...

    async def begin(
        self, actor: Actor, kind: str, name: str, company: str, role: DeskRole
    ) -> DeskId:
        """A new desk with a draft to be filled in. Raises Conflict(name_taken)."""
        ...

    async def draft(self, actor: Actor, name: str) -> Draft:
        """The draft. Raises NotFound(no_draft) where its files are not on this machine."""
        ...

    async def fill_in(self, actor: Actor, name: str, seal: str, said: Mapping[str, Scalar]) -> None:
        """Set members of desk.yaml; `settings.NAME` are those the description asks for.

        Raises Conflict(draft_changed) where the draft is not the one with this seal any more.
        """
        ...

    async def write(
        self, actor: Actor, name: str, seal: str, settings: str, description: str
    ) -> None:
        """Put both texts in the place of the draft. Raises Conflict(draft_changed), Refused."""
        ...

    async def check(self, actor: Actor, name: str) -> list[Line]:
        """What is missing, here and over there, before the draft can work. Raises Misconfigured."""
        ...

    async def try_one(self, actor: Actor, name: str, there: str) -> Trial:
        """What would become of this ticket over there. Raises HubError as `bridge.problems`."""
        ...

    async def try_all(self, actor: Actor, name: str) -> TrialOfAll:
        """The same of every open one."""
        ...

    async def publish(self, actor: Actor, name: str) -> int:
        """From now on the desk works as the draft says. Raises Misconfigured, Refused."""
        ...

    async def join(self, actor: Actor, name: str, ticket_id: TicketId, there: str) -> None:
        """Our ticket and theirs are one from now on. Raises Conflict(already_there)."""
        ...

    async def fill(self, actor: Actor, name: str) -> tuple[int, int]:
        """Take over every open ticket over there: how many are new here, how many there are."""
        ...
