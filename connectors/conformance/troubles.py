"""The same under faults: at each request it can strike, and between requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from connectors.conformance.rig import (
    CONTENT,
    Fault,
    Faulty,
    Rig,
    Wrong,
    a_file,
    a_wish,
    begin,
    news,
)
from connectors.contract import (
    Call,
    Change,
    Connector,
    DeskError,
    Gone,
    Host,
    Misconfigured,
    NewComment,
    Request,
    Unavailable,
    Untrusted,
)

# ---------------------------------------------------------------- one fault at one request


Deed = Callable[[Connector, str, bool], Awaitable[None]]


async def _create(connector: Connector, ticket: str, again: bool) -> None:
    await connector.create(a_wish("HUB-fault"))


async def _comment(connector: Connector, ticket: str, again: bool) -> None:
    wish = NewComment("наш ответ", public=True, key=f"HUB-comment-{ticket}")
    await connector.comment(ticket, wish, known=(), again=again)


async def _attach(connector: Connector, ticket: str, again: bool) -> None:
    await connector.attach(ticket, a_file(), public=True, known=(), again=again)


async def _change(connector: Connector, ticket: str, again: bool) -> None:
    await connector.change(ticket, Change(status="resolved"))


async def _fetch(connector: Connector, ticket: str, again: bool) -> None:
    await connector.fetch(ticket)


async def _find(connector: Connector, ticket: str, again: bool) -> None:
    await connector.find("HUB-nowhere")


DEEDS: Final[dict[str, tuple[str, Deed]]] = {
    "create": ("create", _create),
    "comment": ("comment", _comment),
    "attach": ("attach", _attach),
    "change": ("set_status", _change),
    "fetch": ("fetch", _fetch),
    "find": ("find", _find),
}
"""Name: which capability it needs, how it is done."""


async def one_fault(rig: Rig, deed: str, fault: Fault) -> int:
    """The fault at each request the deed makes, one after another; each time it ends done once.

    Returns how many places there were.
    """
    _, do = DEEDS[deed]
    at = 0
    while True:
        ticket = await rig.people.open_ticket("Сбои", "x")
        spoiled = Faulty(rig.transport, fault, at)
        connector, again = rig.connector(spoiled), False
        for _ in range(4):
            try:
                await do(connector, ticket, again)
                break
            except (Unavailable, Misconfigured) as error:
                again = True
                await _waited(rig, fault, error)
                connector = rig.connector(spoiled)  # a restart in the middle
        else:
            raise AssertionError(f"{deed} never got done after {fault.name} at request {at}")
        if not spoiled.struck:
            return at
        await _once(rig, deed, ticket, f"{fault.name} at request {at}")
        at += 1


async def _once(rig: Rig, deed: str, ticket: str, what: str) -> None:
    seen = await rig.people.seen(ticket)
    if deed == "create":
        made = await rig.people.marked("HUB-fault")
        assert len(made) == 1, f"{what}: {len(made)} tickets"
        await rig.people.delete(made[0])
    elif deed == "comment":
        count = [text for text, _ in seen.comments].count("наш ответ")
        assert count == 1, f"{what}: {count} comments"
    elif deed == "attach":
        assert seen.files == (("схема.bin", CONTENT),), f"{what}: {len(seen.files)} files"
    elif deed == "change" and rig.connector().capabilities.fetch:
        assert (await rig.connector().fetch(ticket)).status == "resolved", what
    elif deed == "change":
        assert seen.status == "resolved", what


async def a_poll_through(rig: Rig, fault: Fault) -> int:
    """The fault at each request of a poll: nothing is lost, and the cursor never runs ahead."""
    at = 0
    while True:
        cursor = await begin(rig.connector())
        await rig.clock.advance(timedelta(minutes=3))
        tickets = {await rig.people.open_ticket(f"Заявка {n}", "x") for n in range(3)}
        await rig.clock.advance(timedelta(minutes=3))
        spoiled = Faulty(rig.transport, fault, at)
        came: set[str] = set()
        for _ in range(4):
            try:
                async for page in rig.connector(spoiled).pull(cursor):
                    came |= {one.id for one in page.tickets}
                    # One ticket's trouble is told in the page and read again by the host.
                    assert not [one for one in page.failed if one.id in tickets]
                    cursor = page.cursor
                break
            except (Unavailable, Misconfigured) as error:
                await _waited(rig, fault, error)
        assert tickets <= came, f"{fault.name} at request {at}: lost {tickets - came}"
        if not spoiled.struck:
            return at
        at += 1


async def _waited(rig: Rig, fault: Fault, error: Unavailable | Misconfigured) -> None:
    """As long as the desk asked for, or until a person put it right."""
    assert_no_secret(rig, error)
    if isinstance(error, Misconfigured):
        assert fault.cured, f"{fault.name} is no matter for a person: {error}"
    after = getattr(error, "after", None) or timedelta()
    await rig.clock.advance(max(after, timedelta(seconds=1)))


def assert_no_secret(rig: Rig, error: DeskError) -> None:
    """Nothing of the vault is in what is logged or told."""
    secrets = getattr(rig.vault, "values", {})
    for secret in secrets.values():
        assert len(secret) < 4 or secret not in f"{error} {error.facts}", "a secret in an error"


# ---------------------------------------------------------------- what goes wrong between requests


async def _new_ones(rig: Rig, connector: Connector, cursor: str) -> None:
    """Three new tickets, all of which a poll from the cursor brings."""
    await rig.clock.advance(timedelta(minutes=3))
    tickets = {await rig.people.open_ticket(f"Заявка {n}", "x") for n in range(3)}
    await rig.clock.advance(timedelta(minutes=3))
    found, _, _ = await news(connector, cursor)
    assert tickets <= {one.id for one in found}, tickets - {one.id for one in found}


def _with_clock(by: timedelta) -> Callable[[Rig], Awaitable[None]]:
    async def poll(rig: Rig) -> None:
        host = Host(rig.transport, Wrong(rig.clock, by), rig.vault, rig.settings)
        await _new_ones(rig, rig.make(host), await begin(rig.make(host)))

    return poll


async def _restart_between_pages(rig: Rig) -> None:
    """Stopped after every page that brings something, it goes on from there; nothing is lost."""
    cursor = await begin(rig.connector())
    await rig.clock.advance(timedelta(minutes=3))
    tickets = {await rig.people.open_ticket(f"Заявка {n}", "x") for n in range(rig.long_lists)}
    await rig.clock.advance(timedelta(minutes=3))
    came: set[str] = set()
    for _ in range(rig.long_lists + 1):
        async for page in rig.connector().pull(cursor):
            came |= {one.id for one in page.tickets}
            cursor = page.cursor
            if page.tickets:
                break
        if tickets <= came:
            return
    raise AssertionError(f"lost: {sorted(tickets - came)[:5]}")


async def _deleted_while_pages_turn(rig: Rig) -> None:
    """Pages move up by one when a ticket of an earlier page goes; none slips through."""
    cursor = await begin(rig.connector())
    await rig.clock.advance(timedelta(minutes=3))
    tickets = [await rig.people.open_ticket(f"Заявка {n}", "x") for n in range(rig.long_lists)]
    await rig.clock.advance(timedelta(minutes=3))
    watched, going = Faulty(rig.transport), iter(tickets[:3])

    async def meanwhile(request: Request) -> None:
        if request.method == "GET" and (ticket := next(going, None)):
            await rig.people.delete(ticket)

    watched.between = meanwhile
    came: set[str] = set()
    for _ in range(2):
        found, _, cursor = await news(rig.connector(watched), cursor)
        came |= {one.id for one in found}
        await rig.clock.advance(timedelta(minutes=3))
    assert set(tickets[3:]) <= came, f"lost: {sorted(set(tickets[3:]) - came)[:5]}"


async def _hook_twice(rig: Rig) -> None:
    """The same delivery, the same ticket."""
    ticket = await rig.people.open_ticket("Дважды", "x")
    call, connector = await rig.people.hook(ticket), rig.connector()
    first, second = connector.receive(call), rig.connector().receive(call)
    assert first == second
    assert [one.ticket for one in first] == [ticket]


async def _hook_out_of_order(rig: Rig) -> None:
    """The later one came first: what is believed is the desk, or the time it says."""
    ticket = await rig.people.open_ticket("Наоборот", "x")
    first = await rig.people.hook(ticket)
    await rig.clock.advance(timedelta(seconds=2))
    if "move" in rig.people.can:
        await rig.people.move(ticket, "resolved")
    second = await rig.people.hook(ticket)
    connector = rig.connector()
    (late,), (early,) = connector.receive(second), connector.receive(first)
    assert late.ticket == early.ticket == ticket
    if late.content is not None:
        assert early.content is not None
        assert early.content.updated_at is not None
        assert late.content.updated_at is not None
        assert early.content.updated_at <= late.content.updated_at
    elif "move" in rig.people.can:
        assert (await connector.fetch(early.ticket)).status == "resolved"


async def _hook_never(rig: Rig) -> None:
    """A poll brings it."""
    await _new_ones(rig, rig.connector(), await begin(rig.connector()))


async def _hook_of_what_is_gone(rig: Rig) -> None:
    """It points at nothing any more, and that is said."""
    ticket = await rig.people.open_ticket("Была", "x")
    call = await rig.people.hook(ticket)
    await rig.people.delete(ticket)
    (hint,) = rig.connector().receive(call)
    try:
        await rig.connector().fetch(hint.ticket)
    except Gone:
        return
    raise AssertionError("a deleted ticket is read")


def _spoilt_hook(
    spoilt: Callable[[bytes], bytes], *, nothing: bool = False
) -> Callable[[Rig], Awaitable[None]]:
    async def received(rig: Rig) -> None:
        ticket = await rig.people.open_ticket("Испорчен", "x")
        call = await rig.people.hook(ticket)
        spoiled = Call(call.method, call.headers, call.query, spoilt(call.body))
        try:
            hints = rig.connector().receive(spoiled)
        except Untrusted:
            return
        assert nothing, "it was believed"
        assert not hints, hints

    return received


async def _hook_with_another_secret(rig: Rig) -> None:
    """Somebody else's."""
    call = await rig.people.hook(await rig.people.open_ticket("Чужой", "x"))
    try:
        rig.connector(vault=rig.wrong_vault).receive(call)
    except Untrusted:
        return
    raise AssertionError("a webhook signed by somebody else was believed")


