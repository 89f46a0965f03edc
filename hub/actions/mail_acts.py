"""What a partner without a node says: by a page that a link in a letter opens, or by replying.

A link does one thing, on one hand-off, for one address, once. Looking at its page changes
nothing; sending the page does it, by the same rules as the message of a node. Whatever is said is
sealed into the partner's stream, and what it was said with is kept beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.actions import custody, inbox, mail_links
from hub.actions.context import Hub
from hub.actions.files import NewFile
from hub.domain.comment import Role
from hub.domain.disclosure import COMPANY_REF
from hub.domain.handoff import State
from hub.domain.lengths import SHORT_MAX, TEXT_MAX, check_text
from hub.domain.letter import Letter, Standing
from hub.domain.mail_act import REASONED, TIMED, MailAct, leads_to, offered_in
from hub.errors import Conflict, NotFound, Refused, Unavailable
from hub.i18n import gettext, reading_in
from hub.ids import CommentId, HandoffId, LinkId, MessageId
from hub.protocol.encoding import instant
from hub.storage import (
    attachments,
    comments,
    correspondences,
    custodies,
    ground,
    handoffs,
    links,
    tickets,
)
from hub.storage import inbox as stored_inbox
from hub.storage import mail_links as stored
from hub.storage.attachments import Attachment, FileState
from hub.storage.correspondences import Correspondence
from hub.storage.database import Connection, Tx
from hub.storage.handoffs import Handoff
from hub.storage.inbox import InboxState
from hub.storage.links import Link, LinkState
from hub.storage.mail_links import ActLink

_NAME_MAX: Final = 100  # characters of a letter's author that are shown
FILES_IN_ONE: Final = 20  # files that one message names


@dataclass(frozen=True, slots=True)
class ActForm:
    """What the page of a link was sent with."""

    text: str = ""
    number: str = ""  # the partner's own number of the work
    eta: datetime | None = None
    files: Sequence[NewFile] = ()


@dataclass(frozen=True, slots=True)
class Witness:
    """Who sent a page, as far as one sees it."""

    network: str
    browser: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A link that opens something, and what its page shows."""

    act: MailAct
    handoff_id: HandoffId
    ticket_id: str
    link_id: LinkId
    state: State
    language: str
    used_at: datetime | None
    possible: bool  # the hand-off stands where this can be done
    wants_reason: bool
    takes_time: bool
    moved_to: str  # address of the partner's own node; empty: it has none
    number: str
    title: str  # as it was disclosed
    files: Sequence[Attachment]  # those the partner was sent


def _ended() -> NotFound:
    return NotFound(
        "guest_link_ended",
        "This address does not open anything any more.",
        hint="Use the newest letter about this work, or reply to it.",
    )


def enter(connection: Connection, hub: Hub, token: str) -> Opened:
    """What this token opens. Changes nothing; the same NotFound for wrong and for run out."""
    found = stored.by_token(connection, token)
    if found is None or found.expires_at <= hub.now():
        raise _ended()
    handoff = handoffs.find(connection, found.handoff_id)
    if handoff is None:
        raise _ended()
    kept = custodies.get(connection, found.link_id)
    moved_to = ""
    if kept.successor_id is not None:
        moved_to = links.get(connection, kept.successor_id).peer_base_url
    thread = correspondences.of_handoff(connection, handoff.id)
    return Opened(
        act=found.act,
        handoff_id=handoff.id,
        ticket_id=handoff.ticket_id,
        link_id=found.link_id,
        state=handoff.state,
        language=kept.language,
        used_at=found.used_at,
        possible=_possible(found, handoff),
        wants_reason=found.act in REASONED,
        takes_time=found.act in TIMED,
        moved_to=moved_to,
        number=tickets.get(connection, handoff.ticket_id).number,
        title="" if thread is None else thread.subject,
        files=_sent(connection, handoff),
    )


def _sent(connection: Connection, handoff: Handoff) -> list[Attachment]:
    """The files of ours that messages of this hand-off named, and that are here."""
    return [
        row
        for row in attachments.of_ticket(connection, handoff.ticket_id)
        if row.state is FileState.AVAILABLE
        and row.redacted_at is None
        and comments.refs_of(connection, "att", row.id).get(handoff.id, ("", False))[1]
    ]


