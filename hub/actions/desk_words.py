"""What was said and attached over there becomes ours: new, edited, taken back, or known again."""

from __future__ import annotations

from hub.actions import comments, files
from hub.actions.desk_events import note_in
from hub.actions.desk_taking import NO_MORE, Taking, crosses, crossing, keep, text_of
from hub.domain.comment import Author, Role, Visibility
from hub.domain.desk import DeskRole, TheirComment, TheirFile, file_print, print_of
from hub.domain.disclosure import COMPANY_REF
from hub.domain.lengths import SHORT_MAX
from hub.domain.webhook import EventType
from hub.i18n import gettext as _
from hub.ids import CommentId
from hub.storage import attachments
from hub.storage import comments as stored_comments
from hub.storage import tickets as stored_tickets
from hub.storage.comments import Comment
from hub.storage.desk_tickets import Item


def take_comments(taking: Taking) -> None:
    """Whatever is new or was edited over there, and ours is not."""
    for one in sorted(taking.there.comments, key=lambda one: one.at):
        if one.by_us or not crosses(taking.rules, one.public):
            continue
        known = taking.items.get(("cmt", one.id))
        if known is not None:
            if not known.ours and known.print not in {NO_MORE, print_of(one.body)}:
                _edited(taking, known, one)
        elif ("cmt", print_of(one.body)) not in taking.going:
            _said(taking, one)


def take_back(taking: Taking) -> None:
    """What they deleted, or made private, was taken back: here and wherever it was sent."""
    tx, hub, there, now = taking.tx, taking.hub, taking.there, taking.now
    if not there.every_comment or there.merged_into:
        return
    shown = {one.id for one in there.comments if crosses(taking.rules, one.public)}
    for (kind, external_id), known in list(taking.items.items()):
        if kind != "cmt" or known.ours or external_id in shown or known.print == NO_MORE:
            continue
        keep(taking, "cmt", known.local_id, external_id, NO_MORE)
        comment = stored_comments.find(tx.connection, known.local_id)
        if comment is None or comment.redacted_at is not None:
            continue
        comments.withdraw(tx, comment, now, now)
        comments.spread_redaction(tx, hub, comment.id, _("Taken back over there."), now)
        comments.announce(tx, hub, EventType.COMMENT_CHANGED, comment, now)
        taking.done.edited += 1


def _said(taking: Taking, one: TheirComment) -> None:
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
        body=text_of(one.body),
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
    keep(taking, "cmt", comment.id, one.id, print_of(one.body))
    here = [file for file in here if not _met_file(taking, file)]
    wanted = [found for file in here if (found := taking.fetched[file.id]) is not None]
    attached = files.attach_in(
        tx, hub, comment.ticket_id, wanted, comment.visibility, taking.now, comment_id=comment.id
    )
    for file, row in zip(here, attached, strict=True):
        keep(taking, "att", row.attachment_id, file.id, file_print(file.name, file.size))
    stored_tickets.touch(tx, comment.ticket_id, taking.now)
    comments.spread(tx, hub, comment, attached, taking.now, came_by=None, met=met is not None)
    if met is None:
        comments.announce(tx, hub, EventType.COMMENT_ADDED, comment, taking.now)
    taking.done.comments += 1
    taking.done.files += len(attached)


def _met(taking: Taking, one: TheirComment) -> CommentId | None:
    """The comment that came back without its author: we had told a partner of it.

    What a partner's log gives back after a restore is ours, and names nobody.
    """
    if not taking.restored:
        return None
    for known in stored_comments.of_ticket(taking.tx.connection, taking.done.ticket_id):
        nameless = known.author_ref == COMPANY_REF and known.origin_handoff_id is None
        same = nameless and known.redacted_at is None and known.body == text_of(one.body)
        if same and known.id not in taking.tied:
            return known.id
    return None


def _met_file(taking: Taking, file: TheirFile) -> bool:
    """The same of a file; it is known again."""
    found = taking.fetched.get(file.id)
    if not taking.restored or found is None:
        return False
    for known in attachments.of_ticket(taking.tx.connection, taking.done.ticket_id):
        same = (known.sha256, known.name) == (found.sha256, found.name)
        if same and known.origin_handoff_id is None and known.id not in taking.tied:
            keep(taking, "att", known.id, file.id, file_print(file.name, file.size))
            return True
    return False


def _edited(taking: Taking, known: Item, one: TheirComment) -> None:
    tx, hub, now = taking.tx, taking.hub, taking.now
    comment = stored_comments.find(tx.connection, known.local_id)
    if comment is None or comment.redacted_at is not None or not one.body.strip():
        return
    stored_comments.change(
        tx, comment.id, body=text_of(one.body), rev=comment.rev + 1, edited_at=now
    )
    comments.spread_edit(tx, hub, comment.id, now)
    comments.announce(tx, hub, EventType.COMMENT_CHANGED, comment, now)
    keep(taking, "cmt", comment.id, one.id, print_of(one.body))
    taking.done.edited += 1


def take_files(taking: Taking) -> None:
    """The ticket's own files, and those of comments that were here before them."""
    tx, hub = taking.tx, taking.hub
    for file, _comment in crossing(taking.rules, taking.there):
        if ("att", file.id) in taking.items or file.id not in taking.fetched:
            continue
        found = taking.fetched[file.id]
        print_ = file_print(file.name, file.size)
        if found is None:
            keep(taking, "att", f"none:{print_of(file.id)[:20]}", file.id, print_)
            text = _("The file {name} was not taken: it is too large, or not there any more.")
            note_in(tx, hub, taking.done.ticket_id, text.format(name=file.name[:200]), taking.now)
            continue
        if _met_file(taking, file):
            continue
        author = Author(taking.desk_id, taking.rules.company, Role.SYSTEM, taking.account())
        visibility = Visibility.PUBLIC if file.public else Visibility.INTERNAL
        made = files.put_in(tx, hub, taking.done.ticket_id, [found], visibility, author, taking.now)
        keep(taking, "att", made[0], file.id, print_)
        taking.done.files += 1
