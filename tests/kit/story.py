"""Words in which a journey is told: companies, their tickets, and the work they hand each other.

Whatever a company does is delivered at once, unless the story says otherwise: letters cross
inside `crossing()`, and a company inside `unreachable()` neither sends nor receives. Time passes
only by `pass_time()`.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pytest

from hub.actions import comments, consents, files, handoffs, plans, ratings, requests, tickets
from hub.actions.comments import AddComment
from hub.actions.files import NewFile
from hub.actions.handoffs import OfferHandoff, Particulars
from hub.actions.plans import Plan
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain import ticket as cards
from hub.domain.agreement import DisclosureClass, Offer, offer_from_scopes
from hub.domain.comment import Visibility
from hub.domain.handoff import OVER, Act, State
from hub.domain.ticket import Priority
from hub.errors import HubError
from hub.ids import AttachmentId, CommentId, HandoffId, LinkId, TicketId
from hub.storage import attachments, audit, erasures, inbox, links, outbox, shared
from hub.storage import comments as stored_comments
from hub.storage import handoffs as stored_handoffs
from hub.storage import tickets as stored_tickets
from hub.storage.attachments import Attachment
from hub.storage.handoffs import Handoff, Hop
from hub.storage.inbox import InboxState
from hub.storage.outbox import OutboxRow
from hub.workers.cranks import Collections, Timers
from tests.kit.network import Company, Network

T = TypeVar("T")
LOOKS = 8  # how often timers look while time passes, besides at its end,
LOOK_AT_MOST_EVERY = timedelta(hours=6)
MOST_ROUNDS = 200  # of delivery before we say that it never ends


def terms(
    *, as_principal: dict[str, object] | None = None, as_contractor: dict[str, object] | None = None
) -> Offer:
    """What one company offers for a link, as an operator writes it in the scopes file."""
    return offer_from_scopes(
        {"as_principal": as_principal or {}, "as_contractor": as_contractor or {}}
    )


@contextlib.contextmanager
def refused(code: str) -> Iterator[None]:
    """What stands inside is refused, for exactly this reason."""
    with pytest.raises(HubError) as refusal:
        yield
    assert refusal.value.code == code, f"refused as {refusal.value.code}, expected {code}"


@dataclass(frozen=True)
class Said:
    """One comment as somebody reads it."""

    author: str
    company: str
    text: str
    visibility: str


@dataclass(frozen=True)
class Ticket:
    """A ticket in one company's books."""

    firm: Firm
    id: TicketId

    async def card(self) -> cards.Ticket:
        """The ticket as it is there now."""
        return await self.firm.look(lambda c: stored_tickets.get(c, self.id))

    async def status(self) -> str:
        return str((await self.card()).status)

    async def thread(self) -> list[Said]:
        """Everything said on it that was not taken back, oldest first."""
        return [
            Said(one.author, one.account, one.body, str(one.visibility))
            for one in await self.firm.look(lambda c: stored_comments.of_ticket(c, self.id))
            if one.redacted_at is None
        ]

    async def texts(self) -> list[str]:
        """The same, only the words."""
        return [one.text for one in await self.thread()]

    async def papers(self) -> dict[str, str]:
        """Its files and their comments' files: name → how far it has come."""
        return {
            one.name: "redacted" if one.redacted_at else str(one.state)
            for one in await self._attachments()
        }

    async def paper(self, name: str) -> Attachment:
        """The one file of this name."""
        (found,) = [one for one in await self._attachments() if one.name == name]
        return found

    async def opens(self, name: str) -> bytes:
        """The content of a file that has arrived."""
        found = await self.paper(name)
        assert found.state == "available", f"{name} is {found.state}"
        with self.firm.hub.blobs.open(found.sha256) as source:
            return source.read()

    async def everything(self) -> str:
        """Every word this company has on the ticket, history included, as one text."""
        hands = await self.firm.look(lambda c: stored_handoffs.of_ticket(c, self.id))
        parts: list[object] = [
            await self.card(),
            await self.firm.look(lambda c: stored_comments.of_ticket(c, self.id)),
            await self._attachments(),
            hands,
        ]
        for one in hands:
            parts += await self.firm.look(lambda c, id_=one.id: stored_handoffs.history(c, id_))
            parts += await self.firm.look(lambda c, id_=one.id: stored_handoffs.hops_below(c, id_))
        return "\n".join(map(repr, parts))

    async def sees(self, *words: str) -> None:
        """All of these stand somewhere on the ticket."""
        whole = await self.everything()
        for one in words:
            assert one in whole, f"{self.firm.name} does not see «{one}»"

    async def never_sees(self, *words: str) -> None:
        """None of these stands anywhere on the ticket."""
        whole = await self.everything()
        for one in words:
            assert one not in whole, f"{self.firm.name} sees «{one}»"

    async def _attachments(self) -> list[Attachment]:
        return await self.firm.look(lambda c: attachments.of_ticket(c, self.id))


