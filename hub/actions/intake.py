"""What a letter that was read does: one transaction takes all of it over, or none.

Who may say what is decided in `domain/correspondence.py`; what it points at is looked up here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from hub.actions import correspondence, desk_letters, mail_acts, posts, tickets
from hub.actions.comments import announce
from hub.actions.context import SYSTEM, Hub
from hub.actions.files import NewFile, attach_in
from hub.actions.letters import hold
from hub.domain.comment import Role, Visibility
from hub.domain.correspondence import ANSWER_AGAIN, Judgement, Known, Outcome, judge
from hub.domain.lengths import CONTENT_MAX, TEXT_MAX, TITLE_MAX, shortened
from hub.domain.letter import Letter, Standing
from hub.domain.ticket import Priority, Requester
from hub.domain.webhook import EventType
from hub.i18n import gettext, reading_in
from hub.ids import CommentId, TicketId
from hub.storage import comments, correspondences, letters
from hub.storage import tickets as stored_tickets
from hub.storage.comments import Comment
from hub.storage.correspondences import Correspondence
from hub.storage.database import Tx
from hub.storage.desk_numbers import DeskNumber
from hub.storage.letters import LetterState, StoredLetter

FRESH: Final = timedelta(days=1)  # an older letter is not acknowledged any more


@dataclass(frozen=True, slots=True)
class Intake:
    """How a mailbox makes tickets of letters."""

    address: str
    service: str = ""
    priority: Priority = Priority.NORMAL
    acknowledge: bool = True
    language: str = ""  # of letters whose own cannot be told; empty: the node's


async def settle(
    hub: Hub,
    letter_id: str,
    letter: Letter,
    standing: Standing,
    intake: Intake,
    files: Sequence[NewFile],
) -> Outcome | None:
    """Take over what a letter says, in one transaction; None where it was done before."""

    def transaction(tx: Tx) -> Outcome | None:
        now = hub.now()
        theirs = None if letter.desk is None else desk_letters.known(tx, letter.desk)
        row = letters.lock(tx, letter_id)
        if row is None or row.state is not LetterState.STORED:
            return None
        letters.change(
            tx,
            letter_id,
            attempts=row.attempts + 1,
            fingerprint=letter.fingerprint,
            message_id=letter.message_id,
            author=letter.said_from,
            subject=letter.subject,
            standing=standing,
        )
        found = _look(tx, hub, row, letter, theirs)
        judged = judge(letter, standing, found.known)
        if judged.outcome is Outcome.HELD and row.decided == Outcome.TICKET and letter.author:
            judged = Judgement(Outcome.TICKET)
        return _carry_out(tx, hub, row, letter, found, judged, intake, files, now)

    return await hub.db.write(transaction)


# --- where it points ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """What our records say about the places a letter points at."""

    known: Known
    correspondence: Correspondence | None  # by token, else by reference
    returned_to: str | None  # hash of the return address it came to
    theirs: DeskNumber | None  # our ticket for the number of a customer's desk


def _look(tx: Tx, hub: Hub, row: StoredLetter, letter: Letter, theirs: DeskNumber | None) -> _Found:
    connection = tx.connection
    places = [*row.recipients, *(one.address for one in (*letter.to, *letter.cc))]
    tokens = [found for place in places if (found := correspondence.token_in(place))]
    by_token: Correspondence | None = None
    for kind, token in tokens:
        if kind == correspondence.REPLY and by_token is None:
            by_token = correspondences.by_token(connection, token)
    returned_to = next(
        (correspondences.hashed(token) for kind, token in tokens if kind == correspondence.RETURN),
        None,
    )
    refers = correspondences.by_letters(
        connection, list(dict.fromkeys([*letter.in_reply_to, *letter.references[-20:]]))
    )
    author = letter.author.key if letter.author else ""
    live = [one for one in refers if one.ended_at is None]
    # Several people may be in one thread: the one who writes counts.
    by_reference = next((one for one in live if one.address == author), next(iter(live), None))
    if returned_to is None and letter.bounces:
        returned_to = posts.returned(tx, [one.message_id for one in letter.bounces])
    known = Known(
        by_token=None if by_token is None else by_token.address,
        token_ended=by_token is not None and by_token.ended_at is not None,
        token_unknown=by_token is None
        and any(kind == correspondence.REPLY for kind, _token in tokens),
        by_reference=None if by_reference is None else by_reference.address,
        seen=letters.is_seen(connection, letter.fingerprint, row.id),
        ours=bool(letter.loop) and letter.loop == correspondence.mark(hub),
        report_of_ours=returned_to is not None,
        desk_ticket=theirs is not None,
        desk_echo=theirs is not None
        and letter.desk is not None
        and desk_letters.echoes(connection, theirs, letter.desk),
    )
    if theirs is not None:
        thread = correspondences.find(connection, theirs.correspondence_id)
        return _Found(known, thread, returned_to, theirs)
    return _Found(known, by_token or by_reference, returned_to, None)


def _carry_out(
    tx: Tx,
    hub: Hub,
    row: StoredLetter,
    letter: Letter,
    found: _Found,
    judged: Judgement,
    intake: Intake,
    files: Sequence[NewFile],
    now: datetime,
) -> Outcome:
    outcome = judged.outcome
    if outcome is Outcome.HELD:
        letters.change(tx, row.id, outcome=outcome)
        hold(tx, hub, row.id, judged.why, now)
        return outcome
    ticket_id: TicketId | None = None
    comment_id: CommentId | None = None
    if judged.outcome is Outcome.TICKET:
        ticket_id = _begin(tx, hub, letter, judged, intake, files, now)
    elif judged.outcome in {Outcome.REPLY, Outcome.NOTE}:
        assert found.correspondence is not None
        ticket_id = found.correspondence.ticket_id
        news = True
        if found.theirs is not None and letter.desk is not None:
            changed = desk_letters.apply(tx, hub, found.theirs, letter.desk, now)
            news = changed or bool(letter.desk.text or files)
        if news:
            comment_id = _take(tx, hub, row, found.correspondence, letter, judged, files, now)
        else:
            outcome = Outcome.NOTHING
    elif judged.outcome is Outcome.REPORT and found.returned_to is not None:
        ticket_id = posts.report(tx, hub, found.returned_to, letter, now)
    letters.change(
        tx,
        row.id,
        outcome=outcome,
        state=LetterState.DONE,
        settled_at=now,
        next_at=None,
        last_error=None,
        ticket_id=ticket_id,
        comment_id=comment_id,
    )
    return outcome


# --- tickets and comments -------------------------------------------------------------------


def _begin(
    tx: Tx,
    hub: Hub,
    letter: Letter,
    judged: Judgement,
    intake: Intake,
    files: Sequence[NewFile],
    now: datetime,
) -> TicketId:
    """A new ticket, and the correspondence about it with who wrote."""
    author = letter.author
    assert author is not None
    language = letter.language or intake.language or hub.account.language
    wish = tickets.NewTicket(
        title=shortened(letter.subject, TITLE_MAX, TITLE_MAX * 2) or _untitled(language),
        description=shortened(letter.words or letter.text, TEXT_MAX, CONTENT_MAX // 2),
        priority=intake.priority,
        service=intake.service,
        requester=Requester(name=author.name, email=author.address),
    )
    person, subject = author, letter.subject
    if letter.desk is not None:
        wish = desk_letters.wish(tx.connection, hub, letter.desk, wish)
        wish = replace(wish, title=shortened(wish.title, TITLE_MAX, TITLE_MAX * 2))
        wish = replace(wish, description=shortened(wish.description, TEXT_MAX, CONTENT_MAX // 2))
        person, subject = desk_letters.address(letter), letter.desk.answer_subject
    made = tickets.create_in(tx, hub, SYSTEM, wish, now)
    attach_in(tx, hub, made.id, files, Visibility.CLIENT, now, comment_id=None)
    thread = correspondence.begin(
        tx,
        hub,
        made.id,
        intake.address,
        person,
        language=language,
        subject=subject,
        now=now,
    )
    thread = _remember(tx, thread, letter)
    fresh = letter.date is None or abs(now - letter.date) < FRESH
    if judged.answer and intake.acknowledge and fresh:
        address = correspondences.hashed(author.key)
        if letters.may_answer(tx, address, now, now - ANSWER_AGAIN):
            posts.acknowledge(tx, hub, thread, made.number, letter.hops, now)
    return made.id


def _untitled(language: str) -> str:
    with reading_in(language):
        return gettext("(no subject)")


def _remember(tx: Tx, thread: Correspondence, letter: Letter) -> Correspondence:
    if letter.desk is not None:
        desk_letters.remember(tx, letter, thread)
    if not letter.message_id:
        return thread
    correspondences.remember(tx, thread.id, letter.message_id)
    correspondences.change(tx, thread.id, newest_id=letter.message_id)
    return replace(thread, newest_id=letter.message_id)


def _take(
    tx: Tx,
    hub: Hub,
    row: StoredLetter,
    thread: Correspondence,
    letter: Letter,
    judged: Judgement,
    files: Sequence[NewFile],
    now: datetime,
) -> CommentId:
    """What was said in a thread: a partner's goes the way of partners, else it is said here."""
    if thread.handoff_id and judged.outcome is Outcome.REPLY:
        body = shortened(letter.words or letter.text, TEXT_MAX, CONTENT_MAX // 2)
        standing = Standing.ALIGNED if judged.proven else Standing.UNKNOWN
        said = mail_acts.reply(tx, hub, thread, row.id, letter, body, files, standing, now)
        if said is not None:
            _remember(tx, thread, letter)
            return said
        judged = replace(judged, outcome=Outcome.NOTE, visibility=Visibility.INTERNAL)
    return _say(tx, hub, thread, letter, judged, files, now)


def _say(
    tx: Tx,
    hub: Hub,
    thread: Correspondence,
    letter: Letter,
    judged: Judgement,
    files: Sequence[NewFile],
    now: datetime,
) -> CommentId:
    """The letter becomes a comment of who wrote it; nobody is replaced by it."""
    author = letter.author
    assert author is not None
    stored_tickets.touch(tx, thread.ticket_id, now)
    named = f"{author.name} <{author.address}>" if author.name else author.address
    if letter.desk is not None:
        named = letter.desk.desk
    elif not judged.proven:
        with reading_in(hub.account.language):
            named = gettext("{name} (sender not verified)").format(name=named)
    words = letter.words or letter.text
    if letter.desk is not None:
        words = letter.desk.text or letter.subject
    body = shortened(words, TEXT_MAX, CONTENT_MAX // 2)
    comment = Comment(
        id=CommentId(hub.new_id("cmt", now)),
        ticket_id=thread.ticket_id,
        visibility=judged.visibility,
        author_ref=thread.id if judged.outcome is Outcome.REPLY else "mail",
        author=named[:200],
        role=Role.REQUESTER if judged.outcome is Outcome.REPLY else Role.SYSTEM,
        account="",
        body=body,
        at=now,
    )
    comments.add(tx, comment)
    attach_in(tx, hub, thread.ticket_id, files, judged.visibility, now, comment_id=comment.id)
    if judged.outcome is Outcome.REPLY:
        _remember(tx, thread, letter)
    announce(tx, hub, EventType.COMMENT_ADDED, comment, now)
    return comment.id
