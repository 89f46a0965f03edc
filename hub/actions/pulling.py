"""What a foreign desk says becomes ours: tickets, comments, files, statuses, and how they end.

One transaction takes over one ticket as it stands over there, whole; taking the same state twice
changes nothing. Nothing here believes that a change is news: it is compared with what was last
accounted for (`hub/domain/desk.py`), so that what we wrote there ourselves is known again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import (
    announcing,
    assigning,
    comments,
    files,
    outgoing,
    rebuilding,
    settled,
    tickets,
)
from hub.actions.context import SYSTEM, Actor, Hub
from hub.actions.desk_steps import follow
from hub.actions.files import NewFile
from hub.domain import ticket as ticket_rules
from hub.domain.assignment import LinkKind
from hub.domain.comment import Author, Role, Visibility
from hub.domain.delivery import backoff
from hub.domain.desk import (
    DONE,
    FIELDS,
    FOLLOWED,
    Base,
    DeskRole,
    Mirror,
    PairState,
    Rules,
    TheirComment,
    TheirFile,
    TheirTicket,
    Turn,
    compared,
    file_print,
    heeds,
    number_in,
    print_of,
    turn,
    way,
    woken_by_us,
)
from hub.domain.disclosure import COMPANY_REF
from hub.domain.handoff import OVER, Party
from hub.domain.lengths import CONTENT_MAX, SHORT_MAX, TEXT_MAX, TITLE_MAX, shortened
from hub.domain.ticket import Priority, Requester, Ticket, TicketStatus
from hub.domain.webhook import EventType
from hub.i18n import LANGUAGES, N_, reading_in
from hub.i18n import gettext as _
from hub.ids import CommentId, DeskId, PairId, TicketId
from hub.storage import (
    assignments,
    attachments,
    audit,
    desk_tickets,
    desks,
    ground,
    handoffs,
    streams,
)
from hub.storage import comments as stored_comments
from hub.storage import tickets as stored_tickets
from hub.storage.assignments import TicketLink
from hub.storage.comments import Comment
from hub.storage.database import Connection, Tx
from hub.storage.desk_tickets import Item, Pair

TICKET: Final = "desk_ticket"  # alert about one pair
UNKNOWN: Final = "desk_unknown_words"  # alert: a table lacks a word
OUR_NUMBER: Final = N_(
    "Our number: {number}"
)  # written on a customer's desk, and found there again
TRIES: Final = 8  # then a ticket that cannot be read waits for a person
_NO_MORE: Final = ""  # in the place of a print: what became of it over there is not ours to follow
_AGAIN_AT_MOST: Final = timedelta(hours=1)


@dataclass(slots=True)
class Taken:
    """What one taking-over changed."""

    ticket_id: TicketId
    pair_id: PairId
    begun: bool = False
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)  # before, after
    comments: int = 0
    edited: int = 0
    files: int = 0
    unknown: tuple[tuple[str, str], ...] = ()
    state: PairState = PairState.LIVE


@dataclass(slots=True)
class _Taking:
    """One taking-over under way."""

    tx: Tx
    hub: Hub
    desk_id: DeskId
    rules: Rules
    there: TheirTicket
    fetched: Mapping[str, NewFile | None]
    now: datetime
    actor: Actor
    done: Taken
    items: dict[tuple[str, str], Item] = field(default_factory=dict)  # by kind and their id
    going: set[tuple[str, str]] = field(default_factory=set)  # kind and print of what is on its way
    tied: set[str] = field(default_factory=set)  # ids here of what both sides have
    restored: bool = False  # words of theirs may be here again already, from a partner's log

    def account(self) -> str:
        """Whose words theirs are."""
        return self.hub.account.name if self.rules.role is DeskRole.OWN else self.rules.company


# --- what is to be fetched ------------------------------------------------------------------


def crossing(rules: Rules, there: TheirTicket) -> list[tuple[TheirFile, str | None]]:
    """Their files that become ours, with the comment each belongs to."""
    shown = {one.id for one in there.comments if not one.by_us and _crosses(rules, one.public)}
    return [
        (file, comment)
        for file, comment in there.every_file()
        if not file.by_us
        and (comment in shown if comment is not None else _crosses(rules, file.public))
    ]


def _crosses(rules: Rules, public: bool) -> bool:
    return public or rules.takes_notes


async def prints(hub: Hub, desk_id: DeskId) -> dict[str, str]:
    """What was taken last of every ticket over there: what looks the same need not be taken."""
    return await hub.db.read(lambda connection: desk_tickets.prints(connection, desk_id))


async def missing_files(
    hub: Hub, desk_id: DeskId, rules: Rules, there: TheirTicket
) -> list[TheirFile]:
    """Files whose bytes are to be fetched before the ticket can be taken over."""

    def query(connection: Connection) -> list[TheirFile]:
        pair = desk_tickets.of_theirs(connection, desk_id, there.id)
        if pair is None:
            new = _our_number(hub, rules, there) is not None or _begins(hub, rules, there)
            return [file for file, _in in crossing(rules, there)] if new else []
        items = desk_tickets.items(connection, pair.id)
        known = {one.external_id for one in items if one.kind == "att"}
        going = _on_their_way(items)
        return [
            file
            for file, _in in crossing(rules, there)
            if file.id not in known and ("att", file_print(file.name, file.size)) not in going
        ]

    return await hub.db.read(query)


def _on_their_way(items: list[Item]) -> set[tuple[str, str]]:
    return {(one.kind, one.print) for one in items if one.ours and one.external_id is None}


# --- a ticket as it stands ------------------------------------------------------------------


async def take(
    hub: Hub,
    desk_id: DeskId,
    rules: Rules,
    there: TheirTicket,
    fetched: Mapping[str, NewFile | None],
) -> Taken | None:
    """Take over how a ticket stands over there; None where it is none of ours.

    `fetched` has the files that `missing_files` named; None for one that is not taken at all.
    Raises Unavailable where one of our links is held back after a restore: then nothing happened.
    """
    return await hub.db.write(
        lambda tx: take_in(tx, hub, desk_id, rules, there, fetched, hub.now())
    )


def take_in(
    tx: Tx,
    hub: Hub,
    desk_id: DeskId,
    rules: Rules,
    there: TheirTicket,
    fetched: Mapping[str, NewFile | None],
    now: datetime,
) -> Taken | None:
    """`take`, within a transaction."""
    with reading_in(hub.account.language):
        known = _pair_of(tx, hub, desk_id, rules, there, now)
        pair, begun = known, known is None
        if pair is None:
            if not _begins(hub, rules, there):
                return None
            pair = _begin(tx, hub, desk_id, rules, there, now)
        ground.of_tickets(tx, pair.ticket_id)
        pair = desk_tickets.lock(tx, pair.id)
        assert pair is not None
        if pair.state not in FOLLOWED:
            return None
        for one in handoffs.of_ticket(tx.connection, pair.ticket_id):
            if one.state not in OVER:
                settled.check(tx, one.link_id, one.id)
        items = desk_tickets.items(tx.connection, pair.id)
        taking = _Taking(
            tx=tx,
            hub=hub,
            desk_id=desk_id,
            rules=rules,
            there=there,
            fetched=fetched,
            now=now,
            actor=Actor(SYSTEM.ref, rules.company, SYSTEM.role),
            done=Taken(pair.ticket_id, pair.id, begun=begun, unknown=there.unknown),
            items={(one.kind, one.external_id): one for one in items if one.external_id},
            going=_on_their_way(items),
            tied={one.local_id for one in items},
            restored=streams.was_taken_back(tx.connection),
        )
        _take_over(taking, pair)
        return taking.done


def _pair_of(
    tx: Tx, hub: Hub, desk_id: DeskId, rules: Rules, there: TheirTicket, now: datetime
) -> Pair | None:
    """The pair they belong to by now: known, or found again by our number over there."""
    pair = desk_tickets.of_theirs(tx.connection, desk_id, there.id)
    number = _our_number(hub, rules, there) if pair is None else None
    ours = None if number is None else stored_tickets.with_number(tx.connection, number)
    if ours is None:
        return pair
    pair = desk_tickets.of_ours(tx.connection, desk_id, ours.id)
    if pair is None:
        return _again(tx, hub, desk_id, rules, ours, there, now)
    if pair.external_id is not None:
        return None  # a copy of it, made over there
    # We made it, and never heard of it.
    desk_tickets.change(
        tx, pair.id, external_id=there.id, number=there.number[:SHORT_MAX], url=there.url[:2000]
    )
    return desk_tickets.find(tx.connection, pair.id)


def _our_number(hub: Hub, rules: Rules, there: TheirTicket) -> str | None:
    """Under which number of ours it is known over there: by our marker, or by our own words."""
    if there.marker:
        return number_in(there.marker, hub.account.node_id)
    if rules.role is not DeskRole.CUSTOMER:
        return None
    for one in there.comments:
        if one.by_us and (found := _told_number(one.body)) is not None:
            return found
    return None


def _told_number(words: str) -> str | None:
    """The number that these words of ours tell, in whatever language we told it."""
    for language in LANGUAGES:
        with reading_in(language):
            before, _place, after = _(OUR_NUMBER).partition("{number}")
        words = " ".join(words.split())
        if words.startswith(before) and words.endswith(after):
            number = words[len(before) : len(words) - len(after)]
            if number.startswith("T-") and number[2:].isascii() and number[2:].isdigit():
                return number
    return None


def _again(
    tx: Tx,
    hub: Hub,
    desk_id: DeskId,
    rules: Rules,
    ours: Ticket,
    there: TheirTicket,
    now: datetime,
) -> Pair:
    """They were one before we lost our memory of it: so they are again."""
    pair = join_in(tx, hub, desk_id, ours, there, now)
    if rules.role is DeskRole.CUSTOMER:
        # What of ours stands there may be older than their last word.
        unknown = {name: [None, None] for name in FIELDS if name != "status"}
        desk_tickets.change(tx, pair.id, base=pair.base | unknown)
    return pair


def _begins(hub: Hub, rules: Rules, there: TheirTicket) -> bool:
    """Whether a ticket over there that we do not know becomes one of ours."""
    if there.merged_into or not there.assigned or there.status in DONE:
        return False
    if rules.role is DeskRole.CUSTOMER:
        return True
    if rules.role is not DeskRole.OWN or rules.mirror is not Mirror.ALL:
        return False
    # Somebody of ours wrote it down; or we made it, and only the desk still knows of it.
    return not there.marker or number_in(there.marker, hub.account.node_id) is not None


def _begin(
    tx: Tx, hub: Hub, desk_id: DeskId, rules: Rules, there: TheirTicket, now: datetime
) -> Pair:
    requester = Requester(
        name=there.requester_name[:SHORT_MAX], email=there.requester_email[:SHORT_MAX]
    )
    wish = tickets.NewTicket(
        title=_title(there.title),
        description=_text(there.description),
        priority=there.priority or Priority.NORMAL,
        service=rules.service,
        requester=requester,
    )
    # Whoever was told a number of ours hears of no other: it may come from before a restore.
    number = _our_number(hub, rules, there)
    if number is not None and stored_tickets.with_number(tx.connection, number) is not None:
        number = None
    rebuilding.reserve(tx, number)
    made = tickets.create_in(tx, hub, SYSTEM, wish, now, number=number)
    return join_in(tx, hub, desk_id, made, there, now)


def join_in(
    tx: Tx, hub: Hub, desk_id: DeskId, ours: Ticket, there: TheirTicket, now: datetime
) -> Pair:
    """The two are one from now on, as they stand."""
    pair = Pair(
        id=PairId(hub.new_id("dtk", now)),
        desk_id=desk_id,
        ticket_id=ours.id,
        external_id=there.id,
        number=there.number[:SHORT_MAX],
        url=there.url[:2000],
        state=PairState.LIVE,
        base={
            name: [compared(name, getattr(ours, name)), there.value(name)]
            for name in FIELDS
            if name != "status"
        }
        # A status is taken over at once: work may have begun over there.
        | {"status": [str(ours.status), str(TicketStatus.NEW)]},
        updated_there=None,
        print=None,
        changed=1,
        told=0,
        attempts=0,
        next_at=None,
        error=None,
        made_at=now,
    )
    desk_tickets.add(tx, pair)
    return pair


def known_there(tx: Tx, pair: Pair, there: TheirTicket, now: datetime) -> None:
    """What stands over there by now is not taken over: both sides had it before."""
    found = [("cmt", one.id, print_of(one.body)) for one in there.comments]
    found += [("att", one.id, file_print(one.name, one.size)) for one, _in in there.every_file()]
    for kind, external_id, print_ in found:
        desk_tickets.keep_item(
            tx,
            Item(
                pair_id=pair.id,
                kind=kind,
                local_id=f"there:{print_of(external_id)[:40]}",
                external_id=external_id,
                ours=False,
                rev=1,
                print=print_,
                at=now,
            ),
        )


def _title(text: str) -> str:
    return shortened(" ".join(text.split()), TITLE_MAX, TITLE_MAX * 2) or _("(no subject)")


def _text(text: str) -> str:
    return shortened(text, TEXT_MAX, CONTENT_MAX // 2)


def _take_over(taking: _Taking, pair: Pair) -> None:
    tx, there, now = taking.tx, taking.there, taking.now
    changes: dict[str, Any] = {
        "print": there.print,
        "number": there.number[:SHORT_MAX] or pair.number,
        "url": there.url[:2000] or pair.url,
    }
    older = bool(there.updated_at and pair.updated_there and there.updated_at < pair.updated_there)
    if there.merged_into:
        changes |= _merged(taking, pair)
    elif not there.assigned and pair.state is not PairState.AWAY:
        changes["state"] = PairState.AWAY
        _tell_people(taking, _("Over there it is not ours to work on any more."))
    elif there.assigned and pair.state is PairState.AWAY:
        changes["state"] = PairState.LIVE
        _tell_people(taking, _("Over there it is ours again."))
    _comments(taking)
    _withdrawn(taking)
    _files(taking)
    # A webhook that was overtaken says what is true no more, a merged ticket what never will be.
    if not older and not there.merged_into:
        changes["updated_there"] = there.updated_at or pair.updated_there
        changes["base"] = _fields(taking, pair)
    for name, value in there.unknown:
        if desks.note_unknown(tx, taking.desk_id, name, value, there.id, now):
            outgoing.alarm(
                tx,
                taking.hub,
                UNKNOWN,
                taking.desk_id,
                "The desk of {company} uses words that its tables do not have.",
                now,
                company=taking.rules.company,
                field=name,
                value=value[:200],
            )
    desk_tickets.change(tx, pair.id, **changes)
    desk_tickets.mark(tx, pair.ticket_id)  # it may have to be told something of it
    taking.done.state = changes.get("state", pair.state)


def _fields(taking: _Taking, pair: Pair) -> dict[str, list[str | None]]:
    """Take what is theirs to say; the new state of accounts."""
    tx, there = taking.tx, taking.there
    child = any(
        one.party is Party.CONTRACTOR and one.detached_at is None
        for one in handoffs.of_ticket(tx.connection, pair.ticket_id)
    )
    base = {name: list(pair.base.get(name, [None, None])) for name in FIELDS}
    taken: dict[str, Any] = {}
    ticket = stored_tickets.lock(tx, pair.ticket_id)
    for name in FIELDS:
        ours, theirs = compared(name, getattr(ticket, name)), there.value(name)
        assert ours is not None
        how = way(taking.rules.role, name, child=child)
        if name == "status" and _woken(taking, base[name][1]):
            continue
        match turn(name, Base(*base[name]), ours, theirs, how):
            case Turn.NOTED:
                base[name] = [ours, theirs]
            case Turn.TELL if theirs is not None:
                base[name] = [None, theirs]
            case Turn.TAKE if name == "status" and not _heeded(taking, ticket):
                base[name] = [ours, theirs]
            case Turn.TAKE if name != "status":
                taken[name] = _value(name, there)
                base[name] = [compared(name, taken[name]), theirs]
            case Turn.TAKE:
                base[name] = [_status(taking, ticket), theirs]
            case _:
                pass
    if taken:
        _change(taking, taken)
    return base


def _woken(taking: _Taking, before: str | None) -> bool:
    """Whether words of ours on their way opened it: who writes them puts that right (`push`)."""
    known = {external_id for kind, external_id in taking.items if kind == "cmt"}
    return bool(taking.going) and woken_by_us(before, taking.there, known)


def _heeded(taking: _Taking, ticket: Ticket) -> bool:
    status = taking.there.status
    return status is not None and heeds(taking.rules.role, ticket.status, status)


def _value(name: str, there: TheirTicket) -> Any:
    found = getattr(there, name)
    if name == "title":
        return _title(found)
    return _text(found) if name == "description" else found


def _change(taking: _Taking, taken: dict[str, Any]) -> None:
    tx, hub, now = taking.tx, taking.hub, taking.now
    before = stored_tickets.lock(tx, taking.done.ticket_id)
    after = replace(before, **taken, updated_at=now)
    ticket_rules.check(after)
    told = assigning.in_words(tx.connection, before, taken, {})
    stored_tickets.change(tx, before.id, updated_at=now, **taken)
    assigning.record(tx, taking.actor, before.id, "changed", told, now)
    tickets.tell_contractors(tx, hub, before, after, now)
    announcing.of_ticket(tx, hub, EventType.TICKET_CHANGED, after, now)
    taking.done.fields |= {
        name: (str(getattr(before, name)), str(value)) for name, value in taken.items()
    }


def _status(taking: _Taking, ticket: Ticket) -> str | None:
    """What their status does here; ours afterwards, or None where theirs is to be put right."""
    status = taking.there.status
    assert status is not None
    said = [one for one in taking.there.comments if one.public and not one.by_us and one.body]
    words = said[-1].body if said else ""
    trouble, stays = follow(
        taking.tx,
        taking.hub,
        taking.rules,
        ticket,
        status,
        words=_text(words),
        actor=taking.actor,
        now=taking.now,
    )
    for one in trouble:
        _tell_people(taking, one)
    after = stored_tickets.get(taking.tx.connection, ticket.id).status
    if after is not ticket.status:
        taking.done.fields["status"] = (str(ticket.status), str(after))
    return str(after) if stays else None


# --- comments and files ---------------------------------------------------------------------


def _comments(taking: _Taking) -> None:
    for one in sorted(taking.there.comments, key=lambda one: one.at):
        if one.by_us or not _crosses(taking.rules, one.public):
            continue
        known = taking.items.get(("cmt", one.id))
        if known is not None:
            if not known.ours and known.print not in {_NO_MORE, print_of(one.body)}:
                _edited(taking, known, one)
        elif ("cmt", print_of(one.body)) not in taking.going:
            _said(taking, one)


def _withdrawn(taking: _Taking) -> None:
    """What they deleted, or made private, was taken back: here and wherever it was sent."""
    tx, hub, there, now = taking.tx, taking.hub, taking.there, taking.now
    if not there.every_comment or there.merged_into:
        return
    shown = {one.id for one in there.comments if _crosses(taking.rules, one.public)}
    for (kind, external_id), known in list(taking.items.items()):
        if kind != "cmt" or known.ours or external_id in shown or known.print == _NO_MORE:
            continue
        _keep(taking, "cmt", known.local_id, external_id, _NO_MORE)
        comment = stored_comments.find(tx.connection, known.local_id)
        if comment is None or comment.redacted_at is not None:
            continue
        comments.withdraw(tx, comment, now, now)
        comments.spread_redaction(tx, hub, comment.id, _("Taken back over there."), now)
        comments.announce(tx, hub, EventType.COMMENT_CHANGED, comment, now)
        taking.done.edited += 1


def _said(taking: _Taking, one: TheirComment) -> None:
    tx, hub, there = taking.tx, taking.hub, taking.there
    here = [file for file in one.files if taking.fetched.get(file.id) is not None]
    if not one.body.strip() and not here:
        return
    by_requester = (
        taking.rules.role is DeskRole.CUSTOMER
        and bool(one.author_id)
        and one.author_id == there.requester_id
    )
    met = _met(taking, one)
    comment = Comment(
        id=met or CommentId(hub.new_id("cmt", taking.now)),
        ticket_id=taking.done.ticket_id,
        visibility=Visibility.PUBLIC if one.public else Visibility.INTERNAL,
        author_ref=taking.desk_id,
        author=(one.author or taking.rules.company)[:SHORT_MAX],
        role=Role.REQUESTER if by_requester else Role.AGENT,
        account=taking.account(),
        body=_text(one.body),
        format="plain",
        at=taking.now,
        rev=1,
        edited_at=None,
        redacted_at=None,
        reply_to=None,
        origin_handoff_id=None,
    )
    if met is None:
        stored_comments.add(tx, comment)
    else:
        stored_comments.replace(tx, comment)
    _keep(taking, "cmt", comment.id, one.id, print_of(one.body))
    here = [file for file in here if not _met_file(taking, file)]
    wanted = [found for file in here if (found := taking.fetched[file.id]) is not None]
    attached = files.attach_in(
        tx, hub, comment.ticket_id, wanted, comment.visibility, taking.now, comment_id=comment.id
    )
    for file, row in zip(here, attached, strict=True):
        _keep(taking, "att", row.attachment_id, file.id, file_print(file.name, file.size))
    stored_tickets.touch(tx, comment.ticket_id, taking.now)
    comments.spread(tx, hub, comment, attached, taking.now, came_by=None, met=met is not None)
    if met is None:
        comments.announce(tx, hub, EventType.COMMENT_ADDED, comment, taking.now)
    taking.done.comments += 1
    taking.done.files += len(attached)


def _met(taking: _Taking, one: TheirComment) -> CommentId | None:
    """The comment that came back without its author: we had told a partner of it.

    What a partner's log gives back after a restore is ours, and names nobody.
    """
    if not taking.restored:
        return None
    for known in stored_comments.of_ticket(taking.tx.connection, taking.done.ticket_id):
        nameless = known.author_ref == COMPANY_REF and known.origin_handoff_id is None
        same = nameless and known.redacted_at is None and known.body == _text(one.body)
        if same and known.id not in taking.tied:
            return known.id
    return None


def _met_file(taking: _Taking, file: TheirFile) -> bool:
    """The same of a file; it is known again."""
    found = taking.fetched.get(file.id)
    if not taking.restored or found is None:
        return False
    for known in attachments.of_ticket(taking.tx.connection, taking.done.ticket_id):
        same = (known.sha256, known.name) == (found.sha256, found.name)
        if same and known.origin_handoff_id is None and known.id not in taking.tied:
            _keep(taking, "att", known.id, file.id, file_print(file.name, file.size))
            return True
    return False


def _edited(taking: _Taking, known: Item, one: TheirComment) -> None:
    tx, hub, now = taking.tx, taking.hub, taking.now
    comment = stored_comments.find(tx.connection, known.local_id)
    if comment is None or comment.redacted_at is not None or not one.body.strip():
        return
    stored_comments.change(tx, comment.id, body=_text(one.body), rev=comment.rev + 1, edited_at=now)
    comments.spread_edit(tx, hub, comment.id, now)
    comments.announce(tx, hub, EventType.COMMENT_CHANGED, comment, now)
    _keep(taking, "cmt", comment.id, one.id, print_of(one.body))
    taking.done.edited += 1


def _files(taking: _Taking) -> None:
    """The ticket's own files, and those of comments that were here before them."""
    tx, hub = taking.tx, taking.hub
    for file, _comment in crossing(taking.rules, taking.there):
        if ("att", file.id) in taking.items or file.id not in taking.fetched:
            continue
        found = taking.fetched[file.id]
        print_ = file_print(file.name, file.size)
        if found is None:
            _keep(taking, "att", f"none:{print_of(file.id)[:20]}", file.id, print_)
            text = _("The file {name} was not taken: it is too large, or not there any more.")
            note_in(tx, hub, taking.done.ticket_id, text.format(name=file.name[:200]), taking.now)
            continue
        if _met_file(taking, file):
            continue
        author = Author(taking.desk_id, taking.rules.company, Role.SYSTEM, taking.account())
        visibility = Visibility.PUBLIC if file.public else Visibility.INTERNAL
        made = files.put_in(tx, hub, taking.done.ticket_id, [found], visibility, author, taking.now)
        _keep(taking, "att", made[0], file.id, print_)
        taking.done.files += 1


