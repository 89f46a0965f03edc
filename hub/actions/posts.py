"""Letters of ours: queued in the transaction that wants them, sent at least once, never forgotten.

A letter is composed once and kept; every try sends the same bytes under the same Message-ID, so
that a repeat is known as one. What a mail server refuses for good, and what comes back, is shown
where the words stand and raises an alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from hub.actions import correspondence, guest_links, permits
from hub.actions.context import Actor, Hub
from hub.actions.guest_links import Purpose
from hub.actions.outgoing import CUSTODY_TOPIC
from hub.domain.attachment import Attachment
from hub.domain.comment import Visibility
from hub.domain.delivery import backoff
from hub.domain.letter import Address, Letter
from hub.domain.permission import Permission
from hub.domain.ticket import TicketStatus
from hub.errors import Conflict, NotFound, Refused
from hub.ids import TicketId
from hub.storage import audit, correspondences, desk_numbers, posts, resets, tickets
from hub.storage.comments import Comment
from hub.storage.correspondences import Correspondence
from hub.storage.database import Connection, Tx
from hub.storage.posts import Post, PostState

TOPIC: Final = "posts"
AT_ONCE: Final = 50  # letters tried in one turn
CLAIMED: Final = timedelta(minutes=10)  # longer than a slow mail server takes
REFERRED: Final = 9  # letters of a thread that a new one refers to
FAILED: Final = "letter_failed"  # alert: a letter of ours did not arrive
GIVE_UP: Final = timedelta(days=5)  # as mail servers do (RFC 5321 §4.5.4.1)
ACKNOWLEDGED: Final = "acknowledged"  # kinds of letters
SAID: Final = "said"
NOTICE: Final = "notice"  # to one of our own people
PARTNER: Final = "partner"  # to a partner without a node: hub/actions/mail_links.py


def queue(
    tx: Tx,
    hub: Hub,
    kind: str,
    thread: Correspondence,
    facts: dict[str, Any],
    now: datetime,
    *,
    comment_id: str | None = None,
    said_id: str | None = None,
) -> Post:
    """A letter to the person of this thread, sent after the commit."""
    post = _made(
        hub,
        kind,
        thread.mailbox,
        thread.address,
        {"answers": thread.newest_id, **facts},
        now,
        thread=thread,
        comment_id=comment_id,
        said_id=said_id,
    )
    posts.add(tx, post)
    correspondences.remember(tx, thread.id, post.message_id)
    tx.wake(TOPIC)
    return post


def queue_to_partner(
    tx: Tx,
    hub: Hub,
    mailbox: str,
    address: str,
    facts: dict[str, Any],
    now: datetime,
    *,
    said_id: str | None = None,
    answers: str | None = None,
) -> Post:
    """A letter to a partner without a node about no ticket of ours.

    `answers` is a message of ours: the letter stands below the one that brought it.
    """
    before = None if answers is None else posts.that_said(tx.connection, answers)
    told = {"answers": None if before is None else before.message_id, **facts}
    post = _made(hub, PARTNER, mailbox, address, told, now, said_id=said_id)
    posts.add(tx, post)
    tx.wake(TOPIC)
    return post


_DONE: Final = frozenset({TicketStatus.RESOLVED, TicketStatus.CLOSED})


def _pages(tx: Tx, hub: Hub, thread: Correspondence, now: datetime) -> list[str]:
    """Which pages without a login the letter may name; none where nobody can call us."""
    if not hub.account.base_url:
        return []
    done = tickets.get(tx.connection, thread.ticket_id).status in _DONE
    wanted = [Purpose.FOLLOW, *([Purpose.RATE] if done else [])]
    return [str(one) for one in wanted if guest_links.stand(tx, hub, thread, one, now)]


def _made(
    hub: Hub,
    kind: str,
    mailbox: str,
    recipient: str,
    facts: dict[str, Any],
    now: datetime,
    *,
    thread: Correspondence | None = None,
    comment_id: str | None = None,
    said_id: str | None = None,
) -> Post:
    """A letter that nobody has tried to send."""
    post_id = hub.new_id("pst", now)
    token = correspondence.return_token(hub, post_id)
    return Post(
        id=post_id,
        kind=kind,
        correspondence_id=None if thread is None else thread.id,
        ticket_id=None if thread is None else thread.ticket_id,
        comment_id=comment_id,
        mailbox=mailbox,
        recipient=recipient,
        message_id=f"{post_id}.{token[:10]}@{mailbox.rpartition('@')[2]}",
        facts=facts,
        sender=None,
        sha256=None,
        return_hash=correspondences.hashed(token),
        state=PostState.QUEUED,
        attempts=0,
        next_at=None,
        last_error=None,
        made_at=now,
        settled_at=None,
        bounced_at=None,
        bounce=None,
        erased_at=None,
        said_id=said_id,
    )


def notify(
    tx: Tx,
    hub: Hub,
    agent_id: str,
    mailbox: str,
    address: str,
    facts: dict[str, Any],
    now: datetime,
) -> Post:
    """A letter to one of our own people about what waits for them; nothing that was said."""
    post = _made(hub, NOTICE, mailbox, address, {"agent": agent_id, **facts}, now)
    posts.add(tx, post)
    tx.wake(TOPIC)
    return post


def acknowledge(
    tx: Tx, hub: Hub, thread: Correspondence, number: str, hops: int, now: datetime
) -> None:
    """Say that a letter became a ticket; nothing of the letter is in it."""
    facts = {"number": number, "hops": hops, "pages": _pages(tx, hub, thread, now)}
    queue(tx, hub, ACKNOWLEDGED, thread, facts, now)


def tell(tx: Tx, hub: Hub, comment: Comment, attached: Sequence[Attachment], now: datetime) -> None:
    """Queue a comment that is meant for the requester, for everybody who writes about the ticket.

    The one place where words of a ticket become a letter: nothing internal passes.
    """
    if comment.visibility is not Visibility.CLIENT:
        return
    threads = [
        one
        for one in correspondences.of_ticket(tx.connection, comment.ticket_id)
        if one.ended_at is None
    ]
    if not threads:
        threads = _begun(tx, hub, comment.ticket_id, now)
    number = tickets.get(tx.connection, comment.ticket_id).number
    facts = {
        "number": number,
        "author": comment.author,
        "body": comment.body,
        "format": comment.format,
        "files": [
            [one.name, one.media_type, one.sha256, one.size]
            for one in attached
            if one.visibility is Visibility.CLIENT
        ],
    }
    for thread in threads:
        form = _form(tx, hub, thread, now)
        queue(tx, hub, SAID, thread, {**facts, **form}, now, comment_id=comment.id)


def _form(tx: Tx, hub: Hub, thread: Correspondence, now: datetime) -> dict[str, Any]:
    """What a letter to this reader has beside the words: a person's pages, a desk's last line."""
    desk = desk_numbers.of_correspondence(tx.connection, thread.id)
    if desk is None:
        return {"pages": _pages(tx, hub, thread, now)}
    return {"desk": desk.profile, "answers": desk.answers, "last_line": desk.last_line}


def _begun(tx: Tx, hub: Hub, ticket_id: TicketId, now: datetime) -> list[Correspondence]:
    """The first letter about a ticket that did not come by mail, where somebody can get it."""
    ticket = tickets.get(tx.connection, ticket_id)
    mailbox = correspondence.first_mailbox(tx)
    if ticket.requester is None or "@" not in ticket.requester.email or mailbox is None:
        return []
    person = Address(ticket.requester.email.strip().lower(), ticket.requester.name)
    return [
        correspondence.begin(
            tx,
            hub,
            ticket_id,
            mailbox,
            person,
            language=hub.account.language,
            subject=ticket.title,
            now=now,
        )
    ]


def withdraw(tx: Tx, comment_id: str, now: datetime) -> None:
    """Words that were taken back are not sent any more; what was sent cannot be fetched back."""
    for post in posts.of_comment(tx.connection, comment_id):
        if post.state is PostState.QUEUED:
            state = PostState.SKIPPED
            posts.change(tx, post.id, state=state, facts={}, settled_at=now, next_at=None)


# --- on their way ---------------------------------------------------------------------------


async def due(hub: Hub) -> list[Post]:
    """Letters to send now; none while mail is held after a restore."""
    now = hub.now()

    def query(connection: Connection) -> list[Post]:
        if resets.held_since(connection) is not None:
            return []
        return posts.due(connection, now, AT_ONCE)

    return await hub.db.read(query)


async def claim(hub: Hub, post_id: str) -> bool:
    """Whether this process tries the letter now: others leave it alone for a while."""
    now = hub.now()
    return await hub.db.write(lambda tx: posts.claim(tx, post_id, now, now + CLAIMED))


async def next_at(hub: Hub) -> datetime | None:
    """When the next one is to be tried again."""
    return await hub.db.read(posts.next_at)


async def thread_of(hub: Hub, post: Post) -> Correspondence | None:
    """The exchange of letters it belongs to."""
    found = post.correspondence_id
    if found is None:
        return None
    return await hub.db.read(lambda connection: correspondences.find(connection, found))


async def above(hub: Hub, post: Post) -> list[str]:
    """What it refers to beside the letter that it answers: its thread, the first and the last.

    Whoever keeps what they wrote in another folder has one thread only by letters of ours.
    """
    found = await hub.db.read(lambda connection: posts.before(connection, post))
    return found if len(found) <= REFERRED else [found[0], *found[1 - REFERRED :]]


async def composed(hub: Hub, post: Post, sender: str, sha256: str) -> None:
    """Its bytes are made and kept; no try will send others."""

    def transaction(tx: Tx) -> None:
        posts.change(tx, post.id, sender=sender, sha256=sha256)
        if post.correspondence_id is not None:
            correspondences.change(tx, post.correspondence_id, newest_id=post.message_id)

    await hub.db.write(transaction)


async def sent(hub: Hub, post_id: str) -> None:
    """A mail server took it."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        post = posts.lock(tx, post_id)
        if post is not None and post.state is PostState.QUEUED:
            posts.change(
                tx,
                post_id,
                state=PostState.SENT,
                attempts=post.attempts + 1,
                settled_at=now,
                next_at=None,
                last_error=None,
            )
            audit.resolve_alerts(tx, kind=FAILED, subject=post_id, at=now)
            tx.wake(CUSTODY_TOPIC)

    await hub.db.write(transaction)


