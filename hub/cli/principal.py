"""`hub ticket confirm | return | close | cancel | detach | rate`: what the principal does."""

from __future__ import annotations

import click

from hub.actions import handoffs, ratings, requests
from hub.actions.handoffs import Particulars
from hub.cli import session
from hub.cli.grammar import Manner, option, verb
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.cli.steps import (
    NO_REASON,
    criteria_option,
    say_on,
    show_step,
    take_step,
    text_option,
    which_handoff,
    why_options,
    words_missing,
)
from hub.domain.handoff import Act, Party, Request
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import names


@verb(
    N_("Accept the finished work, with a rating if you like."),
    'hub ticket confirm T-1001 --rating 5 --text "Quick and clean"',
)
@which_handoff
@option("--rating", metavar="N", type=click.IntRange(1, 5), help=N_("1 (bad) to 5 (very good)."))
@why_options
@criteria_option
def confirm(
    manner: Manner,
    number: str,
    peer: str | None,
    rating: int | None,
    text: str | None,
    reason: str | None,
    code: str | None,
    criteria: tuple[str, ...],
) -> None:
    """Accept the finished work."""
    grades = _criteria(criteria)
    if rating is None and (text or grades):
        raise words_missing(
            number,
            N_("Words and grades go with a rating."),
            N_('hub ticket confirm {number} --rating 5 --text "…"'),
        )
    said = Particulars(score=rating, criteria=grades, text=text or reason)
    take_step(
        manner,
        number,
        Act.CONFIRM,
        said,
        peer,
        _("The work of {peer} on {number} is confirmed."),
        "hub ticket close {number}",
    )


def _criteria(said: tuple[str, ...]) -> dict[str, int]:
    grades = session.pairs("--criterion", said)
    for name, value in grades.items():
        if value not in {"1", "2", "3", "4", "5"}:
            raise BadWords(
                "grade_invalid",
                "--criterion: '{value}' is not a grade from 1 to 5.",
                hint="--criterion {name}=5",
                name=name,
                value=value,
            )
    return {name: int(value) for name, value in grades.items()}


@verb(
    N_("Send finished work back for rework; after closing, within the warranty."),
    'hub ticket return T-1001 --reason "The till still does not print"',
    name="return",
)
@which_handoff
@why_options
def return_(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
) -> None:
    """Send finished work back."""
    why = reason or text
    if not why:
        raise words_missing(
            number,
            N_("Say what is still wrong."),
            N_('hub ticket return {number} --reason "…"'),
        )
    take_step(
        manner,
        number,
        Act.RETURN,
        Particulars(reason=why),
        peer,
        _("Ticket {number} goes back to {peer} for rework."),
    )


@verb(N_("Close confirmed work."), "hub ticket close T-1001")
@which_handoff
@why_options
def close(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
) -> None:
    """Close confirmed work."""
    take_step(
        manner,
        number,
        Act.CLOSE,
        Particulars(reason=reason or text),
        peer,
        _("The hand-off of {number} to {peer} is closed."),
    )


@verb(
    N_(
        "Principal: recall an offer, or call the work off. Contractor: answer such a request with "
        "yes, or with --refuse."
    ),
    'hub ticket cancel T-1001 --reason "The client closed the shop"',
    'hub ticket cancel T-1001 --refuse --text "The engineer is on site already"',
)
@which_handoff
@why_options
@option("--refuse", is_flag=True, help=N_("As contractor: the work goes on."))
def cancel(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
    refuse: bool,
) -> None:
    """Recall, call off, or answer such a request."""
    why = reason or text or ""

    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_to_ask(connection, number, Request.CANCEL, peer)
        )
        if refuse:
            await requests.refuse_cancel(here.hub, here.actor, handoff.id, why)
            await show_step(
                here,
                handoff,
                _("{peer} hears that the work on {number} goes on."),
                "hub ticket show {number}",
            )
            return
        await handoffs.cancel(here.hub, here.actor, handoff.id, why or _(NO_REASON))
        await show_step(
            here, handoff, _("Ticket {number}, {peer}: {state}."), "hub ticket show {number}"
        )

    session.run(manner, body)


@verb(
    N_("Free our ticket from a hand-off without waiting for the other side."),
    'hub ticket detach T-1001 --reason "The partner does not answer"',
)
@which_handoff
@why_options
def detach(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
) -> None:
    """Free our ticket from a hand-off."""
    why = reason or text or _(NO_REASON)

    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_with(connection, number, Party.PRINCIPAL, peer)
        )
        await handoffs.detach(here.hub, here.actor, handoff.id, why)
        await show_step(
            here,
            handoff,
            _("Ticket {number} is free of the hand-off to {peer}."),
            "hub ticket handoff {number} --to PARTNER",
        )

    session.run(manner, body)


@verb(
    N_("Rate confirmed work, or change the rating."),
    'hub ticket rate T-1001 --rating 4 --text "Came late, worked well"',
)
@which_handoff
@option(
    "--rating",
    metavar="N",
    type=click.IntRange(1, 5),
    required=True,
    help=N_("1 (bad) to 5 (very good)."),
)
@text_option
@criteria_option
def rate(
    manner: Manner,
    number: str,
    peer: str | None,
    rating: int,
    text: str | None,
    criteria: tuple[str, ...],
) -> None:
    """Rate confirmed work."""
    grades = _criteria(criteria)
    say_on(
        manner,
        number,
        peer,
        Party.PRINCIPAL,
        lambda here, one: ratings.rate(here.hub, here.actor, one.id, rating, text, grades),
        _("The work of {peer} on {number} is rated."),
    )
