"""What leaves the house: the only place that turns our records into something for others.

Visibility is a type. The outbox, e-mail and connectors take a `PublicView` and nothing else,
and only the functions here make one. They copy what is named below, class by class
(a whitelist): whatever is added to a ticket later stays here until somebody names it. Internal
comments, the requester, assignees and e-mail addresses of our people have no way in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NoReturn, TypeAlias, final

from hub.domain.agreement import Direction, DisclosureClass
from hub.domain.attachment import Attachment
from hub.domain.chain import Notice
from hub.domain.comment import Author, Comment, Role, Visibility, may_reach_client, may_travel
from hub.domain.handoff import Party
from hub.domain.lengths import DATA_MAX, FILES_MAX, SHORT_MAX, wire_size
from hub.domain.ticket import Asset, Contact, Priority, Site, Ticket
from hub.errors import Refused
from hub.ids import CommentId, is_id

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json]"

COMPANY_REF: Final = "company"
"""The author's reference where the person behind it is not shown."""

_MAKER: Final = object()  # the key to PublicView; never leaves this module


@final
class PublicView:
    """The payload of one message, made of nothing but what may leave."""

    __slots__ = ("_data", "_kind")
    _kind: str
    _data: dict[str, Json]

    def __init__(self, maker: object, kind: str, data: dict[str, Json]) -> None:
        if maker is not _MAKER:
            raise TypeError("only the functions of hub.domain.disclosure make a PublicView")
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_data", data)  # `_view` made it and keeps nothing of it

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("a PublicView has no variants")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a PublicView does not change")

    def __repr__(self) -> str:
        return f"<PublicView {self._kind}>"  # no content: it ends up in logs

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicView):
            return NotImplemented
        return (self._kind, self._data) == (other._kind, other._data)

    __hash__ = None  # type: ignore[assignment]  # compared in tests, never a key

    @property
    def kind(self) -> str:
        """The type of the message this is the payload of, like `handoff.offer`."""
        return self._kind

    def to_data(self) -> dict[str, Json]:
        """The payload as strict JSON; a copy."""
        return _copied(self._data)


def _copied(data: dict[str, Json]) -> dict[str, Json]:
    """A deep copy. Made for every message, and copy.deepcopy takes ten times as long."""
    return {name: _copy(value) for name, value in data.items()}