@dataclass(frozen=True)
class Work:
    """One hand-off, with the books of both companies."""

    id: HandoffId
    link: LinkId
    principal: Firm
    contractor: Firm

    def other(self, firm: Firm) -> Firm:
        """Who is across."""
        return self.contractor if firm is self.principal else self.principal

    async def stands(self, state: str) -> None:
        """Both companies say that it is in this state."""
        for firm in (self.principal, self.contractor):
            there = await firm.handoff(self)
            assert there.state == state, f"at {firm.name} it is {there.state}, expected {state}"

    async def both(self, name: str) -> Any:
        """What both companies have written down under this name: it must be the same."""
        ours = getattr(await self.principal.handoff(self), name)
        theirs = getattr(await self.contractor.handoff(self), name)
        assert ours == theirs, f"{name}: {ours!r} here, {theirs!r} there"
        return ours


@dataclass(frozen=True)
class Comment:
    """Something a company said on a ticket."""

    firm: Firm
    id: CommentId


@dataclass(eq=False)
class Firm(Company):
    """A company, by what its people do."""

    network: Story = None  # type: ignore[assignment]  # given by the story that founds it
    woken: set[str] = field(default_factory=set)
    due: dict[str, datetime] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"«{self.name}»"

    async def look(self, body: Callable[[Any], T]) -> T:
        """Read our own books."""
        return await self.hub.db.read(body)

    # --- tickets

    async def new_ticket(self, title: str, **details: Any) -> Ticket:
        """A person called: write it down."""
        made = await tickets.create(self.hub, self.dispatcher, NewTicket(title=title, **details))
        return Ticket(self, made.id)

    async def ticket_of(self, work: Work) -> Ticket:
        """Our ticket of this hand-off."""
        return Ticket(self, (await self.handoff(work)).ticket_id)

    async def change(self, ticket: Ticket, **changes: Any) -> None:
        """Correct a ticket of ours."""
        await self._do(
            tickets.change(self.hub, self.dispatcher, ticket.id, TicketChanges(**changes))
        )

    # --- hand-offs, as principal

    async def hand_off(
        self,
        what: Ticket | Work,
        *,
        to: Firm,
        due: datetime | None = None,
        valid_until: datetime | None = None,
        withhold: Sequence[str] = (),
    ) -> Work:
        """Offer our ticket to another company."""
        ticket = await self._ours(what)
        link_id = LinkId(await self.link_to(to.name))
        wish = OfferHandoff(
            ticket.id,
            link_id,
            due=due,
            valid_until=valid_until,
            withhold=frozenset(DisclosureClass(one) for one in withhold),
        )
        made = await self._do(handoffs.offer(self.hub, self.dispatcher, wish))
        return Work(made, link_id, self, to)

    async def confirm(
        self, work: Work, score: int | None = None, text: str | None = None, **criteria: int
    ) -> None:
        """Accept the work, with a grade or without."""
        await self._act(work, Act.CONFIRM, score=score, text=text, criteria=criteria)

    async def send_back(self, work: Work, reason: str) -> None:
        """It is not done, or broke again: return it for rework."""
        await self._act(work, Act.RETURN, reason=reason)

    async def close(self, work: Work) -> None:
        """It is over; the warranty begins."""
        await self._act(work, Act.CLOSE)

    async def cancel(self, work: Work, reason: str) -> None:
        """Call it off (by request, while the other side works), or grant the principal's wish."""
        await self._do(handoffs.cancel(self.hub, self.dispatcher, work.id, reason))

    recall = cancel

    async def detach(self, work: Work, reason: str) -> None:
        """Free our ticket without waiting for the other side."""
        await self._do(handoffs.detach(self.hub, self.dispatcher, work.id, reason))

    async def rate(self, work: Work, score: int, text: str | None = None, **criteria: int) -> None:
        """Grade the work, or change the grade."""
        await self._do(
            ratings.rate(self.hub, self.dispatcher, work.id, score, text, criteria or None)
        )

    # --- hand-offs, as contractor

    async def accept(
        self, work: Work, *, due: datetime | None = None, by: str | None = None
    ) -> None:
        """Take the work, and say until when and by whom."""
        await self._act(work, Act.ACCEPT, due_promised=due, assignee=by)

    async def decline(self, work: Work, why: str, code: str = "other") -> None:
        """Do not take it."""
        await self._act(work, Act.DECLINE, code=code, text=why)

    async def start(self, work: Work, plan: str | None = None) -> None:
        """Begin, or go on."""
        await self._act(work, Act.START, plan=plan)

    async def wait_for(self, work: Work, reason: str, **more: Any) -> None:
        """Stop the work until something happens."""
        await self._act(work, Act.PEND, code=reason, **more)

    async def resolve(self, work: Work, how: str, **more: Any) -> None:
        """Say that it is done."""
        await self._act(work, Act.RESOLVE, resolution=how, **more)

    async def hand_back(self, work: Work, reason: str, **more: Any) -> None:
        """Give it up."""
        await self._act(work, Act.HAND_BACK, reason=reason, **more)

    async def refuse_cancel(self, work: Work, why: str) -> None:
        """The principal asked to cancel: no, we go on."""
        await self._do(requests.refuse_cancel(self.hub, self.dispatcher, work.id, why))

    async def retract(self, work: Work, reason: str) -> None:
        """Ask for our resolution back."""
        await self._do(requests.retract(self.hub, self.dispatcher, work.id, reason))

    async def ask_consent(self, work: Work, why: str) -> None:
        """Ask the principal whether we may hand the work on."""
        await self._do(consents.ask(self.hub, self.dispatcher, work.id, why))

    async def consent(self, work: Work, text: str | None = None, *, granted: bool = True) -> None:
        """Let the contractor hand the work on, or not."""
        await self._do(consents.answer(self.hub, self.dispatcher, work.id, text, granted=granted))

    async def plan(self, work: Work, **what: Any) -> None:
        """Tell when, by whom and how far."""
        await self._do(plans.plan(self.hub, self.dispatcher, work.id, Plan(**what)))

    async def reply_to_rating(self, work: Work, text: str) -> None:
        """Say something to our grade."""
        await self._do(ratings.reply_to_rating(self.hub, self.dispatcher, work.id, text))

    # --- words and files

    async def say(
        self,
        where: Ticket | Work,
        text: str,
        *,
        visibility: str = "public",
        files: Sequence[NewFile] = (),
        only_to: Work | None = None,
    ) -> Comment:
        """Write a comment; a public one is for everybody who shares the ticket."""
        wish = AddComment(
            (await self._ours(where)).id,
            text,
            Visibility(visibility),
            files=files,
            only_handoff=None if only_to is None else only_to.id,
        )
        return Comment(self, await self._do(comments.add(self.hub, self.dispatcher, wish)))

    async def rewrite(self, comment: Comment, text: str) -> None:
        """Correct our own comment."""
        await self._do(comments.edit(self.hub, self.dispatcher, comment.id, text))

    async def take_back(self, comment: Comment, reason: str = "") -> None:
        """Take our own comment back."""
        await self._do(comments.redact(self.hub, self.dispatcher, comment.id, reason))

    def paper(
        self, name: str, content: bytes | BinaryIO, media_type: str = "application/pdf"
    ) -> NewFile:
        """A file on our desk, not yet on any ticket."""
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        return files.store(self.hub, name, media_type, source)

    async def attach(
        self, where: Ticket | Work, *papers: NewFile, visibility: str = "public"
    ) -> None:
        """Put files on the ticket."""
        ticket = await self._ours(where)
        await self._do(
            files.add(self.hub, self.dispatcher, ticket.id, papers, Visibility(visibility))
        )

    async def take_file_back(self, where: Ticket | Work, name: str, reason: str = "") -> None:
        """Take our own file back."""
        found = await (await self._ours(where)).paper(name)
        await self._do(files.redact(self.hub, self.dispatcher, AttachmentId(found.id), reason))

    # --- what we know

    async def handoff(self, work: Work) -> Handoff:
        """The hand-off in our books."""
        found = await self.look(lambda c: stored_handoffs.find(c, work.id))
        assert found is not None, f"{self.name} knows nothing of it"
        return found

    async def history(self, work: Work) -> list[str]:
        """The steps that were made, in order."""
        found = await self.look(lambda c: stored_handoffs.history(c, work.id))
        return [one.event for one in found if one.after is not None]

    async def heard(self, work: Work) -> list[str]:
        """Everything in its history, steps and words."""
        found = await self.look(lambda c: stored_handoffs.history(c, work.id))
        return [one.event for one in found]

    async def chain_below(self, work: Work) -> list[Hop]:
        """What we were told of the hops below our contractor."""
        return await self.look(lambda c: stored_handoffs.hops_below(c, work.id))

    async def alarms(self) -> set[str]:
        """What our people must still see."""
        return {one.kind for one in await self.look(audit.open_alerts)}

    async def letters_to(self, firm: Firm) -> list[OutboxRow]:
        """Every message we wrote to them, in order."""
        link_id = await self.link_to(firm.name)
        return await self.look(lambda c: outbox.after(c, link_id, 0, 10_000))

    async def letter_types(self, firm: Firm) -> list[str]:
        """The same, only what they are."""
        return [one.type for one in await self.letters_to(firm)]

    async def _ours(self, what: Ticket | Work) -> Ticket:
        return what if isinstance(what, Ticket) else await self.ticket_of(what)

    async def _act(self, work: Work, act: Act, **said: Any) -> None:
        await self._do(handoffs.act(self.hub, self.dispatcher, work.id, act, Particulars(**said)))

    async def _do(self, deed: Awaitable[T]) -> T:
        done = await deed
        await self.network.deliver()
        return done


