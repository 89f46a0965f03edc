"""A world of companies that work and a network that fails, from one seed.

The nodes are the real ones (actions, storage, protocol, workers); the clock, the randomness
and the wire are the seed's. What people were told is done is written down outside the nodes,
and effects are counted by content: message ids prove nothing about the world.
"""

from __future__ import annotations

import hashlib
import io
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub import app
from hub.actions import comments, files, handoffs, tickets
from hub.actions.comments import AddComment
from hub.actions.handoffs import OfferHandoff, Particulars, Plan
from hub.actions.tickets import NewTicket, TicketChanges
from hub.domain.comment import Visibility
from hub.domain.handoff import FINAL, OVER, Act, Party, State, possible
from hub.errors import Refused, Unavailable
from hub.federation.door import Call
from hub.storage import attachments, audit, inbox, links, outbox, resets, streams
from hub.storage import comments as stored_comments
from hub.storage import handoffs as stored_handoffs
from hub.storage import tickets as stored_tickets
from hub.storage.keystore import KeyStore
from tests.kit.clock import SeededEntropy
from tests.kit.network import Company, Network

NAMES = ("Вендор", "Партнёр", "Мастер", "Запасной")
LINKS = ((0, 1), (1, 2), (0, 2), (1, 3))


@dataclass
class Faults:
    """How likely each kind of trouble is in this run: a random subset is switched on."""

    drop_request: float = 0.0
    drop_reply: float = 0.0
    duplicate: float = 0.0
    late_copy: float = 0.0
    partition: float = 0.0
    restart: float = 0.0
    crash_before_commit: float = 0.0
    crash_after_commit: float = 0.0
    clock_jump: float = 0.0
    restore: float = 0.0
    snapshot: float = 0.0  # put back by whoever runs the machine: the node cannot tell

    @classmethod
    def swarm(cls, chance: random.Random) -> Faults:
        """A random subset, each with a random strength."""
        strengths = {
            "drop_request": 0.3,
            "drop_reply": 0.3,
            "duplicate": 0.3,
            "late_copy": 0.3,
            "partition": 0.05,
            "restart": 0.05,
            "crash_before_commit": 0.05,
            "crash_after_commit": 0.05,
            "clock_jump": 0.05,
            "restore": 0.03,
            "snapshot": 0.03,
        }
        return cls(
            **{
                name: chance.uniform(0, most) if chance.random() < 0.5 else 0.0
                for name, most in strengths.items()
            }
        )


class Crash(Unavailable):
    """The process died at this point."""


