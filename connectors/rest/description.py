"""The shape of a description: what one YAML file may say about a desk.

The JSON Schema that editors complete from (connectors/desks/schema.json) is made from these
classes, and so is the reading; they cannot differ.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from connectors.rest import sandbox
from connectors.rest.source import Unfit

Scalar = str | int | float | bool | None


def _expression(source: str) -> str:
    sandbox.expression(source)
    return source


def _text(source: str) -> str:
    sandbox.text(source)
    return source


def _template(value: Any) -> Any:
    """Every text in a body: `= …` is an expression, `{{ … }}` a text with places."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _text(str(key))
            _template(inner)
    elif isinstance(value, list):
        for inner in value:
            _template(inner)
    elif isinstance(value, str):
        (_expression(value[1:]) if value.startswith("=") else _text(value))
    return value


Expr = Annotated[str, AfterValidator(_expression)]
Words = Annotated[str, AfterValidator(_text)]
Body = Annotated[Any, AfterValidator(_template)]


class Model(BaseModel):
    """What is not named is a mistake, not a wish."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Picked(Model):
    """Where a value comes from: exactly one of path, const, expr, text."""

    path: str | None = Field(
        default=None, description="members and indexes: issue.status.name, items.0.id"
    )
    const: Any = None
    expr: Expr | None = Field(default=None, description="an expression; keeps the type")
    text: Words | None = Field(default=None, description="a text with {{ places }}")
    map: str | None = Field(default=None, description="the two-way table that translates it")
    default: Any = Field(default=None, description="where there is nothing")

    @model_validator(mode="after")
    def _one(self) -> Picked:
        if len(self.model_fields_set & {"path", "const", "expr", "text"}) != 1:
            raise Unfit("exactly one of path, const, expr, text")
        return self


Value = str | Picked
"""A bare text is a path."""


class Setting(Model):
    """Something the administrator fills in."""

    label: str
    kind: Literal["url", "text", "number", "flag"] = "text"
    default: Scalar = None
    hint: str = ""


class Tried(Model):
    """What the description was really tried against."""

    against: str
    how: Literal["real", "simulator", "documentation"]
    on: str = ""
    note: str = ""


class Paging(Model):
    """How a list goes on."""

    kind: Literal["none", "offset", "page", "cursor", "link"] = "none"
    param: str = ""
    first: int = Field(default=0, description="the number of the first page or place")
    size: int = Field(default=100, ge=1, le=10_000)
    size_param: str = ""
    next: Value | None = Field(default=None, description="cursor or address of the next page")
    end: Expr | None = Field(default=None, description="true on the last page")


class Step(Model):
    """One request and what is kept of its answer."""

    get: Words | None = None
    post: Words | None = None
    put: Words | None = None
    patch: Words | None = None
    delete: Words | None = None
    when: Expr | None = Field(default=None, description="only if this is true")
    each: Expr | None = Field(
        default=None, description="once for every item, which is called `entry`"
    )
    query: dict[str, Body] = Field(default_factory=dict)
    headers: dict[str, Words] = Field(default_factory=dict)
    json_: Body = Field(default=None, alias="json", description="members that are null go away")
    form: dict[str, Body] | None = None
    multipart: dict[str, Body] | None = Field(
        default=None, description='"@file" is the file itself'
    )
    raw: Literal["@file"] | None = None
    ok: list[int] = Field(default_factory=list, description="statuses that are good; all of 2xx")
    gone: list[int] = Field(default_factory=lambda: [404, 410])
    refused_if: Expr | None = Field(default=None, description="with `answer`: the desk said no")
    gone_if: Expr | None = Field(default=None, description="with `answer`: it is not there")
    save: dict[str, Value] = Field(default_factory=dict, description="from `answer` or `header`")
    items: str | None = Field(default=None, description="path of the list in the answer")
    into: str | None = Field(default=None, description="name under which the whole list is kept")
    paging: Paging = Paging()
    need: Expr | None = Field(
        default=None, description="checked before the request; false is a refusal"
    )
    need_told: str = "The desk does not allow this step now"

    @model_validator(mode="after")
    def _one(self) -> Step:
        if sum(one is not None for one in self.requests().values()) != 1:
            raise Unfit("exactly one of get, post, put, patch, delete")
        bodies = (self.json_, self.form, self.multipart, self.raw)
        if sum(one is not None for one in bodies) > 1:
            raise Unfit("at most one of json, form, multipart, raw")
        if self.into and self.items is None:
            raise Unfit("into needs items")
        return self

    def requests(self) -> dict[str, str | None]:
        """Method to address."""
        return {
            "GET": self.get,
            "POST": self.post,
            "PUT": self.put,
            "PATCH": self.patch,
            "DELETE": self.delete,
        }


class NoAuth(Model):
    """Open to everyone who may reach it."""

    kind: Literal["none"]


class BasicAuth(Model):
    """User and password in every request."""

    kind: Literal["basic"]
    user: Words
    password: Words


class BearerAuth(Model):
    """A token in the Authorization header."""

    kind: Literal["bearer"]
    token: Words
    scheme: str = "Bearer"


class KeyAuth(Model):
    """A key in a header, in the query or in the JSON body."""

    kind: Literal["key"]
    place: Literal["header", "query", "json"] = Field(default="header", alias="in")
    name: str
    value: Words


class OAuth(Model):
    """OAuth2: client credentials, or a refresh token that may change with each use."""

    kind: Literal["oauth2"]
    token_url: Words
    grant: Literal["client_credentials", "refresh_token"] = "client_credentials"
    client_id: Words
    client_secret: Words
    scope: str = ""
    refresh_secret: str = Field(
        default="refresh_token", description="name of the secret that holds it"
    )


class SessionAuth(Model):
    """A login that gives a token for some time."""

    kind: Literal["session"]
    login: Step
    token: Value
    place: Literal["header", "query", "json"] = Field(default="header", alias="in")
    name: str
    value: Words = "{{ token }}"
    expired: list[int] = Field(default_factory=lambda: [401])
    expired_if: Expr | None = None


Auth = Annotated[
    NoAuth | BasicAuth | BearerAuth | KeyAuth | OAuth | SessionAuth, Field(discriminator="kind")
]


class Limits(Model):
    """How the desk says "slow down"."""

    statuses: list[int] = Field(default_factory=lambda: [429, 503])
    after: str = "retry-after"
    default_s: int = Field(default=60, ge=1)


class Time(Model):
    """How the desk writes an instant."""

    format: str = Field(default="iso", description="iso, epoch, epoch_ms, or as strptime")
    zone: str = "UTC"
    query: str = Field(default="", description="the same in filters, where it differs")


class Operation(Model):
    """Some requests, one after another, and what they give."""

    steps: list[Step] = Field(min_length=1)


class Me(Operation):
    """Who we are over there: proves the account before an empty list is believed."""

    id: Value


class Poll(Model):
    """How to learn what changed."""

    by: Literal["time", "number", "cursor", "window", "scan", "none"]
    list_: Step | None = Field(default=None, alias="list")
    newest: Step | None = Field(
        default=None,
        description="saves the `newest` number there is; by time: the instant of the last change, "
        "for desks that do not tell their time in a Date header",
    )
    id: Value = "entry.id"
    changed: Value | None = Field(default=None, description="instant or number of the change")
    resolution_s: int = Field(default=1, ge=0, description="how finely the desk tells time")
    overlap_s: int = Field(default=120, ge=0, description="how late a change may become visible")
    overlap: int = Field(default=50, ge=0, description="the same for numbers")
    lag_s: int = Field(default=0, ge=0, description="the desk hides changes as fresh as this")
    complete: bool = Field(default=False, description="the list holds whole tickets")
    skip: Expr | None = Field(default=None, description="entries that say nothing")

    @model_validator(mode="after")
    def _whole(self) -> Poll:
        if self.by != "none" and (self.list_ is None or self.list_.items is None):
            raise Unfit("needs a list with items")
        if self.by in ("time", "number") and self.changed is None:
            raise Unfit("needs changed")
        told = self.newest is not None and "newest" in self.newest.save
        if not told and (self.by == "number" or self.newest is not None):
            raise Unfit("needs newest, a request that saves newest")
        if self.by == "cursor" and self.list_ is not None and self.list_.paging.next is None:
            raise Unfit("needs paging.next")
        return self


class Listing(Model):
    """Every open ticket."""

    list_: Step = Field(alias="list")
    id: Value = "entry.id"


class Read(Model):
    """How to read tickets whole."""

    steps: list[Step] = Field(default_factory=list)
    item: str | None = Field(default=None, description="path of the ticket in what was kept")
    batch: int = Field(default=1, ge=1, le=500)
    items: str | None = Field(
        default=None, description="path of the tickets, where several are read"
    )
    id: Value = "item.id"


class Ticket(Model):
    """Where the parts of a ticket stand; `item` is the ticket."""

    id: Value
    title: Value
    number: Value | None = None
    url: Value | None = None
    description: Value | None = None
    html: bool = False
    status: Value | None = None
    priority: Value | None = None
    assigned: Value | None = None
    requester_id: Value | None = None
    requester_name: Value | None = None
    requester_email: Value | None = None
    created: Value | None = None
    updated: Value | None = None
    marker: Value | None = None
    merged_into: Value | None = None
    gone: Value | None = Field(
        default=None, description="true where a deleted ticket still answers"
    )
    every_comment: bool = Field(
        default=False,
        description="a reading brings every comment: one that is missing was deleted",
    )
    fields: dict[str, Value] = Field(default_factory=dict)


class Files(Model):
    """Files: each is called `file`."""

    items: Value
    when: Expr | None = None
    id: Value
    name: Value
    ref: Value = Field(description="the address to fetch it from")
    size: Value | None = None
    type: Value | None = None
    public: Value | None = None
    author_id: Value | None = None
    by_us: Expr | None = None


class Comments(Model):
    """Comments: each is called `entry`. Without a clear `public` they are private."""

    items: Value
    when: Expr | None = None
    id: Value
    body: Value
    at: Value
    html: bool = False
    public: Value | None = None
    author_id: Value | None = None
    author_name: Value | None = None
    author_email: Value | None = None
    by_us: Expr | None = None
    files: list[Files] = Field(default_factory=list)


class Find(Operation):
    """A ticket by our marker; no id where there is none."""

    id: Value
    settles_s: int = Field(default=0, ge=0, description="how long until a new ticket can be found")


class Create(Operation):
    """A new ticket. Knows `wish`, `marker`, `status`, `priority`."""

    id: Value
    number: Value | None = None
    url: Value | None = None


class Write(Operation):
    """A comment or a file. Knows `id`, `wish`, `item` (the ticket as it is), `public`."""

    id: Value | None = Field(
        default=None, description="where the answer tells it; else it is looked up"
    )
    max_bytes: int | None = None
    private: bool = Field(default=True, description="whether the desk can keep it from customers")


class Download(Model):
    """A file's bytes. Knows `ref`."""

    get: Words
    query: dict[str, Body] = Field(default_factory=dict)
    headers: dict[str, Words] = Field(default_factory=dict)
    base64: Value | None = Field(default=None, description="where it stands in a JSON `answer`")