def _copy(value: Json) -> Json:
    if isinstance(value, dict):
        return _copied(value)
    if isinstance(value, list):
        return [_copy(one) for one in value]
    return value


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person sees before a ticket is handed off.

    Labels and reasons are message ids; values are texts, and instants and priorities for the
    page to put into words.
    """

    leaves: tuple[tuple[str, str | datetime], ...]
    stays: tuple[tuple[str, str], ...]


SHOWN_WITH_COMMENTS: Final = "Shown beside their public comments."
NOT_AGREED: Final = "The agreement does not disclose it."
WITHHELD: Final = "Withheld for this hand-off."
NEVER: Final = "Never leaves this company."
NOT_PUBLIC: Final = "It is not public."
TOO_BIG: Final = "It is larger than the agreement allows."
"""Reasons why something stays."""

LABELS: Final[Mapping[DisclosureClass, str]] = {
    DisclosureClass.DESCRIPTION: "Description",
    DisclosureClass.PRIORITY: "Priority",
    DisclosureClass.DUE: "Due",
    DisclosureClass.SITE: "Site",
    DisclosureClass.CONTACT: "Contact",
    DisclosureClass.ASSET: "Asset",
    DisclosureClass.CHECKLIST: "Checklist",
    DisclosureClass.FIELDS: "Custom fields",
    DisclosureClass.FILES: "Files",
    DisclosureClass.AUTHOR_NAMES: "Names of our people",
    DisclosureClass.SUBCONTRACTOR_NAMES: "Names of other companies",
}

Withheld: TypeAlias = frozenset[DisclosureClass]
NOTHING_WITHHELD: Final[Withheld] = frozenset()


# --- the ticket ----------------------------------------------------------------------------


def offer_view(
    ticket: Ticket,
    files: Sequence[Attachment],
    direction: Direction,
    *,
    withhold: Withheld,
    number: str,
    hops: Sequence[str],
    valid_until: datetime | None,
    due: datetime | None,
    handed_off_at: datetime,
    hop_limit: int,
    service: str = "",
    continues: Mapping[str, object] | None = None,
) -> PublicView:
    """The payload of `handoff.offer`.

    `continues` is what the contractor itself said of this work before it had a node.

    `files` are the ticket's own; of those that may leave it names the first batch of
    `file_batches`, the caller sends the others with `file_view`. `due` is what we ask for
    (our own date less our reserve), `hops` end with our own token.
    """
    shown = _shown(direction, Party.PRINCIPAL, withhold)
    batches = _batches(files, direction, shown)
    return _view(
        "handoff.offer",
        {
            "title": ticket.title,
            "number": number,
            "handed_off_at": handed_off_at,
            "service": service or None,
            **_parts(ticket, direction, shown, due),
            "hops": list(hops),
            "hop_limit": hop_limit,
            "valid_until": valid_until,
            "files": [_file(one) for one in batches[0]] if batches else [],
            "continues": continues,
        },
    )


def update_view(
    before: Ticket,
    after: Ticket,
    direction: Direction,
    *,
    withhold: Withheld,
    due_before: datetime | None,
    due: datetime | None,
) -> PublicView | None:
    """The payload of `handoff.update`: what changed of what the contractor may see.

    None where nothing of it changed, so that not even the fact of an internal change leaves.
    Emptied members travel as an empty value; an emptied due date does not travel, since the
    wire has no null: the contractor keeps the last one asked for.
    """
    shown = _shown(direction, Party.PRINCIPAL, withhold)
    old = {"title": before.title, **_parts(before, direction, shown, due_before)}
    new = {"title": after.title, **_parts(after, direction, shown, due)}
    changed = {
        name: new.get(name, _EMPTY.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) and (name in new or name in _EMPTY)
    }
    return _view("handoff.update", changed) if changed else None


_EMPTY: Final[Mapping[str, object]] = {
    "description": "",
    "contact": {},
    "site": {},
    "asset": {},
    "fields": [],
    "checklist": [],
}


def _parts(
    ticket: Ticket, direction: Direction, shown: Withheld, due: datetime | None
) -> dict[str, object]:
    """The members of a ticket that are switched by classes; empty ones are left out."""
    made: dict[str, object] = {
        # A contractor must be able to sort its queue, so a hidden priority is an ordinary one.
        "priority": ticket.priority if DisclosureClass.PRIORITY in shown else Priority.NORMAL,
    }
    members: tuple[tuple[DisclosureClass, str, Callable[[], object]], ...] = (
        (DisclosureClass.DESCRIPTION, "description", lambda: ticket.description),
        (DisclosureClass.DUE, "due_requested", lambda: due),
        (DisclosureClass.CONTACT, "contact", lambda: _contact(ticket.contact)),
        (DisclosureClass.SITE, "site", lambda: _site(ticket.site)),
        (DisclosureClass.ASSET, "asset", lambda: _asset(ticket.asset)),
        (DisclosureClass.FIELDS, "fields", lambda: _fields(ticket, direction)),
        (DisclosureClass.CHECKLIST, "checklist", lambda: _checklist(ticket)),
    )
    for name, member, make in members:
        if name in shown and (value := make()):
            made[member] = value
    return made


def _filled(**members: str) -> dict[str, str]:
    return {name: text for name, text in members.items() if text}


def _contact(contact: Contact | None) -> dict[str, str]:
    if contact is None:
        return {}
    return _filled(name=contact.name, phone=contact.phone, email=contact.email, note=contact.note)


def _site(site: Site | None) -> dict[str, str]:
    if site is None:
        return {}
    return _filled(name=site.name, address=site.address, note=site.note, parent=site.parent)


def _asset(asset: Asset | None) -> dict[str, str]:
    if asset is None:
        return {}
    return _filled(
        name=asset.name,
        model=asset.model,
        inventory_number=asset.inventory_number,
        serial_number=asset.serial_number,
        note=asset.note,
    )


def _fields(ticket: Ticket, direction: Direction) -> list[dict[str, str]]:
    return [
        {"name": field.name, "value": field.value}
        for field in ticket.fields
        if field.name in direction.fields
    ]


def _checklist(ticket: Ticket) -> list[dict[str, object]]:
    return [
        {"item_id": item.item_id, "text": item.text, "done": item.done} for item in ticket.checklist
    ]


# --- files ---------------------------------------------------------------------------------


def file_batches(
    files: Sequence[Attachment], direction: Direction, *, by: Party, withhold: Withheld
) -> tuple[tuple[Attachment, ...], ...]:
    """The files that may leave, in order, as many together as one message may name."""
    return _batches(files, direction, _shown(direction, by, withhold))


def file_view(
    files: Sequence[Attachment],
    author: Author,
    at: datetime,
    direction: Direction,
    *,
    by: Party,
    withhold: Withheld,
    company: str,
    relayed: bool,
) -> PublicView:
    """The payload of `file.add` for one batch of `file_batches`.

    Raises `Refused(nothing_leaves)` where none of the files may leave.
    """
    shown = _shown(direction, by, withhold)
    batches = _batches(files, direction, shown)
    if not batches:
        raise _nothing_leaves()
    return _view(
        "file.add",
        {
            "at": at,
            "author": _author(author, shown, company, relayed=relayed),
            "files": [_file(one) for one in batches[0]],
        },
    )


def _why_file_stays(one: Attachment, direction: Direction) -> str:
    if not may_travel(one.visibility):
        return NOT_PUBLIC
    return TOO_BIG if one.size > direction.max_file_bytes else ""


def _batches(
    files: Sequence[Attachment], direction: Direction, shown: Withheld
) -> tuple[tuple[Attachment, ...], ...]:
    if DisclosureClass.FILES not in shown or direction.max_files < 1:
        return ()
    batches: list[tuple[Attachment, ...]] = []
    batch: tuple[Attachment, ...] = ()
    for one in files:
        if _why_file_stays(one, direction):
            continue
        longer = (*batch, one)
        too_long = wire_size([_file(each) for each in longer]) > FILES_MAX
        if batch and (len(longer) > direction.max_files or too_long):
            batches.append(batch)
            longer = (one,)
        batch = longer
    return (*batches, batch) if batch else ()


def _file(one: Attachment) -> dict[str, object]:
    return {
        "attachment_id": one.attachment_id,
        "sha256": one.sha256,
        "size": one.size,
        "media_type": one.media_type,
        "name": one.name,
    }


# --- comments ------------------------------------------------------------------------------


def comment_view(
    comment: Comment,
    files: Sequence[Attachment],
    direction: Direction,
    *,
    by: Party,
    withhold: Withheld,
    company: str,
    relayed: bool,
) -> PublicView:
    """The payload of `comment.add`.

    `by` is the party we are on this hand-off, `company` our name. `relayed` says that the
    comment came to us from another company; a comment whose author is of another account
    counts as relayed whatever is said. Of `files` those leave that may and that fit one message.
    `reply_to` must be a comment that this peer has, and is the caller's to clear otherwise.

    Raises `Refused(not_public)` for a comment that is not public, `Refused(nothing_leaves)`
    where it is only files and none may leave.
    """
    _demand_public(comment)
    shown = _shown(direction, by, withhold)
    batches = _batches(files, direction, shown)
    leaving = batches[0] if batches else ()
    if not comment.body and not leaving:
        raise _nothing_leaves()
    return _view(
        "comment.add",
        {
            "comment_id": comment.comment_id,
            "author": _author(comment.author, shown, company, relayed=relayed),
            "body": comment.body,
            "format": comment.format,
            "at": comment.at,
            "files": [_file(one) for one in leaving],
            "reply_to": comment.reply_to,
        },
    )


def comment_edit_view(comment: Comment) -> PublicView:
    """The payload of `comment.edit`: the new revision of a comment that was sent before.

    Raises `Refused(not_public)`.
    """
    _demand_public(comment)
    return _view(
        "comment.edit",
        {
            "comment_id": comment.comment_id,
            "rev": comment.rev,
            "body": comment.body,
            "format": comment.format,
            "at": comment.at,
        },
    )


def comment_redact_view(comment_id: CommentId, at: datetime, reason: str = "") -> PublicView:
    """The payload of `comment.redact`, for a comment that was sent before."""
    return _view("comment.redact", {"comment_id": comment_id, "at": at, "reason": reason or None})


def _demand_public(comment: Comment) -> None:
    if not may_travel(comment.visibility):
        raise Refused("not_public", "Only public comments leave this company.")


def _nothing_leaves() -> Refused:
    return Refused(
        "nothing_leaves",
        "There is nothing in it that the agreement lets leave.",
        hint="Write a text, or change what this link discloses.",
    )


def _author(author: Author, shown: Withheld, company: str, *, relayed: bool) -> dict[str, object]:
    # The account is always ours: we write our own message, whoever said it first.
    foreign = relayed or author.account != company
    needed = DisclosureClass.SUBCONTRACTOR_NAMES if foreign else DisclosureClass.AUTHOR_NAMES
    name = _display(author)
    # A requester's name is no class: a contractor gets the contact, not the requester.
    if not name or needed not in shown or author.role is not Role.AGENT:
        return {
            "ref": COMPANY_REF,
            "display": company,
            "role": author.role,
            "account": company,
        }
    # Without its own company's name, a foreign person would pass for one of ours.
    if foreign:
        name = f"{name[: SHORT_MAX // 2]} ({author.account[: SHORT_MAX // 2 - 3]})"
    return {
        # Only the shape of our ids passes: logins and addresses serve as ids elsewhere.
        "ref": author.ref if is_id(author.ref, "agt") else COMPANY_REF,
        "display": name,
        "role": author.role,
        "account": company,
    }


def _display(author: Author) -> str:
    """The author's name; nothing where it is an e-mail address."""
    name = author.display.strip()[:SHORT_MAX]
    return "" if "@" in name else name


