"""What a route of this door is, and what its handlers get and give.

A handler is thin: form → wish → action → view. It never answers an error itself, it never
sees a token, and whatever changes something it only describes (`Effect`): how the answer is
kept for a repeated request is not its business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import BaseModel

from hub.actions.context import Actor, Hub
from hub.actions.desk_bench import DeskBench
from hub.actions.files import NewFile
from hub.domain.agreement import Offer
from hub.domain.limits import Buckets, Places
from hub.domain.permission import Permission
from hub.ids import LinkId

if TYPE_CHECKING:
    from hub.storage.database import Connection

PREFIX: Final = "/api/v1"

F = TypeVar("F", bound=BaseModel)
R = TypeVar("R")

AcceptInvitation = Callable[[Actor, str, "Offer | None", bool], Awaitable[LinkId]]
"""Take an invitation code (and sign at once, if so): it talks to the partner's node."""

ConfirmLink = Callable[[Actor, LinkId], Awaitable[None]]
"""Sign the agreement and exchange signatures with the partner's node, if it answers."""


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The node behind the door, and the doings that need another door."""

    hub: Hub
    accept_invitation: AcceptInvitation
    confirm_link: ConfirmLink
    desks: DeskBench
    rates: Buckets = field(default_factory=lambda: Buckets(10_000))  # by token
    places: Places = field(default_factory=Places)


@dataclass(frozen=True, slots=True)
class Visit:
    """A request whose sender is known and allowed."""

    context: ApiContext
    actor: Actor
    params: Mapping[str, str]  # of the path
    files: Sequence[NewFile] = ()  # that came along; they are in the store already
    last_event_id: str = ""  # where a stream is taken up again

    @property
    def hub(self) -> Hub:
        """The node behind the door."""
        return self.context.hub


@dataclass(frozen=True, slots=True)
class Effect(Generic[R]):
    """Something to be done, and what to show of its result."""

    do: Callable[[Hub], Awaitable[R]]
    show: Callable[[Connection, R], object]
    one_transaction: bool = True  # False: it is more than that, and must bear repetition by itself


@dataclass(frozen=True, slots=True)
class Download:
    """A file to be sent."""

    sha256: str
    size: int
    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Following:
    """What goes on being told as long as somebody listens."""

    topic: str  # woken when there may be something to tell
    # What is new, as (id, event, data), each time it is asked.
    look: Callable[[], Awaitable[Sequence[tuple[str, str, object]]]]


class Open(Enum):
    """Said of a route that needs no token."""

    TO_ALL = "open"


class Takes(Enum):
    """Where a route's form is read from."""

    QUERY = "query"
    JSON = "application/json"
    JSON_OR_PARTS = "application/json or multipart/form-data with files"
    FILES = "multipart/form-data with files, or one file as it is"


class Sends(Enum):
    """What a route answers with, beside a view."""

    NOTHING = "nothing"
    FILE = "file"
    DOCUMENT = "document"  # any JSON object
    STREAM = "stream"  # server-sent events


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Generic[F]):
    """One method and path. Who may use it has no default: it must be said."""

    name: str  # operationId
    method: str
    path: str  # under PREFIX, with {names}
    scope: Permission | Open
    summary: str
    form: type[F]
    handler: Callable[[Visit, F], Awaitable[object]]
    answer: Any  # the view's class, Page[…] of one, or Sends
    takes: Takes = Takes.QUERY
    status: int = 200

    @property
    def full_path(self) -> str:
        """The path as clients see it."""
        return PREFIX + self.path