class Signature(Model):
    """How a webhook proves where it comes from."""

    kind: Literal["hmac", "token", "none"]
    header: str = ""
    param: str = ""
    secret: str = Field(default="webhook", description="the name of the secret")
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp_header: str = ""
    timestamp_place: Literal["before", "after"] = "before"
    max_age_s: int = Field(default=300, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> Signature:
        if self.kind != "none" and not (self.header or self.param):
            raise Unfit("needs header or param")
        return self


class Hook(Model):
    """Webhooks; the parsed body is called `body`, the headers `header`."""

    signature: Signature
    ticket: Value
    delivery: Value | None = None
    when: Expr | None = None
    carries: bool = Field(
        default=False, description="the body is all we ever get: it must be signed"
    )

    @model_validator(mode="after")
    def _signed(self) -> Hook:
        if self.carries and self.signature.kind == "none":
            raise Unfit("what is not signed cannot carry content")
        return self


class Map(Model):
    """A two-way table."""

    both: dict[str, Scalar] = Field(description="ours: theirs, one to one")
    read: dict[str, str] = Field(default_factory=dict, description="theirs: ours, never written")
    silent: list[str] = Field(default_factory=list, description="ours that are not told")
    ours: list[str] | None = Field(default=None, description="our words, for tables of own fields")


class Check(Operation):
    """One thing to look at before the desk is used."""

    what: str
    ok: Expr = "true"
    told: str = ""
    cure: str = ""
    warning: bool = False


class Description(Model):
    """One kind of desk."""

    desk: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    title: str
    notes: str = ""
    tried: list[Tried] = Field(min_length=1)
    settings: dict[str, Setting] = Field(default_factory=dict)
    secrets: dict[str, Setting] = Field(default_factory=dict)
    base: Words
    also: list[Words] = Field(default_factory=list, description="further origins that get our key")
    headers: dict[str, Words] = Field(default_factory=dict)
    auth: Auth = NoAuth(kind="none")
    limits: Limits = Limits()
    refused_if: Expr | None = Field(
        default=None, description="with `answer`: a refusal in a good answer"
    )
    time: Time = Time()
    maps: dict[str, Map] = Field(default_factory=dict)
    truncate: dict[Literal["title", "description", "comment", "file_name"], int] = Field(
        default_factory=dict
    )
    defaults: dict[str, Value] = Field(default_factory=dict, description="fields a new one needs")
    me: Me | None = None
    checks: list[Check] = Field(default_factory=list)
    poll: Poll
    open: Listing | None = None
    read: Read = Read()
    ticket: Ticket
    comments: list[Comments] = Field(default_factory=list)
    files: list[Files] = Field(default_factory=list)
    find: Find | None = None
    create: Create | None = None
    comment: Write | None = None
    attach: Write | None = None
    change: Operation | None = None
    download: Download | None = None
    hook: Hook | None = None