async def failed(hub: Hub, post_id: str, because: str, *, for_good: bool) -> None:
    """A try failed: it is tried again with growing waits, or people hear that it never will."""

    def transaction(tx: Tx) -> None:
        now = hub.now()
        post = posts.lock(tx, post_id)
        if post is None or post.state is not PostState.QUEUED:
            return
        tries = post.attempts + 1
        if for_good or now - post.made_at > GIVE_UP:
            posts.change(
                tx,
                post_id,
                state=PostState.FAILED,
                attempts=tries,
                last_error=because[:500],
                settled_at=now,
                next_at=None,
            )
            _alert(tx, hub, post, because, now)
            tx.wake(CUSTODY_TOPIC)
            return
        wait = backoff(
            tries,
            0.5 + hub.entropy.fraction() / 2,
            base=timedelta(seconds=hub.limits.retry_base_s),
            cap=timedelta(seconds=hub.limits.retry_cap_s),
        )
        posts.change(tx, post_id, attempts=tries, last_error=because[:500], next_at=now + wait)

    await hub.db.write(transaction)


def _alert(tx: Tx, hub: Hub, post: Post, because: str, now: datetime) -> None:
    if post.kind == NOTICE:
        return  # the alarm would be told by the next such letter, without end
    audit.raise_alert(
        tx,
        entropy=hub.entropy,
        kind=FAILED,
        subject=post.id,
        text="A letter to {address} did not arrive: {why}",
        address=post.recipient,
        why=because[:200],
        at=now,
    )


