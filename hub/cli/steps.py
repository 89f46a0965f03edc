"""What the verbs of a hand-off's life share: their options, and telling what became of it.

The verbs only sort words into what the action takes; whether a step is possible, the rule in
`domain.handoff` says, and its refusal names what is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hub.actions import files, handoffs
from hub.actions.handoffs import Particulars
from hub.cli import output, session, words
from hub.cli.grammar import Manner, option, peer_names
from hub.cli.output import Facts, Word
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.cli.ticket import handoff_document, number_argument, take_files
from hub.domain.handoff import Act, Party
from hub.i18n import N_
from hub.queries import names
from hub.queries import tickets as views

if TYPE_CHECKING:
    from hub.storage.handoffs import Handoff

Verb = TypeVar("Verb", bound=Callable[..., Any])

peer_option = option(
    "--peer",
    metavar="PARTNER",
    shell_complete=peer_names,
    help=N_("Which hand-off, where the ticket is with several."),
)
reason_option = option("--reason", metavar="TEXT", help=N_("Why."))
text_option = option("--text", metavar="TEXT", help=N_("In words."))
code_option = option("--code", metavar="CODE", help=N_("Why, as one of the agreed codes."))
effort_option = option(
    "--effort", metavar="MINUTES", type=click.IntRange(0), help=N_("Time spent.")
)
criteria_option = option(
    "--criterion",
    "criteria",
    multiple=True,
    metavar="NAME=N",
    help=N_("A grade of one aspect, like speed=5; may be repeated."),
)


def which_handoff(verb: Verb) -> Verb:
    """The ticket, and the partner where it is with several."""
    return number_argument(peer_option(verb))


def why_options(verb: Verb) -> Verb:
    """Why, in words and as a code: people put the words into either."""
    return reason_option(text_option(code_option(verb)))


NO_REASON = N_("No reason was given.")


def words_missing(number: str, what: str, example: str) -> BadWords:
    """What to raise where a verb needs words that were not said."""
    return BadWords("words_missing", what, hint=example, number=number)


async def show_step(here: Session, handoff: Handoff, text: str, following: str) -> None:
    """What became of the hand-off, and of the ticket."""
    view = await here.read(lambda connection: views.show(connection, handoff.ticket_id))
    step = next(one for one in view.handoffs if one.id == handoff.id)
    output.show(
        here.manner,
        {
            "id": view.id,
            "number": view.number,
            "status": view.status,
            "peer": step.peer,
            "state": step.state,
            "handoff": handoff_document(step),
        },
        Facts(
            [
                (N_("Number"), view.number),
                (N_("Partner"), step.peer),
                (N_("State"), Word(step.state)),
            ]
        ),
    )
    output.done(
        here.manner,
        text.format(number=view.number, peer=step.peer, state=words.say(step.state)),
        following.format(number=view.number),
    )


def take_step(
    manner: Manner,
    number: str,
    act: Act,
    said: Particulars,
    peer: str | None,
    text: str,
    following: str = "hub ticket show {number}",
    attached: Sequence[Path] = (),
) -> None:
    """Make this step of the hand-off it is possible on, and tell what became of it."""

    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_to_act(connection, number, act, peer)
        )
        if attached:
            # On the ticket first, so that they are there when the step arrives.
            stored = await take_files(here.hub, attached)
            await files.add(here.hub, here.actor, handoff.ticket_id, stored)
        await handoffs.act(here.hub, here.actor, handoff.id, act, said)
        await show_step(here, handoff, text, following)

    session.run(manner, body)


def say_on(
    manner: Manner,
    number: str,
    peer: str | None,
    party: Party,
    step: Callable[[Session, Handoff], Any],
    text: str,
) -> None:
    """Say something on the hand-off in which we are this party, and show how it stands."""

    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_with(connection, number, party, peer)
        )
        await step(here, handoff)
        await show_step(here, handoff, text, "hub ticket show {number}")

    session.run(manner, body)