@dataclass
class World:
    """Four companies, what they were told, and the trouble between them."""

    seed: int
    root: Path
    trace: list[str] = field(default_factory=list)
    said: dict[str, tuple[str, str]] = field(default_factory=dict)  # body → (company, visibility)
    unsure: set[str] = field(default_factory=set)  # bodies whose author heard of no success
    recorded: list[tuple[str, Call]] = field(default_factory=list)
    healed: bool = False
    backups: dict[str, bytes] = field(default_factory=dict)
    restored: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.faults = Faults.swarm(self.chance)
        self.network = Network(self.root, seed=f"simulation {self.seed}")
        self.counter = 0
        self.canary = f"канарейка-{self.seed:08x}-{self.chance.getrandbits(64):016x}"

    async def begin(self) -> None:
        """Found and link the companies; nothing fails yet."""
        for name in NAMES:
            await self.network.company(name, retry_base_s=2.0, retry_cap_s=60.0)
        self.companies = list(self.network.companies.values())
        for inviter, invitee in LINKS:
            await self.network.link(self.companies[inviter], self.companies[invitee])
        await self.network.run_until_idle()
        self.network.wire.fault = self._fault
        for company in self.companies:
            self._arm(company)

    def _arm(self, company: Company) -> None:
        """Let commits of this node fail, before or after they are made."""
        real = company.hub.db.write

        async def write(body: Callable[[Any], Any]) -> Any:
            if not self.healed and self.chance.random() < self.faults.crash_before_commit:
                raise Crash("crash", "Died before the commit.")
            done = await real(body)
            if not self.healed and self.chance.random() < self.faults.crash_after_commit:
                raise Crash("crash", "Died after the commit.")
            return done

        company.hub.db.write = write  # type: ignore[method-assign]

    def _fault(self, caller: str, method: str, url: str) -> str | None:
        if self.healed:
            return None
        for name in ("drop_request", "drop_reply", "duplicate"):
            if self.chance.random() < getattr(self.faults, name):
                return name
        return None

    def note(self, text: str) -> None:
        """One line of the trace, which a repeated run must reproduce."""
        self.trace.append(f"{len(self.trace):05} {text}")

    @property
    def trace_hash(self) -> str:
        """Two runs of one seed have the same."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    # --- what people do ---------------------------------------------------------------------

    async def step(self) -> None:
        """One thing happens somewhere."""
        company = self.chance.choice(self.companies)
        what = self.chance.choices(
            (
                self._new_ticket,
                self._offer,
                self._act,
                self._comment,
                self._edit,
                self._request,
                self._plan,
                self._change,
                self._attach,
                self._rate,
                self._turn,
            ),
            weights=(2, 5, 12, 8, 2, 2, 2, 2, 2, 2, 14),
        )[0]
        try:
            outcome = await what(company)
        except Crash as crash:
            outcome = f"crash: {crash.code}"
        except (Refused, Unavailable) as error:
            outcome = f"refused: {error.code}"
        self.note(f"{company.name} {what.__name__} {outcome}")
        await self._trouble()

    async def _trouble(self) -> None:
        chance, faults, wire = self.chance, self.faults, self.network.wire
        if chance.random() < faults.partition:
            base = chance.choice(self.companies).settings.url
            wire.down.symmetric_difference_update({base})
            self.note(f"line of {base} {'cut' if base in wire.down else 'back'}")
        if chance.random() < faults.restart:
            await self._restart(chance.choice(self.companies))
        if chance.random() < faults.late_copy and wire.doors:
            await self._late_copy()
        if chance.random() < 0.05:
            self._back_up(chance.choice(self.companies))
        for kind in ("restore", "snapshot"):
            if self.backups and chance.random() < getattr(faults, kind):
                await self._restore(chance.choice(sorted(self.backups)), told=kind == "restore")
        if chance.random() < faults.clock_jump:
            self.network.clock.advance(hours=chance.choice((1, 2, 5)))
        self.network.clock.advance(seconds=chance.uniform(0, 30))

    async def _restart(self, company: Company) -> None:
        """The process ends and begins anew on its database: all that is in memory is gone."""
        await self.network.stop(company)
        await self.network.start(company, entropy=SeededEntropy(self.chance.getrandbits(64)))
        self._arm(company)
        self.note(f"{company.name} restarted")

    def _back_up(self, company: Company) -> None:
        connection = sqlite3.connect(company.settings.data / "hub.db")
        self.backups[company.name] = connection.serialize()
        connection.close()
        self.note(f"{company.name} backed up")

    async def _restore(self, name: str, *, told: bool) -> None:
        """The database is the one of the backup; what was in it alone since then is gone."""
        company = self.network.companies[name]
        await self.network.stop(company)
        data = company.settings.data
        for path in data.glob("hub.db*"):
            path.unlink()
        (data / "hub.db").write_bytes(self.backups[name])
        if told:
            await self._as_hub_restore_leaves_it(company)
        await self.network.start(company, entropy=SeededEntropy(self.chance.getrandbits(64)))
        self._arm(company)
        self.restored.add(name)
        self.note(f"{name} {'restored' if told else 'put back to a snapshot'}")

    async def _as_hub_restore_leaves_it(self, company: Company) -> None:
        entropy = SeededEntropy(self.chance.getrandbits(64))
        KeyStore(company.settings.keys_dir).renew_instance(entropy)
        hub = await app.open_hub(
            company.settings, {}, clock=self.network.clock, entropy=entropy, inline=True
        )
        await hub.db.write(lambda tx: resets.begin_anew(tx, hub.now()))
        await hub.db.close()

    async def _late_copy(self) -> None:
        """A copy of a request that was on the wire before arrives now, at its old address."""
        recorded = self.network.wire.calls
        if not recorded:
            return
        base, call = self.chance.choice(recorded)
        if base in self.network.wire.down:
            return
        try:
            reply = await self.network.wire.doors[base].answer(call)
        except Crash:
            return
        self.note(f"late copy {call.method} {call.target.rpartition('/')[2]} {reply.status}")

    async def _turn(self, company: Company) -> str:
        if company.settings.url in self.network.wire.down:
            return "down"
        await company.turn()
        return "turned"

    async def _some_ticket(self, company: Company) -> Any:
        found = await company.hub.db.read(
            lambda connection: stored_tickets.page(connection, status=None, before=None, limit=50)
        )
        return self.chance.choice(found) if found else None

    async def _some_handoff(self, company: Company) -> Any:
        def body(connection: Any) -> list[Any]:
            return [
                one
                for link in links.everyone(connection)
                for one in stored_handoffs.of_link(connection, link.id, only_open=False)
            ]

        found = await company.hub.db.read(body)
        return self.chance.choice(found) if found else None

    def _words(self) -> str:
        self.counter += 1
        return f"слова-{self.seed}-{self.counter:04}"

    async def _new_ticket(self, company: Company) -> str:
        made = await tickets.create(
            company.hub,
            company.dispatcher,
            NewTicket(title=f"Заявка {self._words()}", description="Не печатает"),
        )
        return made.number

    async def _offer(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return await self._new_ticket(company)
        known = await company.hub.db.read(links.everyone)
        link = self.chance.choice(known)
        valid = None
        if self.chance.random() < 0.2:
            from datetime import timedelta

            valid = company.hub.now() + timedelta(minutes=self.chance.randint(1, 600))
        await handoffs.offer(
            company.hub,
            company.dispatcher,
            OfferHandoff(ticket.id, link.id, valid_until=valid),
        )
        return f"{ticket.number} → {link.peer_name}"

    async def _act(self, company: Company) -> str:
        one = await self._some_handoff(company)
        acts = (
            []
            if one is None
            else [a for a in possible(one.party, one.state) if a is not Act.CANCELLED]
        )
        if not acts:
            return "nothing to do"
        act = self.chance.choice(acts)
        said = Particulars(
            reason="так надо",
            code={Act.PEND: "awaiting_parts", Act.DECLINE: "capacity"}.get(act),
            text="слова",
            score=self.chance.randint(1, 5) if act is Act.CONFIRM else None,
        )
        target = await handoffs.act(company.hub, company.dispatcher, one.id, act, said)
        return f"{act} → {target}"

    async def _request(self, company: Company) -> str:
        one = await self._some_handoff(company)
        if one is None:
            return "nothing"
        if one.party is Party.PRINCIPAL:
            if self.chance.random() < 0.2:
                await handoffs.detach(company.hub, company.dispatcher, one.id, "не отвечает")
                return "detached"
            await handoffs.cancel(company.hub, company.dispatcher, one.id, "не нужно")
        else:
            await handoffs.retract(company.hub, company.dispatcher, one.id, "рано")
        return "asked"

    async def _comment(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return "nothing"
        visibility = self.chance.choice(list(Visibility))
        body = (
            self._words() if visibility is Visibility.PUBLIC else f"{self.canary} {self._words()}"
        )
        self.unsure.add(body)
        await comments.add(company.hub, company.dispatcher, AddComment(ticket.id, body, visibility))
        self.unsure.discard(body)
        self.said[body] = (company.name, visibility)
        return f"{ticket.number} {visibility}"

    async def _edit(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return "nothing"
        mine = [
            one
            for one in await company.hub.db.read(
                lambda connection: stored_comments.of_ticket(connection, ticket.id)
            )
            if one.origin_handoff_id is None
            and one.redacted_at is None
            and one.visibility is Visibility.PUBLIC
        ]
        if not mine:
            return "nothing"
        one = self.chance.choice(mine)
        if self.chance.random() < 0.3:
            await comments.redact(company.hub, company.dispatcher, one.id)
            return "redacted"
        await comments.edit(company.hub, company.dispatcher, one.id, one.body + " (испр.)")
        return "edited"

    async def _plan(self, company: Company) -> str:
        one = await self._some_handoff(company)
        if one is None or one.party is not Party.CONTRACTOR or one.state in OVER:
            return "nothing"
        await handoffs.plan(
            company.hub, company.dispatcher, one.id, Plan(stage="в пути", eta=company.hub.now())
        )
        return "planned"

    async def _change(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return "nothing"
        await tickets.change(
            company.hub,
            company.dispatcher,
            ticket.id,
            TicketChanges(description=f"Теперь {self.counter}"),
        )
        return "changed"

    async def _attach(self, company: Company) -> str:
        ticket = await self._some_ticket(company)
        if ticket is None:
            return "nothing"
        content = f"файл {self._words()}".encode() * self.chance.randint(1, 5000)
        new = files.store(company.hub, "акт.txt", "text/plain", io.BytesIO(content))
        await files.add(company.hub, company.dispatcher, ticket.id, [new])
        return f"{len(content)} bytes"

    async def _rate(self, company: Company) -> str:
        one = await self._some_handoff(company)
        if one is None or one.state not in {State.CONFIRMED, State.CLOSED}:
            return "nothing"
        if one.party is Party.PRINCIPAL:
            await handoffs.rate(company.hub, company.dispatcher, one.id, self.chance.randint(1, 5))
        else:
            await handoffs.reply_to_rating(company.hub, company.dispatcher, one.id, "спасибо")
        return "rated"

    # --- the end ----------------------------------------------------------------------------

    async def heal(self) -> None:
        """Everything works again; everything that waits arrives."""
        self.healed = True
        self.network.wire.down.clear()
        for _ in range(200):
            await self.network.run_until_idle(most=2000)
            waiting = [await company.hub.db.read(_at_rest) for company in self.companies]
            if all(waiting):
                return
            self.network.clock.advance(seconds=61)
        raise AssertionError(f"seed {self.seed}: something never arrives")

    async def check(self) -> None:
        """The invariants, over all databases and every byte that left."""
        views = {company.name: await company.hub.db.read(_view) for company in self.companies}
        problems: list[str] = []
        for name, view in views.items():
            problems += [f"{name}: {text}" for text in view.problems]
        problems += self._compare(views)
        problems += self._heard(views)
        problems += self._leaks()
        assert not problems, f"seed {self.seed} ({self.faults}):\n" + "\n".join(problems)

    def _compare(self, views: dict[str, View]) -> list[str]:
        """I3: both sides of every hand-off tell the same."""
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for name, view in views.items():
            for handoff_id, shared in view.shared.items():
                found.setdefault(handoff_id, []).append((name, shared))
        problems = []
        for handoff_id, sides in found.items():
            if len(sides) != 2:
                problems.append(f"{handoff_id} is known to {[name for name, _ in sides]} only")
                continue
            (one, mine), (two, theirs) = sides
            first, second = views[one].numbers[handoff_id], views[two].numbers[handoff_id]
            for here, there in ((first, second), (second, first)):
                # The contractor's number comes with its first answer.
                if here[2] != there[1] and not (here[0] is Party.PRINCIPAL and here[2] is None):
                    problems.append(f"{handoff_id}: numbers {first} and {second}")
            # Who does not listen any more hears of no new wording; taking back reaches everybody.
            ended = mine.pop("ended") | theirs.pop("ended")
            for key in mine.keys() - ({"comments"} if ended else set()):
                if mine[key] != theirs[key]:
                    problems.append(
                        f"{handoff_id} {key}: {one} {mine[key]!r}, {two} {theirs[key]!r}"
                    )
        return problems

    def _heard(self, views: dict[str, View]) -> list[str]:
        """I1 and I2: what was acknowledged is there, and there once, counted by content."""
        problems = []
        for name, view in views.items():
            counted = Counter(view.first_bodies)
            problems += [
                f"{name}: {body!r} {n} times" for body, n in counted.items() if n > 1 and body
            ]
        for body, (author, _visibility) in self.said.items():
            # A comment that was taken back has no body any more, by the author's own wish.
            if body in views[author].ever_said or views[author].redactions:
                continue
            if author in self.restored and not any(body in v.ever_said for v in views.values()):
                continue  # nobody else ever had it: gone with what the backup did not hold
            problems.append(f"{author}: {body!r} was acknowledged and is gone")
        return problems

    def _leaks(self) -> list[str]:
        """I4: no internal byte in anything that left, however it is written."""
        canary = self.canary.encode()
        escaped = self.canary.encode("unicode_escape").replace(b"\\x", b"\\u00")
        for blob in self.network.wire.sent:
            if canary in blob or escaped in blob:
                return ["an internal note left the company"]
        return []


@dataclass
class View:
    """What one node holds at the end."""

    shared: dict[str, dict[str, Any]]
    numbers: dict[str, tuple[Party, str, str | None]]  # our side, our number, theirs
    first_bodies: list[str]
    ever_said: set[str]
    redactions: int
    problems: list[str]


def _at_rest(connection: Any) -> bool:
    counted = outbox.counts(connection)
    return not (
        counted.get("queued", 0)
        or counted.get("sent", 0)
        or inbox.waiting_count(connection)
        or attachments.open_fetches(connection)
    )


_SHARED = (
    "state",
    "since",
    "round",
    "due_promised",
    "eta",
    "stage",
    "resolution",
    "reason",
    "score",
    "rating_text",
    "rating_rev",
    "rating_reply",
    "rating_reply_rev",
    "pend_reason",
    "resolved_at",
    "confirmed_at",
    "closed_at",
    "work_started",
    "effort_minutes",
    "hop_limit",
    "request_id",
)


def _view(connection: Any) -> View:
    problems = []
    if (broken := audit.first_break(connection)) is not None:
        problems.append(f"audit chain breaks at {broken}")
    failed = [
        f"{row.type}: {row.last_error}"
        for row in outbox.page(connection, state=None, before=None, limit=10_000)
        if row.state == "failed"
    ]
    problems += [f"refused by the peer: {text}" for text in failed]
    problems += [
        f"parked: {row.type} {row.last_error}"
        for row in inbox.in_state(connection, inbox.InboxState.PARKED, 100)
    ]
    shared: dict[str, dict[str, Any]] = {}
    numbers: dict[str, tuple[Party, str, str | None]] = {}
    bodies: list[str] = []
    ever: set[str] = set()
    redactions = 0
    for link in links.everyone(connection):
        stream = streams.get(connection, link.id)
        if stream is not None and stream.out_seq != stream.receipted_seq:
            problems.append(f"{link.peer_name}: not everything is receipted")
        for one in stored_handoffs.of_link(connection, link.id, only_open=False):
            ticket = stored_tickets.get(connection, one.ticket_id)
            public = [
                (row.body, row.rev, row.redacted_at is not None)
                for row in stored_comments.of_ticket(connection, one.ticket_id)
                if one.id in stored_comments.refs_of(connection, "cmt", row.id)
            ]
            known_files = [
                (row.sha256, str(row.state), row.redacted_at is not None)
                for row in attachments.of_ticket(connection, one.ticket_id)
                if one.id in stored_comments.refs_of(connection, "att", row.id)
            ]
            shared[one.id] = {name: getattr(one, name) for name in _SHARED} | {
                "comments": sorted(public),
                "taken_back": sorted(redacted for _body, _rev, redacted in public),
                "ended": one.state in FINAL or one.detached_at is not None,
                "files": sorted(known_files),
                "title": ticket.title,
            }
            numbers[one.id] = (one.party, ticket.number, one.peer_number)
    for ticket in stored_tickets.page(connection, status=None, before=None, limit=10_000):
        for row in stored_comments.of_ticket(connection, ticket.id):
            plain = row.body.replace(" (испр.)", "")
            if row.redacted_at is None:
                bodies.append(f"{ticket.id}/{plain}")
            ever.add(plain)
            redactions += row.redacted_at is not None
    return View(shared, numbers, bodies, ever, redactions, problems)
