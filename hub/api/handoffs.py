"""Hand-offs: the offer, every act, and what is said about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field as Constraint

from hub.actions import consents, handoffs, plans, ratings, requests
from hub.actions.context import Actor, Hub
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.plans import Plan
from hub.api.door import Effect, Route, Takes, Visit
from hub.api.forms import Form, Instant, Nothing, Said, Short, Text
from hub.api.tickets import ticket_id
from hub.domain.agreement import DisclosureClass
from hub.domain.handoff import Act, DeclineCode, PendReason, ReturnCause
from hub.domain.permission import Permission
from hub.domain.rating import HIGHEST, LOWEST
from hub.i18n import gettext
from hub.ids import AttachmentId, HandoffId
from hub.queries import names
from hub.queries import tickets as shown
from hub.queries.tickets import HandoffView

Score = Annotated[int, Constraint(ge=LOWEST, le=HIGHEST)]
Criterion = Annotated[str, Constraint(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Criteria = Annotated[dict[Criterion, Score], Constraint(max_length=20)]
Minutes = Annotated[int, Constraint(ge=0, le=1_000_000)]
AttachmentIds = Annotated[tuple[Short, ...], Constraint(max_length=20)]

F = TypeVar("F", bound=Form)


class OfferForm(Form):
    """To whom, and what is not to leave."""

    peer: Annotated[Short, Constraint(description="name, node id or link id")]
    due: Instant | None = None
    valid_until: Instant | None = None
    withhold: tuple[DisclosureClass, ...] = ()


class PreviewForm(Form):
    """The same, before it is offered."""

    peer: Annotated[Short, Constraint(description="name, node id or link id")]
    due: Instant | None = None
    withhold: tuple[DisclosureClass, ...] = ()


class AcceptForm(Form):
    """What we promise."""

    due_promised: Instant | None = None
    assignee: Short | None = None


class DeclineForm(Form):
    """Why not."""

    code: DeclineCode = DeclineCode.OTHER
    text: Text | None = None


class StartForm(Form):
    """How it is going to be done."""

    plan: Text | None = None


class PendForm(Form):
    """For what we wait."""

    reason: PendReason
    until: Instant | None = None
    stops_clock: bool = False
    text: Text | None = None


class ResolveForm(Form):
    """What was done."""

    resolution: Said
    code: Short | None = None
    effort_minutes: Minutes | None = None
    attachment_ids: AttachmentIds = ()


class HandBackForm(Form):
    """Why the work is given up, and how far it came."""

    reason: Said
    work_done: Text | None = None
    effort_minutes: Minutes | None = None


class ConfirmForm(Form):
    """The work is accepted, with or without a grade."""

    score: Score | None = None
    criteria: Criteria = Constraint(default_factory=dict)
    text: Text | None = None


class ReturnForm(Form):
    """Why finished work goes back."""

    reason: Said
    cause: ReturnCause | None = None


class ReasonForm(Form):
    """Why."""

    reason: Said


class CloseForm(Form):
    """Why, if anything is to be said."""

    reason: Text | None = None


class TextForm(Form):
    """What is said."""

    text: Said


class RefuseForm(Form):
    """Why the work goes on."""

    text: Text = ""


class ConsentForm(Form):
    """Whether the work may be handed on."""

    granted: bool
    text: Text | None = None


class PlanForm(Form):
    """How our work is planned. What is left out stays as it is."""

    eta: Instant | None = None
    assignee: Short | None = None
    due_promised: Instant | None = None
    stage: Short | None = None
    plan: Text | None = None


class RateForm(Form):
    """A grade from 1 to 5."""

    score: Score
    text: Text | None = None
    criteria: Criteria = Constraint(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LeavesView:
    """One thing that the partner would see."""

    label: str
    value: str | datetime


@dataclass(frozen=True, slots=True)
class StaysView:
    """One thing that the partner would not see."""

    label: str
    why: str


@dataclass(frozen=True, slots=True)
class PreviewView:
    """Exactly what an offer would tell."""

    leaves: list[LeavesView]
    stays: list[StaysView]


async def _show(visit: Visit, form: Nothing) -> HandoffView:
    name = visit.params["handoff"]
    return await visit.hub.db.read(lambda connection: shown.handoff(connection, name))


async def _preview(visit: Visit, form: PreviewForm) -> PreviewView:
    which = await ticket_id(visit)
    link = await visit.hub.db.read(lambda connection: names.link(connection, form.peer))
    found = await handoffs.preview(visit.hub, which, link.id, frozenset(form.withhold), form.due)
    return PreviewView(
        [LeavesView(gettext(label), value) for label, value in found.leaves],
        [StaysView(gettext(label), gettext(why)) for label, why in found.stays],
    )


async def _offer(visit: Visit, form: OfferForm) -> Effect[HandoffId]:
    which = await ticket_id(visit)
    link = await visit.hub.db.read(lambda connection: names.link(connection, form.peer))
    wish = OfferHandoff(which, link.id, form.due, form.valid_until, frozenset(form.withhold))
    return Effect(
        lambda hub: handoffs.offer(hub, visit.actor, wish),
        shown.handoff,
    )


Doing = Callable[[Hub, Actor, HandoffId, F], Awaitable[object]]


def _step(name: str, summary: str, form: type[F], do: Doing[F]) -> Route[F]:
    """POST /handoffs/{handoff}/<name>; the answer is the hand-off as it stands then."""

    async def handler(visit: Visit, said: F) -> Effect[object]:
        which = HandoffId(visit.params["handoff"])
        return Effect(
            lambda hub: do(hub, visit.actor, which, said),
            lambda connection, _done: shown.handoff(connection, which),
        )

    first, *rest = name.split("-")
    return Route(
        name=first + "".join(word.title() for word in rest) + "Handoff",
        method="POST",
        path=f"/handoffs/{{handoff}}/{name}",
        scope=Permission.HANDOFFS_WRITE,
        summary=summary,
        form=form,
        takes=Takes.JSON,
        handler=handler,
        answer=HandoffView,
    )


def _act(what: Act, summary: str, form: type[Form]) -> Route[Form]:
    """A step of the table: the form's members are the particulars of the act."""

    def do(hub: Hub, actor: Actor, which: HandoffId, said: Form) -> Awaitable[object]:
        members = {name: getattr(said, name) for name in type(said).model_fields}
        if what is Act.PEND:
            members["code"] = members.pop("reason")
        if "attachment_ids" in members:
            members["attachment_ids"] = [AttachmentId(one) for one in said.attachment_ids]  # type: ignore[attr-defined]
        return handoffs.act(hub, actor, which, what, Particulars(**members))

    return _step(what.replace("_", "-"), summary, form, do)