def _keep(taking: _Taking, kind: str, local_id: str, external_id: str, print_: str) -> None:
    item = Item(
        pair_id=taking.done.pair_id,
        kind=kind,
        local_id=local_id,
        external_id=external_id,
        ours=False,
        rev=1,
        print=print_,
        at=taking.now,
    )
    desk_tickets.keep_item(taking.tx, item)
    taking.items[kind, external_id] = item
    taking.tied.add(local_id)


# --- merged, gone, unreadable ---------------------------------------------------------------


def _merged(taking: _Taking, pair: Pair) -> dict[str, Any]:
    """Over there it is part of another ticket: follow it there, or say that both are one."""
    tx, into = taking.tx, taking.there.merged_into
    other = desk_tickets.of_theirs(tx.connection, pair.desk_id, into)
    if other is None:
        _tell_people(
            taking,
            _("Over there it was merged into {number}; it is followed there.").format(number=into),
        )
        desks.want_look(tx, pair.desk_id, into, taking.now)
        for known in [one for one in taking.items.values() if not one.ours]:
            # Whether its words went along is the desk's affair: none was taken back for it.
            desk_tickets.keep_item(tx, replace(known, print=_NO_MORE))
        return {"external_id": into, "print": None}
    if other.id == pair.id:
        return {}
    number = stored_tickets.get(tx.connection, other.ticket_id).number
    assignments.link(tx, TicketLink(pair.ticket_id, other.ticket_id, LinkKind.DUPLICATE))
    text = _("Over there it was merged into what is our {number}.").format(number=number)
    _tell_people(taking, text)
    return {"state": PairState.MERGED}


