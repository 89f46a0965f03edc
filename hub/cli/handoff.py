"""`hub ticket handoff | accept | … | reply`: the life of a hand-off, step by step.

The verbs only sort words into what the action takes; whether a step is possible, the rule in
`domain.handoff` says, and its refusal names what is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.actions import files, handoffs
from hub.actions.handoffs import OfferHandoff, Particulars, Plan
from hub.cli import output, session, words
from hub.cli.grammar import N_, Manner, one_of, option, peer_names, verb
from hub.cli.output import Facts, Heading, Table, Word
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.cli.ticket import attach_option, handoff_document, number_argument, take_files
from hub.domain.agreement import DisclosureClass
from hub.domain.disclosure import Preview
from hub.domain.handoff import Act, DeclineCode, Party, PendReason, Request
from hub.i18n import gettext as _
from hub.queries import names
from hub.queries import tickets as views

if TYPE_CHECKING:
    from hub.storage.handoffs import Handoff

_peer_option = option(
    "--peer",
    metavar="PARTNER",
    shell_complete=peer_names,
    help=N_("Which hand-off, where the ticket is with several."),
)
_reason_option = option("--reason", metavar="TEXT", help=N_("Why."))
_text_option = option("--text", metavar="TEXT", help=N_("In words."))
_code_option = option("--code", metavar="CODE", help=N_("Why, as one of the agreed codes."))
_effort_option = option(
    "--effort", metavar="MINUTES", type=click.IntRange(0), help=N_("Time spent.")
)
_criteria_option = option(
    "--criterion",
    "criteria",
    multiple=True,
    metavar="NAME=N",
    help=N_("A grade of one aspect, like speed=5; may be repeated."),
)


_NO_REASON = N_("No reason was given.")


def _words_missing(number: str, what: str, example: str) -> BadWords:
    return BadWords("words_missing", what, hint=example, number=number)


async def _show_step(here: Session, handoff: Handoff, text: str, following: str) -> None:
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


def _step(
    manner: Manner,
    number: str,
    act: Act,
    said: Particulars,
    peer: str | None,
    text: str,
    following: str = "hub ticket show {number}",
    attached: Sequence[Path] = (),
) -> None:
    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_to_act(connection, number, act, peer)
        )
        if attached:
            # On the ticket first, so that they are there when the step arrives.
            stored = await take_files(here.hub, attached)
            await files.add(here.hub, here.actor, handoff.ticket_id, stored)
        await handoffs.act(here.hub, here.actor, handoff.id, act, said)
        await _show_step(here, handoff, text, following)

    session.run(manner, body)


# --- offering -------------------------------------------------------------------------------


@verb(
    N_("Offer a ticket to a partner. The preview says exactly what leaves."),
    'hub ticket handoff T-1001 --to "Master South" --preview',
    'hub ticket handoff T-1001 --to "Master South" --due 2027-01-31 --without contact',
)
@number_argument
@option(
    "--to",
    "peer",
    required=True,
    metavar="PARTNER",
    shell_complete=peer_names,
    help=N_("Name, node id or link id."),
)
@option("--due", metavar="ISO", help=N_("When it should be done (else the ticket's own)."))
@option("--valid-until", metavar="ISO", help=N_("The offer ends by itself then."))
@option(
    "--without",
    multiple=True,
    metavar="CLASS",
    type=one_of(DisclosureClass),
    help=N_("Keep this back, though the agreement discloses it; may be repeated."),
)
@option("--preview", is_flag=True, help=N_("Only show what would leave; change nothing."))
@option("--yes", is_flag=True, help=N_("Do not ask."))
def offer(
    manner: Manner,
    number: str,
    peer: str,
    due: str | None,
    valid_until: str | None,
    without: tuple[str, ...],
    preview: bool,
    yes: bool,
) -> None:
    """Offer a ticket to a partner."""
    withhold = frozenset(DisclosureClass(one) for one in without)
    due_at = session.instant("--due", due)
    until = session.instant("--valid-until", valid_until)

    async def body(here: Session) -> None:
        ticket = await here.read(lambda connection: names.ticket(connection, number))
        link = await here.read(lambda connection: names.link(connection, peer))
        if preview or (not yes and session.may_ask(manner)):
            shown = await handoffs.preview(here.hub, ticket.id, link.id, withhold, due_at)
            if preview:
                output.show(manner, _preview_document(shown), *_preview_parts(shown))
                return
            _ask(manner, shown, link.peer_name)
        wish = OfferHandoff(ticket.id, link.id, due_at, until, withhold)
        handoff_id = await handoffs.offer(here.hub, here.actor, wish)
        handoff = await here.read(lambda connection: views.show(connection, ticket.id))
        step = next(one for one in handoff.handoffs if one.id == handoff_id)
        output.show(
            manner,
            {
                "id": handoff_id,
                "number": ticket.number,
                "peer": step.peer,
                "state": step.state,
                "handoff": handoff_document(step),
            },
            Facts(
                [
                    (N_("Number"), ticket.number),
                    (N_("Partner"), step.peer),
                    (N_("State"), Word(step.state)),
                ]
            ),
        )
        output.done(
            manner,
            _("Ticket {number} is offered to {peer}.").format(
                number=ticket.number, peer=link.peer_name
            ),
            f"hub ticket show {ticket.number}",
        )

    session.run(manner, body)


def _ask(manner: Manner, shown: Preview, peer: str) -> None:
    output.say(manner, _("This leaves for {peer}:").format(peer=peer))
    for label, value in shown.leaves:
        output.say(manner, f"  {_(label)}: {_value(value)}")
    output.say(manner, _("This stays:"))
    for label, why in shown.stays:
        output.say(manner, f"  {_(label)}: {_(why)}")
    click.confirm(_("Hand it off?"), default=True, abort=True, err=True)


def _value(value: str | datetime) -> str:
    return output.iso(value) if isinstance(value, datetime) else _(value)


def _preview_document(shown: Preview) -> dict[str, Any]:
    return {
        "leaves": [{"label": _(label), "value": value} for label, value in shown.leaves],
        "stays": [{"label": _(label), "why": _(why)} for label, why in shown.stays],
    }


def _preview_parts(shown: Preview) -> list[output.Part]:
    return [
        Heading(_("Leaves")),
        Table(
            (N_("What"), N_("Value")), [(_(label), _value(value)) for label, value in shown.leaves]
        ),
        Heading(_("Stays")),
        Table((N_("What"), N_("Why")), [(_(label), _(why)) for label, why in shown.stays]),
    ]


# --- the contractor's steps -----------------------------------------------------------------


@verb(N_("Take an offered ticket."), "hub ticket accept T-1001 --due 2027-01-30")
@number_argument
@_peer_option
@option("--due", metavar="ISO", help=N_("When we promise to be done."))
@option("--assignee", metavar="NAME", help=N_("Who will work on it."))
@_reason_option
@_code_option
@_text_option
def accept(
    manner: Manner,
    number: str,
    peer: str | None,
    due: str | None,
    assignee: str | None,
    reason: str | None,
    code: str | None,
    text: str | None,
) -> None:
    """Take an offered ticket."""
    said = Particulars(due_promised=session.instant("--due", due), assignee=assignee)
    _step(
        manner,
        number,
        Act.ACCEPT,
        said,
        peer,
        _("Ticket {number} of {peer} is accepted."),
        "hub ticket start {number}",
    )


@verb(
    N_("Do not take an offered ticket."),
    'hub ticket decline T-1001 --code capacity --text "Nobody is free before Monday"',
)
@number_argument
@_peer_option
@_reason_option
@_code_option
@_text_option
def decline(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    code: str | None,
    text: str | None,
) -> None:
    """Do not take an offered ticket."""
    words_said = text or reason
    if code is None and words_said in set(DeclineCode):
        code, words_said = words_said, None
    _check_code(code, DeclineCode, "decline")
    _step(
        manner,
        number,
        Act.DECLINE,
        Particulars(code=code, text=words_said),
        peer,
        _("Ticket {number} of {peer} is declined."),
        "hub ticket list",
    )


def _check_code(code: str | None, known: type[DeclineCode | PendReason], verb_: str) -> None:
    if code is not None and code not in set(known):
        raise BadWords(
            "code_unknown",
            "'{said}' is none of the agreed codes.",
            hint="Codes of {verb}: {known}.",
            said=code,
            verb=verb_,
            known=", ".join(known),
        )


@verb(N_("Begin the work, or go on after waiting."), "hub ticket start T-1001")
@number_argument
@_peer_option
@option("--plan", metavar="TEXT", help=N_("What we are going to do."))
@_reason_option
@_code_option
@_text_option
def start(
    manner: Manner,
    number: str,
    peer: str | None,
    plan: str | None,
    reason: str | None,
    code: str | None,
    text: str | None,
) -> None:
    """Begin the work."""
    _step(
        manner,
        number,
        Act.START,
        Particulars(plan=plan or text),
        peer,
        _("Work on {number} goes on."),
        'hub ticket resolve {number} --text "…"',
    )


@verb(
    N_("Wait for something, with a reason."),
    'hub ticket pend T-1001 --code awaiting_parts --text "The head is ordered" --until 2027-02-03',
)
@number_argument
@_peer_option
@_code_option
@_reason_option
@_text_option
@option("--until", metavar="ISO", help=N_("When it is expected to go on."))
@option("--stops-clock", is_flag=True, help=N_("The promised time stands still meanwhile."))
def pend(
    manner: Manner,
    number: str,
    peer: str | None,
    code: str | None,
    reason: str | None,
    text: str | None,
    until: str | None,
    stops_clock: bool,
) -> None:
    """Wait for something."""
    if code is None and reason in set(PendReason):
        code, reason = reason, None
    _check_code(code, PendReason, "pend")
    if code is None:
        output.say(
            manner,
            _("No code was given: it counts as waiting for the principal. Codes: {known}").format(
                known=", ".join(PendReason)
            ),
        )
    said = Particulars(
        code=code or PendReason.AWAITING_PRINCIPAL,
        text=text or reason,
        until=session.instant("--until", until),
        stops_clock=stops_clock,
    )
    _step(
        manner,
        number,
        Act.PEND,
        said,
        peer,
        _("Work on {number} waits."),
        "hub ticket start {number}",
    )


@verb(
    N_("Say that the work is done."),
    'hub ticket resolve T-1001 --text "Replaced the print head" --effort 45 --attach act.pdf',
)
@number_argument
@_peer_option
@_text_option
@_reason_option
@_code_option
@_effort_option
@attach_option
def resolve(
    manner: Manner,
    number: str,
    peer: str | None,
    text: str | None,
    reason: str | None,
    code: str | None,
    effort: int | None,
    attached: tuple[Path, ...],
) -> None:
    """Say that the work is done."""
    done = text or reason or _("Done.")
    said = Particulars(resolution=done, code=code, effort_minutes=effort)
    _step(
        manner,
        number,
        Act.RESOLVE,
        said,
        peer,
        _("Ticket {number} is resolved; {peer} confirms or returns it."),
        attached=attached,
    )


@verb(
    N_("Give the work up; the principal can offer it to another."),
    'hub ticket hand-back T-1001 --reason "Needs the vendor" --work-done "Tested the board"',
    name="hand-back",
)
@number_argument
@_peer_option
@_reason_option
@_text_option
@_code_option
@option("--work-done", metavar="TEXT", help=N_("What was done so far."))
@_effort_option
def hand_back(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
    work_done: str | None,
    effort: int | None,
) -> None:
    """Give the work up."""
    why = reason or text or _(_NO_REASON)
    done = work_done or (text if reason else None)
    said = Particulars(reason=why, work_done=done, effort_minutes=effort)
    _step(
        manner,
        number,
        Act.HAND_BACK,
        said,
        peer,
        _("Ticket {number} is handed back to {peer}."),
        "hub ticket list",
    )


@verb(
    N_("Ask the principal to give our resolution back: it was too early."),
    'hub ticket retract T-1001 --reason "The fault came back"',
)
@number_argument
@_peer_option
@_reason_option
@_text_option
@_code_option
def retract(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
) -> None:
    """Ask for our resolution back."""
    why = reason or text or _(_NO_REASON)

    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_to_ask(connection, number, Request.RETRACT, peer)
        )
        await handoffs.retract(here.hub, here.actor, handoff.id, why)
        await _show_step(
            here, handoff, _("{peer} is asked to give {number} back."), "hub ticket show {number}"
        )

    session.run(manner, body)


@verb(
    N_("Tell the principal how the work is planned."),
    'hub ticket plan T-1001 --eta "2027-01-31 14:00" --assignee "Ivan Petrov"',
)
@number_argument
@_peer_option
@option("--eta", metavar="ISO", help=N_("When somebody will be there."))
@option("--assignee", metavar="NAME", help=N_("Who will work on it."))
@option("--due", metavar="ISO", help=N_("When we promise to be done."))
@option("--stage", metavar="TEXT", help=N_("Where the work stands."))
@_text_option
def plan(
    manner: Manner,
    number: str,
    peer: str | None,
    eta: str | None,
    assignee: str | None,
    due: str | None,
    stage: str | None,
    text: str | None,
) -> None:
    """Tell how the work is planned."""
    wish = Plan(
        eta=session.instant("--eta", eta),
        assignee=assignee,
        due_promised=session.instant("--due", due),
        stage=stage,
        plan=text,
    )
    if wish == Plan():
        raise _words_missing(
            number,
            N_("Say what is planned."),
            N_('hub ticket plan {number} --eta "2027-01-31 14:00"'),
        )
    _with(
        manner,
        number,
        peer,
        Party.CONTRACTOR,
        lambda here, handoff: handoffs.plan(here.hub, here.actor, handoff.id, wish),
        _("{peer} hears of the plan for {number}."),
    )


# --- the principal's steps ------------------------------------------------------------------


@verb(
    N_("Accept the finished work, with a rating if you like."),
    'hub ticket confirm T-1001 --rating 5 --text "Quick and clean"',
)
@number_argument
@_peer_option
@option("--rating", metavar="N", type=click.IntRange(1, 5), help=N_("1 (bad) to 5 (very good)."))
@_text_option
@_reason_option
@_code_option
@_criteria_option
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
        raise _words_missing(
            number,
            N_("Words and grades go with a rating."),
            N_('hub ticket confirm {number} --rating 5 --text "…"'),
        )
    said = Particulars(score=rating, criteria=grades, text=text or reason)
    _step(
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
@number_argument
@_peer_option
@_reason_option
@_text_option
@_code_option
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
        raise _words_missing(
            number,
            N_("Say what is still wrong."),
            N_('hub ticket return {number} --reason "…"'),
        )
    _step(
        manner,
        number,
        Act.RETURN,
        Particulars(reason=why),
        peer,
        _("Ticket {number} goes back to {peer} for rework."),
    )


@verb(N_("Close confirmed work."), "hub ticket close T-1001")
@number_argument
@_peer_option
@_reason_option
@_text_option
@_code_option
def close(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
) -> None:
    """Close confirmed work."""
    _step(
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
@number_argument
@_peer_option
@_reason_option
@_text_option
@_code_option
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
            await handoffs.refuse_cancel(here.hub, here.actor, handoff.id, why)
            await _show_step(
                here,
                handoff,
                _("{peer} hears that the work on {number} goes on."),
                "hub ticket show {number}",
            )
            return
        await handoffs.cancel(here.hub, here.actor, handoff.id, why or _(_NO_REASON))
        await _show_step(
            here, handoff, _("Ticket {number}, {peer}: {state}."), "hub ticket show {number}"
        )

    session.run(manner, body)


@verb(
    N_("Free our ticket from a hand-off without waiting for the other side."),
    'hub ticket detach T-1001 --reason "The partner does not answer"',
)
@number_argument
@_peer_option
@_reason_option
@_text_option
@_code_option
def detach(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
) -> None:
    """Free our ticket from a hand-off."""
    why = reason or text or _(_NO_REASON)

    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_with(connection, number, Party.PRINCIPAL, peer)
        )
        await handoffs.detach(here.hub, here.actor, handoff.id, why)
        await _show_step(
            here,
            handoff,
            _("Ticket {number} is free of the hand-off to {peer}."),
            "hub ticket handoff {number} --to PARTNER",
        )

    session.run(manner, body)


# --- ratings --------------------------------------------------------------------------------


@verb(
    N_("Rate confirmed work, or change the rating."),
    'hub ticket rate T-1001 --rating 4 --text "Came late, worked well"',
)
@number_argument
@_peer_option
@option(
    "--rating",
    metavar="N",
    type=click.IntRange(1, 5),
    required=True,
    help=N_("1 (bad) to 5 (very good)."),
)
@_text_option
@_criteria_option
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
    _with(
        manner,
        number,
        peer,
        Party.PRINCIPAL,
        lambda here, one: handoffs.rate(here.hub, here.actor, one.id, rating, text, grades),
        _("The work of {peer} on {number} is rated."),
    )


@verb(N_("Reply to the rating we got."), 'hub ticket reply T-1001 --text "Thank you"')
@number_argument
@_peer_option
@option("--text", metavar="TEXT", required=True, help=N_("In words."))
def reply(manner: Manner, number: str, peer: str | None, text: str) -> None:
    """Reply to a rating."""
    _with(
        manner,
        number,
        peer,
        Party.CONTRACTOR,
        lambda here, one: handoffs.reply_to_rating(here.hub, here.actor, one.id, text),
        _("{peer} hears our reply about {number}."),
    )


def _with(
    manner: Manner,
    number: str,
    peer: str | None,
    party: Party,
    step: Callable[[Session, Handoff], Any],
    text: str,
) -> None:
    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_with(connection, number, party, peer)
        )
        await step(here, handoff)
        await _show_step(here, handoff, text, "hub ticket show {number}")

    session.run(manner, body)
