"""Two nodes, two message channels, every order of events: the table leaves no room to disagree.

Each party acts on its own copy of the state and hears of the other only through a first-in,
first-out channel. All reachable worlds are visited, within small budgets of repeatable events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from hub.domain.handoff import (
    OVER,
    Act,
    Party,
    Request,
    State,
    after,
    check_request,
    possible,
)
from hub.errors import Refused

LONGEST_CHANNEL = 4
P, C = Party.PRINCIPAL, Party.CONTRACTOR
ANSWER_TO = {"cancelled": Request.CANCEL, "cancel_refused": Request.CANCEL}
ANSWER_TO |= {"retracted": Request.RETRACT, "retract_refused": Request.RETRACT}


class Step(NamedTuple):
    """A message that says: I did this, from this state."""

    act: Act
    source: State


Message = Step | Request | str  # a str is the answer to a request


class World(NamedTuple):
    """Both copies, what is on its way, and what may still be repeated."""

    at_p: State = State.OFFERED
    at_c: State = State.OFFERED
    to_p: tuple[Message, ...] = ()
    to_c: tuple[Message, ...] = ()
    open: frozenset[Request] = frozenset()  # asked, and no answer has arrived
    cancels: int = 2
    retracts: int = 1
    returns: int = 2
    pends: int = 3

    def state(self, party: Party) -> State:
        return self.at_p if party is P else self.at_c

    def inbox(self, party: Party) -> tuple[Message, ...]:
        return self.to_p if party is P else self.to_c

    def moved(self, party: Party, state: State) -> World:
        return self._replace(at_p=state) if party is P else self._replace(at_c=state)

    def sent(self, sender: Party, *messages: Message) -> World:
        if sender is P:
            return self._replace(to_c=self.to_c + messages)
        return self._replace(to_p=self.to_p + messages)

    def taken(self, party: Party) -> World:
        return (
            self._replace(to_p=self.to_p[1:]) if party is P else self._replace(to_c=self.to_c[1:])
        )


Moves = Callable[[Party, State], tuple[Act, ...]]
Move = Callable[[Act, Party, State], State | None]


@dataclass
class Findings:
    """What the walk through all worlds found."""

    worlds: int = 0
    conflicts: list[str] = field(default_factory=list)
    two_writers: int = 0
    quiet: int = 0
    diverged: int = 0
    stuck: int = 0


@cache
def _moves(party: Party, state: State) -> tuple[Act, ...]:
    # A contractor says `cancelled` only to a request; the walk below lets it answer one.
    return tuple(act for act in possible(party, state) if act is not Act.CANCELLED)


@cache
def _move(act: Act, party: Party, state: State) -> State | None:
    try:
        return after(act, party, state)
    except Refused:
        return None


@cache
def _may_ask(request: Request, party: Party, state: State) -> bool:
    try:
        check_request(request, party, state)
    except Refused:
        return False
    return True


def _acts(world: World, moves: Moves, move: Move) -> Iterator[World]:
    """Somebody does something of their own accord."""
    for party in Party:
        if len(world.inbox(party.other)) >= LONGEST_CHANNEL:
            continue
        state = world.state(party)
        for act in moves(party, state):
            target = move(act, party, state)
            spent = world
            if act is Act.PEND:
                spent = world._replace(pends=world.pends - 1)
            elif act is Act.RETURN:
                spent = world._replace(returns=world.returns - 1)
            if target is not None and min(spent.pends, spent.returns) >= 0:
                yield spent.moved(party, target).sent(party, Step(act, state))
    yield from _asks(world)


def _asks(world: World) -> Iterator[World]:
    for request, party, left in (
        (Request.CANCEL, P, world.cancels),
        (Request.RETRACT, C, world.retracts),
    ):
        if (
            left
            and request not in world.open
            and len(world.inbox(party.other)) < LONGEST_CHANNEL
            and _may_ask(request, party, world.state(party))
        ):
            asked = world._replace(open=world.open | {request}).sent(party, request)
            if request is Request.CANCEL:
                yield asked._replace(cancels=left - 1)
            else:
                yield asked._replace(retracts=left - 1)


def _arrivals(world: World, move: Move) -> Iterator[World | str]:
    """The first message of a channel is applied; a text says that it could not be."""
    for party in Party:
        if not world.inbox(party):
            continue
        message, state, rest = world.inbox(party)[0], world.state(party), world.taken(party)
        if isinstance(message, Step):
            target = move(message.act, party.other, message.source)
            if state is not message.source or target is None:
                yield f"{party} is at {state} and hears {message}"
            else:
                yield rest.moved(party, target)
        elif isinstance(message, Request):
            yield _answer(rest, message, party, state)
        else:
            yield rest._replace(open=rest.open - {ANSWER_TO[message]})


def _answer(world: World, request: Request, party: Party, state: State) -> World:
    if not _may_ask(request, party.other, state):
        # The asker had not heard of the last step yet. Not an offence: it gets a no.
        refusal = "cancel_refused" if request is Request.CANCEL else "retract_refused"
        return world.sent(party, refusal)
    act, said = (
        (Act.CANCELLED, "cancelled") if request is Request.CANCEL else (Act.RETURN, "retracted")
    )
    return world.moved(party, after(act, party, state)).sent(party, Step(act, state), said)


def walk(moves: Moves = _moves, move: Move = _move) -> Findings:
    """Visit every world that can come about."""
    found = Findings()
    first = World()
    before: dict[World, list[World]] = {first: []}
    todo = deque([first])
    while todo:
        world = todo.popleft()
        if not world.to_p and not world.to_c:
            found.quiet += 1
            found.diverged += world.at_p is not world.at_c or bool(world.open)
        found.two_writers += bool(moves(P, world.at_p)) and bool(moves(C, world.at_c))
        for following in (*_acts(world, moves, move), *_arrivals(world, move)):
            if isinstance(following, str):
                found.conflicts.append(following)
            elif following in before:
                before[following].append(world)
            else:
                before[following] = [world]
                todo.append(following)
    found.worlds = len(before)
    found.stuck = len(before) - _can_end(before)
    return found


def _can_end(before: dict[World, list[World]]) -> int:
    """How many worlds can still come to a common end with nothing on its way."""
    ended = {
        world
        for world in before
        if not world.to_p and not world.to_c and world.at_p is world.at_c and world.at_p in OVER
    }
    todo = deque(ended)
    while todo:
        for earlier in before[todo.popleft()]:
            if earlier not in ended:
                ended.add(earlier)
                todo.append(earlier)
    return len(ended)


def test_two_nodes_never_disagree_about_a_hand_off() -> None:
    found = walk()
    # The figure of the protocol's description: another one means that the table has changed.
    assert found.worlds == 17_054
    assert found.quiet > 100
    assert found.conflicts == []
    assert found.two_writers == 0
    assert found.diverged == 0
    assert found.stuck == 0


def test_the_model_sees_a_table_with_two_writers() -> None:
    """The walk is worth something only if a broken rule does not pass it."""

    def moves(party: Party, state: State) -> tuple[Act, ...]:
        recall = party is P and state is State.OFFERED
        return (Act.CANCEL,) if recall else _moves(party, state)

    def move(act: Act, party: Party, state: State) -> State | None:
        if act is Act.CANCEL and state is State.OFFERED:
            return State.CANCELLED
        return _move(act, party, state)

    found = walk(moves, move)
    assert found.conflicts
    assert found.two_writers