# --- what is said in a step ----------------------------------------------------------------

_SAID: Final[Mapping[str, frozenset[str]]] = {
    "handoff.accept": frozenset({"from", "number", "due_promised", "assignee"}),
    "handoff.decline": frozenset({"from", "code", "text"}),
    "handoff.start": frozenset({"from", "plan"}),
    "handoff.pend": frozenset({"from", "reason", "until", "stops_clock", "text"}),
    "handoff.resolve": frozenset({"from", "resolution", "code", "effort_minutes", "files"}),
    "handoff.hand_back": frozenset({"from", "reason", "work_done", "effort_minutes"}),
    "handoff.confirm": frozenset({"from", "auto", "rating"}),
    "handoff.return": frozenset({"from", "round", "reason", "cause"}),
    "handoff.close": frozenset({"from", "reason"}),
    "handoff.cancel": frozenset({"from", "reason"}),
    "handoff.cancel_request": frozenset({"request_id", "reason", "code", "deadline"}),
    "handoff.cancelled": frozenset({"from", "request_id", "work_done", "effort_minutes"}),
    "handoff.cancel_refused": frozenset({"request_id", "code", "text"}),
    "handoff.retract_request": frozenset({"request_id", "reason"}),
    "handoff.retract_refused": frozenset({"request_id", "text"}),
    "handoff.plan": frozenset({"eta", "assignee", "number", "due_promised", "stage", "plan"}),
    "subcontract.ask": frozenset({"request_id", "reason"}),
    "subcontract.answer": frozenset({"request_id", "granted", "text"}),
    "file.redact": frozenset({"attachment_id", "at", "reason"}),
    "file.status": frozenset({"sha256", "attachment_id", "status", "reason"}),
    "rating.set": frozenset({"score", "criteria", "text", "rev"}),
    "rating.reply": frozenset({"text", "at", "rev"}),
    "data.erase": frozenset({"scope", "reason", "at"}),
    "data.erased": frozenset({"ref_id", "at", "what", "held"}),
    "link.suspend": frozenset({"reason"}),
    "link.resume": frozenset(),
    "link.close": frozenset({"reason"}),
    "link.epoch": frozenset({"epoch", "start_seq", "instance", "reason"}),
    "link.skip": frozenset({"id", "reason"}),
    "link.amend": frozenset({"agreement", "sig"}),
    "link.amended": frozenset({"agreement_hash", "sig"}),
    "link.amend_refused": frozenset({"agreement_hash", "code", "reason"}),
    "link.amend_withdrawn": frozenset({"agreement_hash"}),
    "link.checkpoint": frozenset(
        {"out", "in", "audit", "after", "upto", "handoffs", "answer", "not_comparable"}
    ),
    "link.differences": frozenset({"in", "handoff", "after", "upto", "fields"}),
    "link.keys": frozenset({"key_set", "succession"}),
    "message.rejected": frozenset({"ref_seq", "ref_ep", "ref_mh", "ref_id", "code", "detail"}),
}
"""Messages in which a person or a rule speaks to the peer, and their members."""