# --- what comes back ------------------------------------------------------------------------


def returned(tx: Tx, message_ids: list[str]) -> str | None:
    """The hash of the return address of the letter of ours that has one of these ids."""
    for message_id in message_ids:
        if message_id and (post := posts.by_message(tx.connection, message_id)):
            return post.return_hash
    return None


def report(tx: Tx, hub: Hub, return_hash: str, letter: Letter, now: datetime) -> TicketId | None:
    """Note what a report says at the letter it is about; the ticket that is concerned."""
    post = posts.by_return(tx.connection, return_hash)
    if post is None:
        return None
    said = next(iter(letter.bounces), None)
    action = said.action if said is not None else "failed"
    words = letter.subject if said is None else said.diagnostic or said.status or letter.subject
    if action in {"failed", ""}:
        posts.change(tx, post.id, bounced_at=now, bounce=words[:500])
        _alert(tx, hub, post, words, now)
    elif action == "delayed":
        posts.change(tx, post.id, last_error=words[:500])
    return None if post.ticket_id is None else TicketId(post.ticket_id)


# --- what people decide ---------------------------------------------------------------------


async def replay(hub: Hub, actor: Actor, post_id: str) -> None:
    """Send a letter again, under the same Message-ID. Raises NotFound."""
    permits.require(actor, Permission.DESKS_WRITE)

    def transaction(tx: Tx) -> None:
        now = hub.now()
        _known(tx, post_id)
        posts.change(
            tx,
            post_id,
            state=PostState.QUEUED,
            next_at=None,
            made_at=now,
            settled_at=None,
            bounced_at=None,
            bounce=None,
        )
        audit.resolve_alerts(tx, kind=FAILED, subject=post_id, at=now)
        audit.append(tx, at=now, actor=actor.ref, event="post.replayed", post=post_id)
        tx.wake(TOPIC)

    await hub.db.write(transaction)


async def skip(hub: Hub, actor: Actor, post_id: str, reason: str) -> None:
    """Let a letter that did not arrive be. Raises NotFound, Conflict(not_failed), Refused."""
    permits.require(actor, Permission.DESKS_WRITE)
    if not reason.strip():
        raise Refused("reason_missing", "Say why.", hint="--reason TEXT")

    def transaction(tx: Tx) -> None:
        now = hub.now()
        post = _known(tx, post_id)
        if post.state is PostState.SENT and post.bounced_at is None:
            raise Conflict("not_failed", "This letter was sent; there is nothing to let be.")
        posts.change(tx, post_id, state=PostState.SKIPPED, settled_at=now, next_at=None)
        audit.resolve_alerts(tx, kind=FAILED, subject=post_id, at=now)
        audit.append(tx, at=now, actor=actor.ref, event="post.skipped", post=post_id, reason=reason)

    await hub.db.write(transaction)


def _known(tx: Tx, post_id: str) -> Post:
    post = posts.lock(tx, post_id)
    if post is None or post.erased_at is not None:
        raise NotFound("not_found", "There is no such letter.", hint="hub mail list --sent")
    return post