async def gone(hub: Hub, desk_id: DeskId, rules: Rules, external_id: str) -> bool:
    """It is not over there any more; whether that was news. Ours stays, and people hear of it."""

    def transaction(tx: Tx) -> bool:
        now = hub.now()
        desks.looked(tx, desk_id, external_id)
        pair = desk_tickets.of_theirs(tx.connection, desk_id, external_id)
        if pair is None or pair.state not in FOLLOWED:
            return False
        with reading_in(hub.account.language):
            gone_in(tx, hub, rules, pair, now)
        return True

    return await hub.db.write(transaction)


def gone_in(tx: Tx, hub: Hub, rules: Rules, pair: Pair, now: datetime) -> None:
    """`gone`, within a transaction."""
    ground.of_tickets(tx, pair.ticket_id)
    desk_tickets.change(tx, pair.id, state=PairState.GONE, next_at=None)
    text = _("It was deleted on the desk of {company}.").format(company=rules.company)
    people_look(tx, hub, pair.ticket_id, text, now)


async def unreadable(hub: Hub, desk_id: DeskId, external_id: str, error: dict[str, Any]) -> None:
    """One ticket could not be read: it waits alone, then for a person."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        known = desks.look(tx.connection, desk_id, external_id)
        attempts = (known.attempts if known else 0) + 1
        wait = backoff(attempts, hub.entropy.fraction(), cap=_AGAIN_AT_MOST)
        parked = attempts >= TRIES
        desks.put_look(
            tx,
            desk_id,
            external_id,
            now,
            attempts=attempts,
            next_at=now + wait,
            parked=parked,
            error=error,
        )
        if parked:
            outgoing.alarm(
                tx,
                hub,
                TICKET,
                f"{desk_id} {external_id}",
                "A ticket of a desk cannot be read: {number}.",
                now,
                number=external_id,
            )

    await hub.db.write(transaction)


# --- people ---------------------------------------------------------------------------------


def _tell_people(taking: _Taking, text: str) -> None:
    people_look(taking.tx, taking.hub, taking.done.ticket_id, text, taking.now)


def people_look(tx: Tx, hub: Hub, ticket_id: TicketId, text: str, now: datetime) -> None:
    """Something happened over there that a person has to know: a note and an alert."""
    note_in(tx, hub, ticket_id, text, now)
    number = stored_tickets.get(tx.connection, ticket_id).number
    outgoing.alarm(
        tx, hub, TICKET, ticket_id, "Ticket {number}: {why}", now, number=number, why=text
    )


def note_in(tx: Tx, hub: Hub, ticket_id: TicketId, text: str, now: datetime) -> None:
    """An internal note of the node itself."""
    note = Comment(
        id=CommentId(hub.new_id("cmt", now)),
        ticket_id=ticket_id,
        visibility=Visibility.INTERNAL,
        author_ref=SYSTEM.ref,
        author=SYSTEM.display,
        role=Role.SYSTEM,
        account=hub.account.name,
        body=text,
        format="plain",
        at=now,
        rev=1,
        edited_at=None,
        redacted_at=None,
        reply_to=None,
        origin_handoff_id=None,
    )
    stored_comments.add(tx, note)
    stored_tickets.touch(tx, ticket_id, now)
    comments.announce(tx, hub, EventType.COMMENT_ADDED, note, now)


def resolved(tx: Tx, ticket_id: TicketId, now: datetime) -> None:
    """A person looked: nothing about this ticket waits any more."""
    audit.resolve_alerts(tx, kind=TICKET, subject=ticket_id, at=now)