def statement_view(
    kind: str,
    said: Mapping[str, object],
    direction: Direction,
    *,
    by: Party,
    withhold: Withheld,
) -> PublicView:
    """The payload of a step, a request, a plan or a rating: words meant for the peer.

    `said` has only members of that message, made of texts, integers, booleans, instants,
    mappings and lists of these, and `files` as attachments; anything else is a bug in the
    caller (ValueError, TypeError). None and the empty text are left out. An `assignee` (a
    display name) leaves only with the names of our people, files only with class `files`; files
    beyond the first of `file_batches` are the caller's to send with `file_view`.
    """
    shown = _shown(direction, by, withhold)
    members = dict(said)
    if "assignee" in members:
        name = str(members["assignee"] or "")
        hidden = DisclosureClass.AUTHOR_NAMES not in shown or "@" in name
        members["assignee"] = None if hidden else name[:SHORT_MAX]
    if "files" in _SAID.get(kind, ()):
        members["files"] = _named_files(members.get("files", ()), direction, shown)
    return _statement(kind, members)


def _named_files(files: object, direction: Direction, shown: Withheld) -> list[dict[str, object]]:
    if not isinstance(files, Sequence) or not all(isinstance(one, Attachment) for one in files):
        raise TypeError("files are attachments")
    batches = _batches(files, direction, shown)
    return [_file(one) for one in batches[0]] if batches else []


