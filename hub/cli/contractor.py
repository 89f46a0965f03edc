"""`hub ticket accept | decline | start | pend | plan | resolve | …`: what the contractor does."""

from __future__ import annotations

from pathlib import Path

from hub.actions import plans, ratings, requests
from hub.actions.handoffs import Particulars
from hub.actions.plans import Plan
from hub.cli import output, session
from hub.cli.grammar import Manner, option, verb
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.cli.steps import (
    NO_REASON,
    effort_option,
    say_on,
    show_step,
    take_step,
    text_option,
    which_handoff,
    why_options,
    words_missing,
)
from hub.cli.ticket import attach_option
from hub.domain.handoff import Act, DeclineCode, Party, PendReason, Request
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import names


@verb(N_("Take an offered ticket."), "hub ticket accept T-1001 --due 2027-01-30")
@which_handoff
@option("--due", metavar="ISO", help=N_("When we promise to be done."))
@option("--assignee", metavar="NAME", help=N_("Who will work on it."))
@why_options
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
    take_step(
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
@which_handoff
@why_options
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
    take_step(
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
@which_handoff
@option("--plan", metavar="TEXT", help=N_("What we are going to do."))
@why_options
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
    take_step(
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
@which_handoff
@why_options
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
    take_step(
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
@which_handoff
@why_options
@effort_option
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
    take_step(
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
@which_handoff
@why_options
@option("--work-done", metavar="TEXT", help=N_("What was done so far."))
@effort_option
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
    why = reason or text or _(NO_REASON)
    done = work_done or (text if reason else None)
    said = Particulars(reason=why, work_done=done, effort_minutes=effort)
    take_step(
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
@which_handoff
@why_options
def retract(
    manner: Manner,
    number: str,
    peer: str | None,
    reason: str | None,
    text: str | None,
    code: str | None,
) -> None:
    """Ask for our resolution back."""
    why = reason or text or _(NO_REASON)

    async def body(here: Session) -> None:
        handoff = await here.read(
            lambda connection: names.handoff_to_ask(connection, number, Request.RETRACT, peer)
        )
        await requests.retract(here.hub, here.actor, handoff.id, why)
        await show_step(
            here, handoff, _("{peer} is asked to give {number} back."), "hub ticket show {number}"
        )

    session.run(manner, body)


@verb(
    N_("Tell the principal how the work is planned."),
    'hub ticket plan T-1001 --eta "2027-01-31 14:00" --assignee "Ivan Petrov"',
)
@which_handoff
@option("--eta", metavar="ISO", help=N_("When somebody will be there."))
@option("--assignee", metavar="NAME", help=N_("Who will work on it."))
@option("--due", metavar="ISO", help=N_("When we promise to be done."))
@option("--stage", metavar="TEXT", help=N_("Where the work stands."))
@text_option
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
        raise words_missing(
            number,
            N_("Say what is planned."),
            N_('hub ticket plan {number} --eta "2027-01-31 14:00"'),
        )
    say_on(
        manner,
        number,
        peer,
        Party.CONTRACTOR,
        lambda here, handoff: plans.plan(here.hub, here.actor, handoff.id, wish),
        _("{peer} hears of the plan for {number}."),
    )


@verb(N_("Reply to the rating we got."), 'hub ticket reply T-1001 --text "Thank you"')
@which_handoff
@option("--text", metavar="TEXT", required=True, help=N_("In words."))
def reply(manner: Manner, number: str, peer: str | None, text: str) -> None:
    """Reply to a rating."""
    say_on(
        manner,
        number,
        peer,
        Party.CONTRACTOR,
        lambda here, one: ratings.reply_to_rating(here.hub, here.actor, one.id, text),
        _("{peer} hears our reply about {number}."),
    )
