"""`hub link amend`: propose other terms, see what a proposal changes, and answer it."""

from __future__ import annotations

from pathlib import Path

import click

from hub.actions import amendments
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, peer_names, verb
from hub.cli.link import read_scopes
from hub.cli.output import Facts, Heading, Table, Word
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import amendments as views
from hub.queries import names, term_words
from hub.queries.amendments import AmendmentsView, AmendmentView


@verb(
    N_("Change what was agreed. Without options: the open proposal and what it changes."),
    'hub link amend "Master South" --scopes south.yaml',
    'hub link amend "Master South"',
    'hub link amend "Master South" --accept',
    'hub link amend "Master South" --refuse --reason "Two weeks of warranty stay"',
)
@argument("peer", metavar="PARTNER", shell_complete=peer_names)
@option(
    "--scopes",
    metavar="FILE.yaml",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=N_("Propose this as our new offer."),
)
@option("--accept", is_flag=True, help=N_("Agree to the partner's proposal."))
@option("--refuse", is_flag=True, help=N_("Do not agree to the partner's proposal."))
@option("--withdraw", is_flag=True, help=N_("Take our own proposal back."))
@option("--reason", default="", metavar="TEXT", help=N_("Why; the partner sees it."))
@option("--yes", is_flag=True, help=N_("Do not ask."))
def amend(
    manner: Manner,
    peer: str,
    scopes: Path | None,
    accept: bool,
    refuse: bool,
    withdraw: bool,
    reason: str,
    yes: bool,
) -> None:
    """Propose, see or answer an amendment."""
    if sum((scopes is not None, accept, refuse, withdraw)) > 1:
        raise BadWords(
            "usage",
            "Say one of --scopes, --accept, --refuse and --withdraw.",
        )
    offer = None if scopes is None else read_scopes(scopes)

    async def body(here: Session) -> None:
        link = await here.read(lambda connection: names.link(connection, peer))
        done = ""
        if offer is not None:
            await amendments.propose(here.hub, here.actor, link.id, offer)
            done = _("Proposed. {peer} accepts or refuses it.")
        elif accept:
            if not yes and session.may_ask(manner):
                _ask(manner, await _view(here, link.id))
            await amendments.accept(here.hub, here.actor, link.id)
            done = _("Agreed with {peer}: in force for all we write from now on.")
        elif refuse:
            await amendments.refuse(here.hub, here.actor, link.id, reason)
            done = _("Refused. What was agreed with {peer} before goes on.")
        elif withdraw:
            await amendments.withdraw(here.hub, here.actor, link.id)
            done = _("Taken back, unless {peer} has accepted it already.")
        view = await _view(here, link.id)
        _show(here, view)
        if done:
            output.done(manner, done.format(peer=view.peer), f"hub link amend {link.id}")
        elif view.open is not None and not view.open.by_us:
            output.done(
                manner,
                _("{peer} waits for an answer.").format(peer=view.peer),
                f"hub link amend {link.id} --accept",
            )

    session.run(manner, body)


async def _view(here: Session, name: str) -> AmendmentsView:
    return await here.read(lambda connection: views.show(connection, name))


def _ask(manner: Manner, view: AmendmentsView) -> None:
    if view.open is not None:
        for row in _rows(view.peer, view.open):
            output.say(manner, "  " + " · ".join(row))
    click.confirm(_("Agree to this?"), default=False, abort=True, err=True)


def _show(here: Session, view: AmendmentsView) -> None:
    parts: list[output.Part] = [
        Facts([(N_("Partner"), view.peer), (N_("Revision in force"), view.revision)])
    ]
    shown = view.open or (view.proposals[-1] if view.proposals else None)
    if shown is not None:
        by = _("we") if shown.by_us else view.peer
        parts += [
            Heading(_("Proposal")),
            Facts(
                [
                    (N_("Proposed by"), by),
                    (N_("State"), Word(shown.state)),
                    (N_("At"), shown.proposed_at),
                    (N_("Reason"), shown.reason),
                ]
            ),
            Table((N_("Direction"), N_("Term"), N_("Now"), N_("Then")), _rows(view.peer, shown)),
        ]
    parts += [
        Heading(_("Revisions")),
        Table(
            (N_("Revision"), N_("Agreed at"), N_("From our message"), N_("From theirs")),
            [(one.number, one.agreed_at, one.out_from, one.in_from) for one in view.revisions],
        ),
    ]
    output.show(here.manner, view, *parts)


def _rows(peer: str, amendment: AmendmentView) -> list[tuple[str, str, str, str]]:
    """What a proposal changes, a line for each term."""
    rows = []
    for one in amendment.changes:
        direction = _(views.DIRECTION_LABELS[one.direction]).format(peer=peer)
        told = term_words.said(direction, one.term, one.before, one.after)
        rows.append((told.direction, told.term, told.before, told.after))
    return rows