def link_view(kind: str, said: Mapping[str, object]) -> PublicView:
    """The payload of a message about the link itself; such a message has no ticket in it."""
    if not kind.startswith(("link.", "message.")):
        raise ValueError(f"{kind} is not about the link")
    return _statement(kind, said)


def notice_view(notice: Notice, direction: Direction, *, withhold: Withheld) -> PublicView:
    """The payload of `subcontract.notice`, from the contractor to its principal."""
    shown = _shown(direction, Party.CONTRACTOR, withhold)
    named = DisclosureClass.SUBCONTRACTOR_NAMES in shown
    return _view(
        "subcontract.notice",
        {
            "hop": notice.hop,
            "above": notice.above,
            "level": notice.level,
            "role": notice.role,
            "status": notice.status,
            "since": notice.since,
            "display": (notice.display or None) if named else None,
        },
    )


def _statement(kind: str, said: Mapping[str, object]) -> PublicView:
    if kind not in _SAID:
        raise ValueError(f"{kind} has a function of its own, or is unknown")
    if strange := said.keys() - _SAID[kind]:
        raise ValueError(f"{kind} has no member {', '.join(sorted(strange))}")
    return _view(kind, {name: value for name, value in said.items() if value != ""})


# --- the preview ---------------------------------------------------------------------------


def preview(
    ticket: Ticket,
    files: Sequence[Attachment],
    direction: Direction,
    withhold: Withheld,
    *,
    due: datetime | None = None,
    kept: Sequence[Attachment] = (),
) -> Preview:
    """What an offer of this ticket would tell the contractor, and what would stay and why.

    Read off the very members that `offer_view` sends. Empty parts of the ticket appear in
    neither list. `kept` are files that our people leave out this time.
    """
    shown = _shown(direction, Party.PRINCIPAL, withhold)
    leaves: list[tuple[str, str | datetime]] = [("Title", ticket.title)]
    stays: list[tuple[str, str]] = []
    sent = _parts(ticket, direction, shown, due)
    whole = _parts(ticket, direction, frozenset(DisclosureClass), due)
    for name, member in _MEMBERS:
        if member in whole and name in shown:
            leaves += _lines(LABELS[name], sent[member])
        elif member in whole:
            stays.append((LABELS[name], _why(name, withhold)))
    # An unnamed field stays for a reason of its own, also where the class is switched off.
    stays += [(one.name, NOT_AGREED) for one in ticket.fields if one.name not in direction.fields]
    leaving = {one for batch in _batches(files, direction, shown) for one in batch}
    for file in files:
        if file in leaving:
            leaves.append((LABELS[DisclosureClass.FILES], file.name))
        else:
            own = _why_file_stays(file, direction)
            stays.append((file.name, own or _why(DisclosureClass.FILES, withhold)))
    stays += [(file.name, WITHHELD) for file in kept]
    names = DisclosureClass.AUTHOR_NAMES
    if names in shown:
        leaves.append((LABELS[names], SHOWN_WITH_COMMENTS))
    else:
        stays.append((LABELS[names], _why(names, withhold)))
    stays += [(label, NEVER) for label, there in _never(ticket) if there]
    return Preview(tuple(leaves), tuple(stays))


def _never(ticket: Ticket) -> tuple[tuple[str, bool], ...]:
    return (
        ("Requester", ticket.requester is not None),
        ("Assignee", ticket.assignee is not None),
        ("Internal comments", True),  # said always: it is what people fear for
    )


_MEMBERS: Final = (
    (DisclosureClass.DESCRIPTION, "description"),
    (DisclosureClass.PRIORITY, "priority"),
    (DisclosureClass.DUE, "due_requested"),
    (DisclosureClass.SITE, "site"),
    (DisclosureClass.CONTACT, "contact"),
    (DisclosureClass.ASSET, "asset"),
    (DisclosureClass.CHECKLIST, "checklist"),
    (DisclosureClass.FIELDS, "fields"),
)