async def _hook_from_the_future(rig: Rig) -> None:
    """A signature made in an hour is kept for then by somebody."""
    call = await rig.people.hook(await rig.people.open_ticket("Завтра", "x"))
    clock = Wrong(rig.clock, timedelta(hours=-1))
    connector = rig.make(Host(rig.transport, clock, rig.vault, rig.settings))
    try:
        connector.receive(call)
    except Untrusted:
        return
    raise AssertionError("a webhook of the next hour was believed")


TROUBLES: Final[tuple[tuple[str, Callable[[Rig], Awaitable[None]], str, str], ...]] = (
    ("poll-our_clock_an_hour_ahead", _with_clock(timedelta(hours=1)), "pull", ""),
    ("poll-our_clock_an_hour_behind", _with_clock(timedelta(hours=-1)), "pull", ""),
    ("poll-our_clock_a_day_ahead", _with_clock(timedelta(days=1)), "pull", ""),
    ("poll-restart_between_pages", _restart_between_pages, "pull", ""),
    ("poll-deleted_while_pages_turn", _deleted_while_pages_turn, "pull", "delete"),
    ("hook-twice", _hook_twice, "webhooks", "hook"),
    ("hook-out_of_order", _hook_out_of_order, "webhooks", "hook"),
    ("hook-never", _hook_never, "pull", ""),
    ("hook-of_what_is_gone", _hook_of_what_is_gone, "fetch", "hook"),
    ("hook-cut", _spoilt_hook(lambda body: body[: len(body) // 2]), "webhooks", "hook"),
    ("hook-empty", _spoilt_hook(lambda _: b"", nothing=True), "webhooks", "hook"),
    ("hook-without_end", _spoilt_hook(lambda body: body + b" " * 2**23), "webhooks", "hook"),
    ("hook-too_deep", _spoilt_hook(lambda _: b"[" * 10**5), "webhooks", "hook"),
    ("hook-with_another_secret", _hook_with_another_secret, "webhooks", "signed"),
    ("hook-from_the_future", _hook_from_the_future, "webhooks", "dated"),
)
"""Name, case, the connector's capability it needs, what people over there must be able to do."""
