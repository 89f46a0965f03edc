"""One node goes back to an old backup; its peers hold what it said since, and what it was told."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update

from hub import app
from hub.storage import links, resets, streams
from hub.storage.tables import (
    comments,
    inbox,
    node,
    tickets,
)
from hub.storage.tables import streams as stream_rows
from tests.kit.clock import SeededEntropy
from tests.kit.copies import Copy, copy_of, put_back
from tests.kit.story import Firm, Story
from tests.simulation.checker import View
from tests.simulation.checker import view as look_at

Tale = Callable[[Story, list[Firm]], Awaitable[None]]


@dataclass
class Disaster:
    """A tale that was told to its end, and every state of one company's database on the way."""

    story: Story
    who: Firm
    backups: list[Copy] = field(default_factory=list)
    ends: dict[str, Copy] = field(default_factory=dict)
    truth: dict[str, View] = field(default_factory=dict)
    letters: dict[str, Counter[str]] = field(default_factory=dict)
    words: dict[str, Counter[str]] = field(default_factory=dict)

    @classmethod
    async def after(cls, story: Story, firms: list[Firm], who: int, tale: Tale) -> Disaster:
        """Tell the tale; keep a backup of this company at every position it passes."""
        made = cls(story, firms[who])
        seen: set[tuple[Any, ...]] = set()
        turn = story._turn

        async def watched(firm: Firm, crank: Any) -> None:
            await turn(firm, crank)
            now = tuple(await made.who.look(lambda c: c.execute(select(stream_rows)).all()))
            if now not in seen:
                seen.add(now)
                made.backups.append(await copy_of(made.who))

        story._turn = watched  # type: ignore[method-assign]
        made.backups.append(await copy_of(made.who))
        await tale(story, firms)
        await story.run_until_idle()
        for firm in firms:
            made.ends[firm.name] = await copy_of(firm)
            made.truth[firm.name] = await firm.look(look_at)
            made.letters[firm.name] = await firm.look(_received)
            made.words[firm.name] = await firm.look(_words)
        return made

    async def restore(self, number: int, *, order: tuple[int, ...] = (), lose_files: bool) -> None:
        """Everybody is where the tale ended, but this company has its backup of that number."""
        for firm in self.story.firms:
            await firm.hub.db.close()
            mine = firm is self.who
            await put_back(firm, self.backups[number] if mine else self.ends[firm.name])
            await self._open(firm, f"{number}/{order}/{firm.name}")
        if lose_files:
            shutil.rmtree(self.who.settings.data / "blobs", ignore_errors=True)
        found = sorted(await self.who.look(links.everyone), key=lambda one: one.created_at)
        wire = self.story.wire
        wire.down = {self.story.companies[one.peer_name].settings.url for one in found}
        if not order:
            wire.down = set()
        await self._settle()
        for place in order:
            wire.down.discard(self.story.companies[found[place].peer_name].settings.url)
            await self._settle()

    async def _settle(self) -> None:
        for _ in range(8):
            await self.story.run_until_idle()
            waiting = await self.who.look(resets.not_synced)
            if not (waiting or any([(await f.look(look_at)).problems for f in self.story.firms])):
                return
            # Whoever could not be reached is tried again after a while, and who is dead by now
            # leaves its work to others.
            self.story.clock.advance(minutes=5)

    async def _open(self, firm: Firm, seed: str) -> None:
        hub = await app.open_hub(
            firm.settings,
            {},
            clock=self.story.clock,
            entropy=SeededEntropy(seed),
            inline=not firm.settings.database.url,
        )
        firm.hub = hub
        if firm is self.who:  # as `hub backup restore` leaves it
            await hub.db.write(
                lambda tx: tx.connection.execute(update(node).values(held_at=hub.now()))
            )
        await self.story.open_doors(firm, new_run=firm is self.who)

    def _more(self, now: Counter[str], firm: Firm) -> Counter[str]:
        more = now - self.letters[firm.name]
        # The principal above, told of the end of its own work later than of the hop below, hears
        # of that hop's end too: which link comes back first is nobody's choice.
        return Counter({one: n for one, n in more.items() if not one.endswith(".notice")})

    async def check(self) -> None:
        """Everybody has what was there at the end of the tale, once; nothing was said twice."""
        wrong: list[str] = []
        for firm in self.story.firms:
            view, truth = await firm.look(look_at), self.truth[firm.name]
            found = {
                "problems": (view.problems, truth.problems),
                "numbers": (view.numbers, truth.numbers),
                "words": (await firm.look(_words), self.words[firm.name]),
                "more messages": (self._more(await firm.look(_received), firm), Counter()),
                "fewer messages": (self.letters[firm.name] - await firm.look(_received), Counter()),
            } | {
                f"{handoff_id} {name}": (
                    _plain(name, view.shared.get(handoff_id, {}).get(name)),
                    _plain(name, value),
                )
                for handoff_id, was in truth.shared.items()
                for name, value in was.items()
            }
            wrong += [
                f"{firm.name} {what}: {now!r} instead of {was!r}"
                for what, (now, was) in found.items()
                if now != was
            ]
        wrong += [f"{one} still comes back" for one in await self.who.look(streams.reapplying)]
        assert not wrong, "\n".join(wrong)


def _plain(name: str, value: Any) -> Any:
    """Of files that were taken back the state says nothing: nobody fetches them again."""
    if name != "files" or value is None:
        return value
    return [(digest, None if gone else state, gone) for digest, state, gone in value]


def _words(connection: Any) -> Counter[str]:
    """Everything public that was said, by the number of the ticket. Notes are lost for ever."""
    rows = connection.execute(
        select(tickets.c.number, comments.c.body)
        .join(tickets, tickets.c.id == comments.c.ticket_id)
        .where(comments.c.visibility == "public", comments.c.redacted_at.is_(None))
    ).all()
    return Counter(f"{row.number} {row.body}" for row in rows)


def _received(connection: Any) -> Counter[str]:
    """How many messages of each kind came, from whichever peer."""
    rows = connection.execute(select(inbox.c.link_id, inbox.c.type)).all()
    # Whether the bytes of a file are here is said anew where they were lost.
    # Every start begins an epoch, and once a day both sides compare.
    anew = {"file.status", "link.epoch", "link.checkpoint"}
    told = [row for row in rows if row.type not in anew]
    return Counter(f"{row.link_id} {row.type}" for row in told)