class Story(Network):
    """A network whose companies are told of in words."""

    def __init__(
        self, root: Path, new_database: Callable[[Path], Awaitable[str]], *, seed: str = "story"
    ) -> None:
        super().__init__(root, new_database, seed=seed)
        self._holding = 0
        self.erased: set[str] = set()  # hand-offs of which a side dropped the texts
        self.refusals_expected = False  # whether somebody lies in this story

    async def company(
        self, name: str, *, database: str = "", outbound_only: bool = False, **limits: Any
    ) -> Firm:
        made = await super().company(name, database=database, outbound_only=outbound_only, **limits)
        firm = Firm(
            made.name, made.hub, made.settings, made.transport, made.cranks, made.dispatcher, self
        )
        made.hub.wakes.listen(
            lambda topics: firm.woken.update(topic.partition(":")[0] for topic in topics)
        )
        self.companies[name] = firm
        return firm

    async def linked(self, *names: str, outbound_only: Collection[str] = ()) -> list[Firm]:
        """Companies of which each is linked with the next, on the usual terms.

        Nobody can call those that are `outbound_only`.
        """
        firms = [await self.company(name, outbound_only=name in outbound_only) for name in names]
        for above, below in itertools.pairwise(firms):
            await self.link(*((below, above) if above.name in outbound_only else (above, below)))
        return firms

    @property
    def firms(self) -> list[Firm]:
        return [one for one in self.companies.values() if isinstance(one, Firm)]

    # --- delivery

    @contextlib.asynccontextmanager
    async def crossing(self) -> AsyncIterator[None]:
        """What is written inside is sent only at the end: letters cross."""
        self._holding += 1
        yield
        self._holding -= 1
        await self.deliver()

    def cut_off(self, firm: Firm) -> None:
        """From now on nothing reaches this company and nothing comes from it."""
        self.wire.down.add(firm.settings.url)

    def reconnect(self, firm: Firm) -> None:
        """The line is whole again; nobody knows yet."""
        self.wire.down.discard(firm.settings.url)

    async def deliver(self) -> None:
        """Let everything that waits move, until nothing moves; the clock stands still."""
        if self._holding:
            return
        for _ in range(MOST_ROUNDS):
            busy = [firm for firm in self.firms if firm.woken and not self._is_cut_off(firm)]
            if not busy and not await self._collect():
                return
            for firm in busy:
                topics, firm.woken = firm.woken, set()
                for crank in firm.cranks:
                    if crank.topic in topics:
                        await self._turn(firm, crank)
        raise AssertionError("the letters never come to rest")

    async def _collect(self) -> bool:
        """Those whom nobody can call ask what is for them, all the time; whether there was any."""
        before = self.wire.moved
        for firm in self.firms:
            for crank in firm.cranks:
                if isinstance(crank, Collections) and not self._is_cut_off(firm):
                    await self._turn(firm, crank)
        return self.wire.moved != before

    async def pass_time(self, **how_far: float) -> None:
        """Let time pass, and let everything that becomes due happen when it is due."""
        whole = timedelta(**how_far)
        end = self.clock.now() + whole
        look = self.clock.now()
        while True:
            await self.deliver()
            now = self.clock.now()
            if now >= look or now >= end:
                look = now + max(whole / LOOKS, LOOK_AT_MOST_EVERY)
                await self._turn_all()
                await self.deliver()
            if now >= end:
                return
            due = [
                at
                for firm in self.firms
                if not self._is_cut_off(firm)
                for at in firm.due.values()
                if at > now
            ]
            self.clock.move_to(min([*due, look, end]))
            for firm in self.firms:
                for crank in firm.cranks:
                    if firm.due.get(crank.topic, end) <= self.clock.now():
                        await self._turn(firm, crank)

    def in_(self, **how_far: float) -> datetime:
        """An instant of the future."""
        return self.clock.now() + timedelta(**how_far)

    async def _turn_all(self) -> None:
        for firm in self.firms:
            if not self._is_cut_off(firm):
                for crank in firm.cranks:
                    await self._turn(firm, crank)

    async def _turn(self, firm: Firm, crank: Any) -> None:
        firm.due.pop(crank.topic, None)
        due = await crank.turn()
        if due is not None and not isinstance(crank, Timers):  # timers look, they do not know
            # Nodes count in whole milliseconds: nothing is due in the middle of one.
            late = timedelta(microseconds=-due.microsecond % 1000)
            firm.due[crank.topic] = due + late

    def _is_cut_off(self, firm: Firm) -> bool:
        return firm.settings.url in self.wire.down

    # --- at the end of every story

    async def check_books(self) -> None:
        """Nothing is lost, nothing lies about, and the two sides of every hand-off agree."""
        await self.deliver()
        sent = self.wire.moved
        await self._turn_all()
        everybody = not self.wire.down
        assert self.wire.moved == sent or not everybody, "work lay about that nobody was told of"
        states: dict[str, dict[str, Handoff]] = {}
        for firm in self.firms:
            assert await firm.look(audit.first_break) is None, f"audit of {firm} is broken"
            left = await self._left(firm, InboxState.PARKED)
            assert not left, f"{firm} could not process {left}"
            left = await self._left(firm, InboxState.NEW)
            assert not left or not everybody, f"{firm} left unread: {left}"
            if not self.refusals_expected:
                left = await self._left(firm, InboxState.REFUSED)
                assert not left, f"{firm} refused an honest message: {left}"
            for link in await self._links(firm):
                for one in await firm.look(
                    lambda c, id_=link: stored_handoffs.of_link(c, id_, only_open=False)
                ):
                    states.setdefault(one.id, {})[one.party] = one
        if everybody and not self.refusals_expected:
            await self._check_shared(states)
        for sides in states.values():
            if len(sides) == 2 and everybody:
                ours, theirs = sides.values()
                texts = () if ours.id in self.erased else ("rating_text", "rating_reply")
                for name in ("state", "round", "since", "score", *texts):
                    assert getattr(ours, name) == getattr(theirs, name), f"{name} differs: {ours}"
                if ours.state in OVER:
                    assert ours.request is None, f"an open request on a finished hand-off: {ours}"
                    assert theirs.request is None, f"an open request on a finished one: {theirs}"

    async def _check_shared(self, states: dict[str, dict[str, Handoff]]) -> None:
        """Both sides have the same of every hand-off, and it is what its messages make it."""
        found: dict[str, list[Any]] = {}
        for firm in self.firms:
            for one in [side for sides in states.values() for side in sides.values()]:
                here = await firm.look(lambda c, id_=one.id: stored_handoffs.find(c, id_))
                if here is None or here.party != one.party:
                    continue
                if await firm.look(lambda c, here=here: erasures.touched(c, here.ticket_id)):
                    self.erased.add(here.id)  # not what its messages made of it any more
                    continue
                ours = await firm.look(lambda c, here=here: shared.projection(c, here))
                log = await firm.look(lambda c, here=here: shared.replayed(c, here))
                if any(side.detached_at for side in states[one.id].values()):
                    continue  # somebody stopped telling
                if log is None:
                    continue  # some of its texts have gone with time
                found.setdefault(one.id, []).append(ours)
                names = sorted(n for n in ours.keys() | log if ours.get(n) != log.get(n))
                assert not names, f"{firm}: not what was said: " + repr(
                    [(n, ours.get(n), log.get(n)) for n in names]
                )
        for here in (one for id_, one in found.items() if id_ not in self.erased):
            names = sorted(
                n for n in here[0].keys() | here[-1] if here[0].get(n) != here[-1].get(n)
            )
            assert not names, [(n, here[0].get(n), here[-1].get(n)) for n in names]

    async def _left(self, firm: Firm, state: InboxState) -> list[tuple[str, str | None]]:
        rows = await firm.look(lambda c: inbox.in_state(c, state, 100))
        return [(row.type, row.last_error) for row in rows]

    async def _links(self, firm: Firm) -> list[str]:
        return [one.id for one in await firm.look(links.everyone)]


__all__ = [
    "Comment",
    "Firm",
    "Priority",
    "Said",
    "State",
    "Story",
    "Ticket",
    "Work",
    "refused",
    "terms",
]