def _why(name: DisclosureClass, withhold: Withheld) -> str:
    return WITHHELD if name in withhold else NOT_AGREED


def _lines(label: str, value: object) -> Iterable[tuple[str, str | datetime]]:
    if isinstance(value, str | datetime):
        yield label, value
    elif isinstance(value, Mapping):
        yield label, ", ".join(str(text) for text in value.values())
    elif isinstance(value, list):
        for one in value:
            if "item_id" in one:
                yield label, one["text"]
            else:
                yield one["name"], one["value"]


# --- foreign desks -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeskReader:
    """Who reads what is written on one foreign desk, as far as it decides what may be."""

    of_customer: bool = False  # the requester's company reads it
    of_ours: bool = False  # only our own people do
    notes: bool = False  # a rule says that our internal notes go there; never without `of_ours`
    names: bool = False  # our people are named

    def may_have(self, visibility: Visibility) -> bool:
        """Whether a comment or a file of this visibility may be written there."""
        if visibility is Visibility.INTERNAL:
            return self.of_ours and self.notes
        return may_travel(visibility) or (self.of_customer and may_reach_client(visibility))


def desk_ticket_view(ticket: Ticket, reader: DeskReader) -> PublicView:
    """What a desk is told of a ticket itself.

    The customer's desk said most of it to us; a contractor gets what an offer with these classes
    gives; our own people also whom to call. The requester goes nowhere.
    """
    members: dict[str, object] = {
        "number": ticket.number,
        "title": ticket.title,
        "description": ticket.description,
        "priority": ticket.priority,
        "status": ticket.status,
        "due": ticket.due_at,
        "site": _site(ticket.site),
        "asset": _asset(ticket.asset),
    }
    if reader.of_ours:
        members |= {"contact": _contact(ticket.contact), "checklist": _checklist(ticket)}
    return _view("desk.ticket", members)


def desk_comment_view(comment: Comment, reader: DeskReader, company: str) -> PublicView:
    """What a desk is told of a comment. Raises `Refused(not_public)`."""
    if not reader.may_have(comment.visibility):
        raise Refused("not_public", "Only public comments leave this company.")
    return _view(
        "desk.comment",
        {
            "comment_id": comment.comment_id,
            "body": comment.body,
            "author": _desk_author(comment.author, reader, company),
            "public": comment.visibility is not Visibility.INTERNAL,
            "rev": comment.rev,
        },
    )


def desk_words_view(text: str, company: str) -> PublicView:
    """Words the node itself says on a desk, about what everybody there may know."""
    return _view("desk.comment", {"body": text, "author": company, "public": True})


def desk_file_view(file: Attachment, reader: DeskReader) -> PublicView:
    """What a desk is told of a file. Raises `Refused(not_public)`."""
    if not reader.may_have(file.visibility):
        raise Refused("not_public", "Only public files leave this company.")
    return _view("desk.file", {**_file(file), "public": file.visibility is not Visibility.INTERNAL})


def _desk_author(author: Author, reader: DeskReader, company: str) -> str:
    """Our people by name where that is wanted; whoever else speaks, we say it."""
    name = _display(author)
    if author.account != company:  # a partner: only our own people may know of it
        return f"{name} ({author.account})"[:SHORT_MAX] if reader.of_ours and name else company
    return name if reader.names and name and author.role is Role.AGENT else company


# --- making a view -------------------------------------------------------------------------


def _shown(direction: Direction, by: Party, withhold: Withheld) -> Withheld:
    return direction.disclosed_by(by) - withhold


def _view(kind: str, members: Mapping[str, object]) -> PublicView:
    data = {name: _json(value) for name, value in members.items() if value is not None}
    if wire_size(data) > DATA_MAX:
        raise Refused(
            "text_too_long",
            "All the texts together are too long for one message.",
            hint="Put the longest one into a file.",
        )
    return PublicView(_MAKER, kind, data)


def _json(value: object) -> Json:
    """The value as strict JSON. A whitelist of types: a whole ticket cannot slip through."""
    if type(value) is str:
        return value
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, Mapping):
        return {str(name): _json(one) for name, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    raise TypeError(f"a {type(value).__name__} does not leave")


def _instant(at: datetime) -> str:
    # The wire's spelling. Written here too because domain and protocol do not know each other.
    if at.tzinfo is None:
        raise ValueError("an instant without a time zone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
