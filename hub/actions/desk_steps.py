"""A status over there, as what it means here: for the ticket and for its hand-offs.

Our own people and partners act through the same steps (`hub/actions/handoffs.py`); a desk is only
another way of pressing the button. What the rules refuse is told to our people, never forced.
"""

from __future__ import annotations

from datetime import datetime

from hub.actions import announcing, assigning, handoffs, requests
from hub.actions.context import Actor, Hub
from hub.actions.handoffs import Particulars
from hub.domain.desk import DONE, ENDED, DeskRole, Rules, contractor_steps, principal_steps
from hub.domain.handoff import FINAL, OVER, PEN, Act, Party, Request, State
from hub.domain.ticket import Ticket, TicketStatus
from hub.domain.webhook import EventType
from hub.errors import Refused
from hub.i18n import gettext as _
from hub.ids import HandoffId
from hub.storage import handoffs as stored
from hub.storage import tickets
from hub.storage.database import Tx
from hub.storage.handoffs import Handoff


def follow(
    tx: Tx,
    hub: Hub,
    rules: Rules,
    ticket: Ticket,
    status: TicketStatus,
    *,
    words: str,
    actor: Actor,
    now: datetime,
) -> tuple[list[str], bool]:
    """Do what this status over there means: what people must hear of, and whether it stands.

    Where it does not stand, theirs is to be put right. `words` are what was said last over there:
    the reason of whatever needs one.
    """
    everyone = [
        one for one in stored.of_ticket(tx.connection, ticket.id) if one.detached_at is None
    ]
    above = next((one for one in everyone if one.party is Party.CONTRACTOR), None)
    if rules.role is DeskRole.VENDOR:
        return _of_vendor(tx, hub, ticket, status, actor, now), True
    if above is not None and above.state not in FINAL:
        return _as_contractor(tx, hub, above, status, words, actor, now)
    trouble: list[str] = []
    if ticket.status in ENDED and status not in ENDED:
        trouble.append(_("Over there it was opened again, after it had ended here."))
    _set(tx, hub, ticket, status, actor, now)
    for below in everyone:
        if below.party is Party.PRINCIPAL and below.state not in FINAL:
            steps = principal_steps(below.state, status, ticket.status)
            trouble += _steps(tx, hub, below, steps, words, actor, now)
            if status is TicketStatus.CLOSED and not steps and below.state not in OVER:
                trouble.append(_("Over there it was closed, while a partner still works on it."))
    return trouble, True


def _set(
    tx: Tx, hub: Hub, ticket: Ticket, status: TicketStatus, actor: Actor, now: datetime
) -> None:
    if ticket.status is status:
        return
    told = assigning.in_words(tx.connection, ticket, {"status": status}, {})
    tickets.change(tx, ticket.id, updated_at=now, status=status)
    assigning.record(tx, actor, ticket.id, "changed", told, now)
    announcing.of_ticket(tx, hub, EventType.TICKET_CHANGED, ticket, now, status=status)


def _of_vendor(
    tx: Tx, hub: Hub, ticket: Ticket, status: TicketStatus, actor: Actor, now: datetime
) -> list[str]:
    """How a contractor's work goes: that it is done is for our people to check."""
    if status in {TicketStatus.IN_PROGRESS, TicketStatus.PENDING} and ticket.status not in ENDED:
        _set(tx, hub, ticket, status, actor, now)
        return []
    if status in {TicketStatus.RESOLVED, TicketStatus.CLOSED} and ticket.status not in DONE:
        return [_("The contractor says that it is done: check it, and close or reopen it.")]
    if status is TicketStatus.CANCELLED and ticket.status not in ENDED:
        return [_("The contractor gave it up.")]
    return []


def _as_contractor(
    tx: Tx,
    hub: Hub,
    above: Handoff,
    status: TicketStatus,
    words: str,
    actor: Actor,
    now: datetime,
) -> tuple[list[str], bool]:
    steps = contractor_steps(above.state, status, above.request)
    if steps is None:
        return [_("Over there it was opened again; the principal has closed it.")], False
    trouble = _steps(tx, hub, above, steps, words, actor, now)
    return trouble, not trouble


def _steps(
    tx: Tx,
    hub: Hub,
    handoff: Handoff,
    steps: tuple[Act | Request, ...],
    words: str,
    actor: Actor,
    now: datetime,
) -> list[str]:
    """Make these steps, all or none; what a person must hear where a rule refuses one."""
    try:
        with tx.part():
            for step in steps:
                _step(tx, hub, handoff.id, step, words, actor, now)
    except Refused as error:
        text = _("Their status could not be followed: {why}")
        return [text.format(why=error.told)]
    return []


def _step(
    tx: Tx,
    hub: Hub,
    handoff_id: HandoffId,
    step: Act | Request,
    words: str,
    actor: Actor,
    now: datetime,
) -> None:
    handoff = stored.lock(tx, handoff_id)
    if isinstance(step, Request):
        if handoff.request is not None or (step is Request.CANCEL and not _theirs(handoff)):
            return
        reason = words or _("As in the desk of {company}.").format(company=actor.display)
        code = "recall" if handoff.state is State.OFFERED else "cancel"
        code = code if step is Request.CANCEL else ""
        requests.ask_in(tx, hub, handoff, step, reason, code=code, actor=actor, now=now)
        return
    reason = words or _("As in the desk of {company}.").format(company=actor.display)
    said = Particulars(reason=reason)
    if step in {Act.ACCEPT, Act.CONFIRM, Act.START}:
        said = Particulars()
    elif step is Act.RESOLVE:
        said = Particulars(resolution=words or _("Done."))
    elif step is Act.PEND:
        said = Particulars(code="awaiting_principal", text=words or None)
    elif step in {Act.DECLINE, Act.CANCELLED}:
        said = Particulars(text=reason)
    handoffs.act_in(tx, hub, handoff, step, said, actor=actor, now=now)


def _theirs(handoff: Handoff) -> bool:
    """Whether the contractor works on it: then it can be asked to stop."""
    return PEN[handoff.state] is Party.CONTRACTOR
