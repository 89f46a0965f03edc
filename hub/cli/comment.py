"""`hub ticket comment | comment-edit | comment-redact`: what is said on a ticket."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hub.actions import comments
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, peer_names, verb
from hub.cli.output import Facts, Word
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.cli.ticket import attach_option, number_argument, take_files
from hub.domain.comment import DEFAULT_VISIBILITY, BodyFormat, Visibility
from hub.domain.handoff import Party
from hub.errors import NotFound
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.ids import CommentId
from hub.queries import names

if TYPE_CHECKING:
    from hub.storage.database import Connection
    from hub.storage.handoffs import Handoff


@verb(
    N_("Say something on a ticket. Internal unless you say otherwise."),
    'hub ticket comment T-1001 "The engineer leaves at noon" --public',
    'hub ticket comment T-1001 "Ask for the contract number"',
    name="comment",
)
@number_argument
@argument("text", metavar="TEXT")
@option("--public", "visibility", flag_value="public", help=N_("For everybody on the ticket."))
@option("--client", "visibility", flag_value="client", help=N_("For the requester only."))
@option("--internal", "visibility", flag_value="internal", help=N_("Only for us (the default)."))
@option(
    "--peer",
    metavar="PARTNER",
    shell_complete=peer_names,
    help=N_("A public comment for this partner alone."),
)
@option("--markdown", is_flag=True, help=N_("The text is Markdown."))
@attach_option
def add(
    manner: Manner,
    number: str,
    text: str,
    visibility: str | None,
    peer: str | None,
    markdown: bool,
    attached: tuple[Path, ...],
) -> None:
    """Say something on a ticket."""
    body_text = sys.stdin.read() if text == "-" else text
    who = Visibility(visibility) if visibility else DEFAULT_VISIBILITY
    if peer is not None and who is not Visibility.PUBLIC:
        raise BadWords(
            "peer_needs_public",
            "Only a public comment goes to a partner.",
            hint='hub ticket comment {number} "…" --public --peer "{peer}"',
            number=number,
            peer=peer,
        )

    async def body(here: Session) -> None:
        ticket = await here.read(lambda connection: names.ticket(connection, number))
        only = None
        if peer is not None:
            only = (await here.read(lambda connection: _shared_with(connection, number, peer))).id
        wish = comments.AddComment(
            ticket.id,
            body_text,
            visibility=who,
            format=BodyFormat.MARKDOWN if markdown else BodyFormat.PLAIN,
            files=await take_files(here.hub, attached),
            only_handoff=only,
        )
        made = await comments.add(here.hub, here.actor, wish)
        output.show(
            manner,
            {"id": made, "ticket": ticket.number, "visibility": who},
            Facts([(N_("Comment"), made), (N_("For"), Word(who))]),
        )
        output.done(manner, _said(who), f"hub ticket show {ticket.number}")

    session.run(manner, body)


def _shared_with(connection: Connection, number: str, peer: str) -> Handoff:
    """The hand-off of the ticket with this partner, whichever side we are."""
    try:
        return names.handoff_with(connection, number, Party.PRINCIPAL, peer)
    except NotFound:
        return names.handoff_with(connection, number, Party.CONTRACTOR, peer)


def _said(who: Visibility) -> str:
    return {
        Visibility.PUBLIC: _("Said to everybody on the ticket."),
        Visibility.CLIENT: _("Said to the requester; partners do not see it."),
        Visibility.INTERNAL: _("Kept among us; nobody else sees it."),
    }[who]


@verb(
    N_("Change the text of a comment of ours, here and wherever it was sent."),
    'hub ticket comment-edit cmt_0192… "The engineer leaves at one"',
    name="comment-edit",
)
@argument("comment", metavar="ID")
@argument("text", metavar="TEXT")
def edit(manner: Manner, comment: str, text: str) -> None:
    """Change a comment."""

    async def body(here: Session) -> None:
        rev = await comments.edit(here.hub, here.actor, CommentId(comment), text)
        output.show(manner, {"id": comment, "rev": rev})
        output.done(manner, _("The comment is changed."))

    session.run(manner, body)


@verb(
    N_("Take a comment of ours back, here and wherever it was sent."),
    'hub ticket comment-redact cmt_0192… --reason "wrong ticket"',
    name="comment-redact",
)
@argument("comment", metavar="ID")
@option("--reason", default="", help=N_("Why; partners see it."))
def redact(manner: Manner, comment: str, reason: str) -> None:
    """Take a comment back."""

    async def body(here: Session) -> None:
        await comments.redact(here.hub, here.actor, CommentId(comment), reason)
        output.show(manner, {"id": comment, "redacted": True})
        output.done(manner, _("The comment is taken back."))

    session.run(manner, body)