def _possible(found: ActLink, handoff: Handoff) -> bool:
    if handoff.link_id != found.link_id or handoff.detached_at is not None:
        return False
    return found.act is MailAct.ERASED or found.act in offered_in(handoff.state)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a page that was sent."""

    state: State
    refused: str  # code of the rule that did not allow it; empty: it is done


async def act(hub: Hub, token: str, form: ActForm, witness: Witness) -> Done:
    """Do what the link is for, once.

    Raises NotFound(guest_link_ended); Conflict(already_done | not_possible_now | partner_moved);
    Refused(reason_missing | time_missing | text_too_long | link_suspended), Unavailable; then
    nothing was said, and the link still works where it did.
    """
    check_text("text", form.text, TEXT_MAX)
    check_text("number", form.number, SHORT_MAX)

    def transaction(tx: Tx) -> tuple[LinkId, HandoffId, list[MessageId]]:
        now = hub.now()
        opened = enter(tx.connection, hub, token)
        ground.of_handoffs(tx, opened.handoff_id, beside=[opened.link_id])
        known = stored.by_token(tx.connection, token)
        assert known is not None
        found = stored.lock_act(tx, known.id)
        handoff = handoffs.lock(tx, opened.handoff_id)
        link = links.get(tx.connection, found.link_id)
        _check(tx, found, handoff, link, form)
        said = [
            custody.say(tx, hub, link.id, type_, words, now=now, handoff_id=handoff.id)
            for type_, words in _messages(tx, hub, found, handoff, link, form, now)
        ]
        for message_id in said:
            facts = {
                "act": str(found.act),
                "address": found.address,
                "network": witness.network,
                "browser": witness.browser[:200],
                "token": found.token_hash,
            }
            mail_links.vouch(tx, link.id, handoff.id, message_id, "page", facts, now)
        stored.used(tx, found.id, now, said[0])
        state = leads_to(found.act, handoff.state)
        words = {"act": str(found.act), "text": form.text}
        mail_links.write(tx, hub, link, handoff, mail_links.NOTED, words, now, state=state)
        return link.id, handoff.id, said

    link_id, handoff_id, said = await hub.db.write(transaction)
    await inbox.apply_some(hub, link_id)

    def outcome(connection: Connection) -> Done:
        handoff = handoffs.find(connection, handoff_id)
        assert handoff is not None
        rows = [stored_inbox.find(connection, one) for one in said]
        refused = [one for one in rows if one is not None and one.state is InboxState.REFUSED]
        code = (refused[0].last_error or "").partition(":")[0] if refused else ""
        return Done(handoff.state, code)

    return await hub.db.read(outcome)


def _check(tx: Tx, found: ActLink, handoff: Handoff, link: Link, form: ActForm) -> None:
    if custodies.get(tx.connection, link.id).successor_id is not None:
        raise Conflict("partner_moved", "This partner has a node of its own now.")
    if found.used_at is not None:
        raise Conflict("already_done", "This was done already; nothing more has happened now.")
    if link.state is LinkState.SUSPENDED:
        raise Refused("link_suspended", "The exchange is paused. Try again later.")
    if stored_inbox.waiting_count(tx.connection, link.id):
        raise Unavailable("overloaded", "Something you said before is still on its way.")
    if not _possible(found, handoff):
        raise Conflict(
            "not_possible_now",
            "This is not possible any more: the work is '{state}'.",
            state=handoff.state,
        )
    if found.act in REASONED and not form.text.strip():
        raise Refused("reason_missing", "Say why.")
    if found.act is MailAct.ETA and form.eta is None:
        raise Refused("time_missing", "Say when.")


def _messages(
    tx: Tx,
    hub: Hub,
    found: ActLink,
    handoff: Handoff,
    link: Link,
    form: ActForm,
    now: datetime,
) -> list[tuple[str, dict[str, Any]]]:
    """The messages that a node would send for this, in order."""
    text, from_ = form.text.strip(), str(handoff.state)
    eta = None if form.eta is None else instant(form.eta)
    files = _described(hub, form.files, now)
    words = text  # what is left to be said as a comment
    made: list[tuple[str, dict[str, Any]]]
    match found.act:
        case MailAct.ACCEPT:
            number = form.number.strip() or mail_links.number_of(tx, handoff)
            made = [("handoff.accept", {"from": from_, "number": number})]
            if eta:
                made.append(("handoff.plan", {"eta": eta}))
        case MailAct.DECLINE:
            made = [("handoff.decline", {"from": from_, "code": "other", "text": text})]
            words = ""
        case MailAct.ON_THE_WAY:
            plan = {"stage": _stage(hub, found.act), **({"eta": eta} if eta else {})}
            made = [("handoff.plan", plan)]
        case MailAct.ON_SITE:
            made = [("handoff.plan", {"stage": _stage(hub, found.act)})]
            if handoff.state is not State.IN_PROGRESS:
                made.insert(0, ("handoff.start", {"from": from_}))
        case MailAct.DONE:
            resolution = text or _stage(hub, found.act)
            said = {"from": from_, "resolution": resolution, "files": files}
            made, words, files = [("handoff.resolve", said)], "", []
        case MailAct.HAND_BACK:
            made = [("handoff.hand_back", {"from": from_, "reason": text})]
            words = ""
        case MailAct.ETA:
            made = [("handoff.plan", {"eta": eta})]
        case MailAct.ERASED:
            assert found.cause_id is not None
            made = [("data.erased", {"ref_id": found.cause_id, "at": instant(now)})]
    if words or files:
        author = _author(found.address, "")
        comment = _comment(hub, words, author, link.peer_name, files, now)
        # Behind a last word nothing is heard any more; before it everything is.
        made.insert(0 if found.act in REASONED else len(made), comment)
    return made


def _stage(hub: Hub, act_: MailAct) -> str:
    """Where the work is, in the words of who reads it here."""
    with reading_in(hub.account.language):
        return {
            MailAct.ON_THE_WAY: gettext("On the way"),
            MailAct.ON_SITE: gettext("On site"),
            MailAct.DONE: gettext("Done"),
        }[act_]


def _author(address: str, name: str, *, proven: bool = True) -> dict[str, str]:
    """Who speaks for the partner; where nothing proves it, that is said beside the name."""
    shown = f"{name[:_NAME_MAX]} <{address}>" if name else address
    if not proven:
        shown = gettext("{name} (sender not verified)").format(name=shown)
    return {"ref": COMPANY_REF, "display": shown[:SHORT_MAX], "role": Role.AGENT}


def _comment(
    hub: Hub,
    body: str,
    author: Mapping[str, str],
    account: str,
    files: Sequence[Mapping[str, Any]],
    now: datetime,
) -> tuple[str, dict[str, Any]]:
    return "comment.add", {
        "comment_id": hub.new_id("cmt", now),
        "author": {**author, "account": account},
        "body": body,
        "format": "plain",
        "at": instant(now),
        "files": list(files[:FILES_IN_ONE]),
    }


def _described(hub: Hub, files: Sequence[NewFile], now: datetime) -> list[dict[str, Any]]:
    """The files as a message names them; their bytes are in the store."""
    return [
        {
            "attachment_id": hub.new_id("att", now),
            "sha256": one.sha256,
            "size": one.size,
            "media_type": one.media_type,
            "name": one.name,
        }
        for one in files
    ]


# --- replies ----------------------------------------------------------------------------------


def reply(
    tx: Tx,
    hub: Hub,
    thread: Correspondence,
    letter_id: str,
    letter: Letter,
    body: str,
    files: Sequence[NewFile],
    standing: Standing,
    now: datetime,
) -> CommentId | None:
    """The partner's letter becomes its public comment; None where the work is with it no more.

    It is a comment, whatever it says: no letter makes a step. Raises Refused, Unavailable.
    """
    handoff = handoffs.find(tx.connection, thread.handoff_id)
    link = None if handoff is None else links.get(tx.connection, handoff.link_id)
    if handoff is None or link is None or not link.in_custody:
        return None
    ground.of_handoffs(tx, handoff.id)
    proven = standing is Standing.ALIGNED
    with reading_in(hub.account.language):
        name = letter.author.name if letter.author is not None else ""
        author = _author(thread.address, name, proven=proven)
    described = _described(hub, files, now)
    type_, said = _comment(hub, body, author, link.peer_name, described, now)
    if not body and not described:
        said["body"] = "…"
    messages = [(type_, said)]
    for start in range(FILES_IN_ONE, len(described), FILES_IN_ONE):
        more = described[start : start + FILES_IN_ONE]
        messages.append(("file.add", {"at": instant(now), "author": said["author"], "files": more}))
    facts = {"address": thread.address, "standing": str(standing)}
    for kind, words in messages:
        message_id = custody.say(tx, hub, link.id, kind, words, now=now, handoff_id=handoff.id)
        mail_links.vouch(
            tx, link.id, handoff.id, message_id, "letter", facts, now, letter_id=letter_id
        )
    return CommentId(hub.same_id("cmt", said["comment_id"], handoff.id))
