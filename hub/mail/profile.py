"""The shape of a mail profile: how the letters of one customer's desk are told apart and read.

The schema that editors complete from is made of these classes, and so is the reading.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hub.domain.desk_letter import STATUSES
from hub.domain.ticket import Priority

PATTERN_MAX: Final = 500  # characters of one pattern
SOURCES_MAX: Final = 10  # places where one value is looked for
FLAGS: Final = re.IGNORECASE | re.MULTILINE
_PLACES: Final = ("number", "title", "site", "contact", "phone", "token")


def _pattern(text: str) -> str:
    try:
        re.compile(text, FLAGS)
    except (re.error, RecursionError, OverflowError) as error:
        msg = f"is no pattern: {error}"
        raise ValueError(msg) from error
    return text


def _with_places(text: str) -> str:
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in _PLACES:
            msg = f"{{{name}}} means nothing here; known: {', '.join(_PLACES)}"
            raise ValueError(msg)
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = "is no time zone; for instance Europe/Moscow"
        raise ValueError(msg) from error
    return name


Pattern = Annotated[str, Field(min_length=1, max_length=PATTERN_MAX), AfterValidator(_pattern)]
Glob = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[str, Field(max_length=200)]
Template = Annotated[str, Field(max_length=200), AfterValidator(_with_places)]


class Part(BaseModel):
    """What is not named is a mistake, not a wish."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Recognise(Part):
    """How letters of this desk are told apart: all that is said here must be so."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    senders: tuple[Glob, ...] = Field(
        default=(),
        alias="from",
        max_length=50,
        description="addresses it writes from; * stands for anything",
    )
    list_id: Glob | None = Field(default=None, description="its List-Id; * stands for anything")
    headers: dict[Words, Pattern] = Field(
        default={}, max_length=10, description="a pattern found in the line of this name"
    )
    subject: Pattern | None = Field(default=None, description="a pattern found in the subject")


class Place(Part):
    """Where a value stands: exactly one of header, subject, body, row."""

    header: Words | None = Field(default=None, description="the header line of this name")
    subject: Pattern | None = Field(default=None, description="group 1 of it, else all of it")
    body: Pattern | None = Field(default=None, description="group 1 of it, else all of it")
    row: tuple[Words, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=20,
        description="labels: the value beside one of them, in a table or as `Label: value`",
    )
    pattern: Pattern | None = Field(
        default=None, description="what of a header line or a row is the value"
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        said = [one for one in (self.header, self.subject, self.body, self.row) if one is not None]
        if len(said) != 1:
            msg = "name exactly one of header, subject, body, row"
            raise ValueError(msg)
        if self.pattern is not None and (self.subject or self.body):
            msg = "a pattern beside a pattern; say it in one"
            raise ValueError(msg)
        return self


Places = Annotated[tuple[Place, ...], Field(min_length=1, max_length=SOURCES_MAX)]


class Take(Part):
    """Where each value is looked for; the first place that has one counts."""

    number: Places | None = Field(default=None, description="their number")
    title: Places | None = Field(default=None, description="what it is about, in one line")
    site: Places | None = Field(default=None, description="where the work is")
    priority: Places | None = Field(default=None, description="told by `words`")
    status: Places | None = Field(default=None, description="told by `words`")
    contact: Places | None = Field(default=None, description="the name of whom to call")
    phone: Places | None = Field(default=None, description="their number to call")
    deadline: Places | None = Field(default=None, description="read as `deadline` says")
    token: Places | None = Field(default=None, description="what the answer must carry")


class Text(Part):
    """What of the letter is said by a person."""

    begins: Pattern | None = Field(default=None, description="it follows this")
    ends: Pattern | None = Field(default=None, description="it stands before this")


class Table(Part):
    """What their words mean, without regard to large and small letters."""

    priority: dict[Words, Priority] = Field(default={}, max_length=50)
    status: dict[Words, Literal["open", "pending", "resolved", "closed", "cancelled"]] = Field(
        default={}, max_length=100, description="a word that is missing here changes nothing"
    )


assert tuple(STATUSES) == ("open", "pending", "resolved", "closed", "cancelled")


class Deadline(Part):
    """How their time limits are written."""

    formats: tuple[Words, ...] = Field(
        default=("%d.%m.%Y %H:%M",), max_length=10, description="as Python's strptime"
    )
    time_zone: Annotated[Words, AfterValidator(_zone)] = Field(
        default="UTC", description="where none is written: Europe/Moscow"
    )


class Answer(Part):
    """The form in which their desk finds its ticket again."""

    subject: Template = Field(default="[{number}] {title}", description="behind Re:")
    last_line: Template = Field(default="", description="under our words")


class Sample(Part):
    """A letter to try the profile on."""

    letter: Words = Field(description="file beside this one: romashka/new.eml")
    finds: dict[Words, Words] = Field(
        default={}, description="the values it must find; empty: nothing there"
    )


class Profile(Part):
    """One customer's desk."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] = Field(
        description="names it among all profiles; stays, or its tickets are not found any more"
    )
    desk: Words = Field(default="", description="what people call it; empty: its name")
    like: Words | None = Field(
        default=None, description="a profile that comes with the hub, for all that is not said here"
    )
    customer: Words = Field(default="", description="as our directory names them")
    recognise: Recognise = Field(default_factory=Recognise, description="which letters are theirs")
    take: Take = Field(default_factory=Take, description="where the values stand")
    text: Text = Field(default_factory=Text, description="what of it a person says")
    words: Table = Field(default_factory=Table, description="what their words mean")
    deadline: Deadline = Field(default_factory=Deadline, description="how time limits are written")
    answer: Answer = Field(default_factory=Answer, description="how we answer")
    samples: tuple[Sample, ...] = Field(
        default=(), max_length=50, description="letters that show that it works"
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of a profile file."""
    found = Profile.model_json_schema(by_alias=True)
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return found