ROUTES: Final[tuple[Route[Any], ...]] = (
    Route(
        name="previewHandoff",
        method="POST",
        path="/tickets/{ticket}/handoffs/preview",
        scope=Permission.HANDOFFS_WRITE,
        summary="What an offer of this ticket would tell the partner; changes nothing",
        form=PreviewForm,
        takes=Takes.JSON,
        handler=_preview,
        answer=PreviewView,
    ),
    Route(
        name="offerHandoff",
        method="POST",
        path="/tickets/{ticket}/handoffs",
        scope=Permission.HANDOFFS_WRITE,
        summary="Offer a ticket to a partner",
        form=OfferForm,
        takes=Takes.JSON,
        handler=_offer,
        answer=HandoffView,
        status=201,
    ),
    Route(
        name="getHandoff",
        method="GET",
        path="/handoffs/{handoff}",
        scope=Permission.TICKETS_READ,
        summary="A hand-off as it stands, with what we may do now",
        form=Nothing,
        handler=_show,
        answer=HandoffView,
    ),
    _act(Act.ACCEPT, "Contractor: take the work", AcceptForm),
    _act(Act.DECLINE, "Contractor: do not take it", DeclineForm),
    _act(Act.START, "Contractor: begin, or go on", StartForm),
    _act(Act.PEND, "Contractor: wait for something", PendForm),
    _act(Act.RESOLVE, "Contractor: say that it is done", ResolveForm),
    _act(Act.HAND_BACK, "Contractor: give the work up", HandBackForm),
    _act(Act.CONFIRM, "Principal: accept the work", ConfirmForm),
    _act(Act.RETURN, "Principal: send the work back, or reopen it", ReturnForm),
    _act(Act.CLOSE, "Principal: close what was confirmed", CloseForm),
    _step(
        "cancel",
        "Principal: call the work off, or ask to. Contractor: grant that",
        ReasonForm,
        lambda hub, actor, which, said: handoffs.cancel(hub, actor, which, said.reason),
    ),
    _step(
        "refuse-cancel",
        "Contractor: go on in spite of a cancel request",
        RefuseForm,
        lambda hub, actor, which, said: requests.refuse_cancel(hub, actor, which, said.text),
    ),
    _step(
        "retract",
        "Contractor: ask for the resolution back",
        ReasonForm,
        lambda hub, actor, which, said: requests.retract(hub, actor, which, said.reason),
    ),
    _step(
        "ask-consent",
        "Contractor: ask whether the work may be handed on",
        ReasonForm,
        lambda hub, actor, which, said: consents.ask(hub, actor, which, said.reason),
    ),
    _step(
        "consent",
        "Principal: let the contractor hand the work on, or not",
        ConsentForm,
        lambda hub, actor, which, said: consents.answer(
            hub, actor, which, said.text, granted=said.granted
        ),
    ),
    _step(
        "detach",
        "Free our ticket without waiting for the other side",
        ReasonForm,
        lambda hub, actor, which, said: handoffs.detach(hub, actor, which, said.reason),
    ),
    _step(
        "plan",
        "Contractor: tell how the work is planned",
        PlanForm,
        lambda hub, actor, which, said: plans.plan(
            hub, actor, which, Plan(**{name: getattr(said, name) for name in PlanForm.model_fields})
        ),
    ),
    _step(
        "rate",
        "Principal: rate confirmed work, or revise the rating",
        RateForm,
        lambda hub, actor, which, said: ratings.rate(
            hub, actor, which, said.score, said.text, said.criteria
        ),
    ),
    _step(
        "reply",
        "Contractor: say something to the rating",
        TextForm,
        lambda hub, actor, which, said: ratings.reply_to_rating(hub, actor, which, said.text),
    ),
)
