"""The suite every connector must pass, whatever it is made of and whatever desk is behind it.

It knows no test framework: `cases()` gives named coroutines that raise AssertionError. Whoever
runs it brings a `Rig`: a way to the desk, and `People`, who work over there and say what they
see. The faults are put between the connector and its transport, so the same cases run against a
simulator and against real software.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from connectors.contract import (
    STATUSES,
    Answer,
    Author,
    Call,
    Change,
    Clock,
    Connector,
    DeskError,
    Download,
    File,
    ForeignTicket,
    Gone,
    Host,
    Level,
    Misconfigured,
    NewComment,
    NewTicket,
    Page,
    Refused,
    Request,
    Transport,
    Unavailable,
    Untrusted,
    Vault,
)

TEXT: Final = "Не печатает «Чек» — ёжик\nвторая строка: 100 % <b>&amp;</b> \\ \" 'ok' №7 🖨"
CONTENT: Final = bytes(range(256)) * 40


@dataclass(frozen=True, slots=True)
class Seen:
    """A ticket as people over there see it."""

    comments: tuple[tuple[str, bool], ...]  # text, public
    files: tuple[tuple[str, bytes], ...]
    status: str  # their word


class People(Protocol):
    """Who works over there."""

    can: frozenset[str]  # of: reply, private, move, file, delete, merge, strange, spoil, hook

    async def open_ticket(self, title: str, text: str) -> str:
        """A new ticket; its id."""
        ...

    async def reply(self, ticket: str, text: str, *, public: bool) -> None:
        """One of them writes."""
        ...

    async def move(self, ticket: str, status: str) -> None:
        """One of them sets what means this word of ours."""
        ...

    async def strange(self, ticket: str) -> str:
        """One of them sets a status no table knows; their word."""
        ...

    async def put_file(self, ticket: str, name: str, content: bytes) -> None:
        """One of them attaches a file for everybody."""
        ...

    async def delete(self, ticket: str) -> None:
        """It is not there any more."""
        ...

    async def merge(self, ticket: str, into: str) -> None:
        """It is part of another now."""
        ...

    async def spoil(self, ticket: str) -> None:
        """It cannot be understood any more."""
        ...

    async def seen(self, ticket: str) -> Seen:
        """What it looks like over there."""
        ...

    async def marked(self, marker: str) -> list[str]:
        """Every ticket over there that bears this marker."""
        ...

    async def hook(self, ticket: str) -> Call:
        """The webhook the desk would send about it now."""
        ...


class Hands(Clock, Protocol):
    """A clock somebody turns; a real desk's only waits."""

    async def advance(self, by: timedelta) -> None:
        """Let time pass, over there too."""
        ...


@dataclass(slots=True)
class Rig:
    """One desk with everything around it."""

    make: Callable[[Host], Connector]
    transport: Transport
    clock: Hands
    vault: Vault
    wrong_vault: Vault
    settings: dict[str, Any]
    people: People
    statuses: frozenset[str]  # our words that can be told over there
    resolution: timedelta = timedelta(seconds=1)
    long_lists: int = 120  # how many tickets the paging case may make

    def connector(
        self, transport: Transport | None = None, vault: Vault | None = None
    ) -> Connector:
        """A fresh one, as after a restart."""
        host = Host(transport or self.transport, self.clock, vault or self.vault, self.settings)
        return self.make(host)


# ---------------------------------------------------------------- faults


@dataclass(slots=True)
class Fault:
    """What goes wrong with one request."""

    name: str
    done: bool = False  # the desk does it all the same
    status: int = 0  # what we hear; 0: nothing
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # None: the desk's own, cut in half for a good status
    cured: bool = False  # by a person: until then nothing works, afterwards everything does
    times: int = 1  # requests in a row that it strikes


_PAGE: Final = {"content-type": "text/html; charset=utf-8"}

FAULTS: Final = (
    Fault("too_many_requests", status=429, headers={"retry-after": "7"}),
    Fault("too_many_requests_until_a_date", status=429,
          headers={"date": "Sun, 22 Nov 2026 09:00:00 GMT",
                   "retry-after": "Sun, 22 Nov 2026 09:00:07 GMT"}),
    Fault("too_many_requests_for_nobody_says_how_long", status=429),
    Fault("unavailable_for_a_while", status=503, headers={"retry-after": "7"}),
    Fault("request_too_slow", status=408),
    Fault("changed_meanwhile", status=409),
    Fault("key_refused_for_a_while", status=401, cured=True),
    Fault("trouble_before_it", status=500, body=b"Internal Server Error"),
    Fault("trouble_after_it", done=True, status=500, body=b""),
    Fault("trouble_after_it_twice", done=True, status=500, body=b"", times=2),
    Fault("bad_gateway_before_it", status=502, headers=_PAGE, body=b"<html>502</html>"),
    Fault("gateway_gives_up_after_it", done=True, status=504, body=b"<html>504</html>"),
    Fault("a_page_instead_of_it", status=200, headers=_PAGE, body=b"<html>Back soon</html>"),
    Fault("a_page_after_it", done=True, status=200, headers=_PAGE, body=b"<html>Sign in</html>"),
    Fault("no_answer_before_it"),
    Fault("no_answer_after_it", done=True),
    Fault("no_answer_after_it_twice", done=True, times=2),
    Fault("answer_is_cut", done=True, status=200),
)  # fmt: skip


class Faulty:
    """A transport that spoils one request of those that are asked through it."""

    def __init__(self, inner: Transport, fault: Fault | None = None, at: int = -1) -> None:
        self._inner, self._fault, self._at = inner, fault, at
        self.count = 0
        self.writes = 0
        self.struck = False
        self.between: Callable[[Request], Awaitable[None]] | None = None

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """The desk's answer, or what the fault makes of it."""
        turn = self.count
        self.count += 1
        self.writes += request.method not in ("GET", "HEAD")
        fault = self._fault
        if fault is None or not self._at <= turn < self._at + fault.times or self._at < 0:
            fault = None
        if fault is None:
            answer = await self._inner.send(request, max_bytes=max_bytes)
            if self.between is not None:
                await self.between(request)
            return answer
        self.struck = True
        answer = Answer(fault.status, fault.headers, fault.body or b"")
        if fault.done:
            real = await self._inner.send(request, max_bytes=max_bytes)
            if fault.body is None:
                answer = Answer(real.status, real.headers, real.body[: len(real.body) // 2])
        if fault.status == 0:
            raise Unavailable("no_answer", "The desk does not answer")
        return answer

    def stream(self, request: Request) -> AbstractAsyncContextManager[Download]:
        """Files pass."""
        return self._inner.stream(request)


@dataclass(frozen=True, slots=True)
class Wrong:
    """Our clock where it goes wrong: ahead of the desk's, or behind."""

    right: Clock
    by: timedelta

    def now(self) -> datetime:
        """What we believe."""
        return self.right.now() + self.by


class Cut:
    """A transport whose files end early."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def send(self, request: Request, *, max_bytes: int) -> Answer:
        """Whole answers, cut in the middle where they hold a file."""
        answer = await self._inner.send(request, max_bytes=max_bytes)
        holds_it = len(answer.body) > len(CONTENT)
        body = answer.body[: len(answer.body) // 2] if holds_it else answer.body
        return Answer(answer.status, answer.headers, body)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Download]:
        """The first half of it."""
        async with self._inner.stream(request) as whole:
            body = b"".join([piece async for piece in whole.chunks])

            async def half() -> AsyncIterator[bytes]:
                yield body[: len(body) // 2]

            headers = {**whole.headers, "content-length": str(len(body))}
            yield Download(whole.status, headers, half())


# ---------------------------------------------------------------- small things


def a_file(name: str = "схема.bin", content: bytes = CONTENT) -> File:
    """Something to attach."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 1000):
            yield content[start : start + 1000]

    return File(name, "application/octet-stream", len(content), pieces)


def a_wish(marker: str, title: str = "Касса 2: нет связи", **more: Any) -> NewTicket:
    """A ticket to be made."""
    requester = Author(name="Иван Петров", email="ivan@customer.example")
    return NewTicket(marker, title, TEXT, requester=requester, **more)


async def _all(pages: AsyncIterator[Page]) -> list[Page]:
    return [page async for page in pages]


async def _long_after(rig: Rig) -> bool:
    """Ten minutes later; False where the clock is a real one that nobody waits for."""
    before = rig.clock.now()
    await rig.clock.advance(timedelta(minutes=10))
    return rig.clock.now() - before >= timedelta(minutes=10)


async def _begin(connector: Connector) -> str:
    return (await _all(connector.pull(None)))[-1].cursor


async def _news(connector: Connector, cursor: str) -> tuple[list[ForeignTicket], list[Page], str]:
    pages = await _all(connector.pull(cursor))
    found = [ticket for page in pages for ticket in page.tickets]
    return found, pages, pages[-1].cursor if pages else cursor


async def _bytes(connector: Connector, ref: str) -> bytes:
    return b"".join([piece async for piece in connector.download(ref)])


def _same(there: str, ours: str) -> bool:
    return "".join(there.split()) == "".join(ours.split())


# ---------------------------------------------------------------- the cases


async def the_check_finds_nothing_wrong(rig: Rig) -> None:
    """A desk set up as the description says is ready."""
    findings = await rig.connector().check()
    assert findings
    assert not [one for one in findings if one.level is Level.ERROR], findings


async def a_wrong_key_is_noticed(rig: Rig) -> None:
    """Not even a desk that answers 200 to strangers looks like an empty one."""
    connector = rig.connector(vault=rig.wrong_vault)
    findings = await connector.check()
    assert [one for one in findings if one.level is Level.ERROR], findings
    if connector.capabilities.pull:
        try:
            await _all(connector.pull(None))
        except (Misconfigured, Refused):
            return
        raise AssertionError("an unknown key reads an empty desk")


async def a_ticket_comes_once(rig: Rig) -> None:
    """What is new comes, and does not come again for ever."""
    connector = rig.connector()
    cursor = await _begin(connector)
    await rig.clock.advance(timedelta(seconds=5))
    ticket = await rig.people.open_ticket("Касса 7 не печатает", TEXT)
    await rig.clock.advance(timedelta(seconds=90))
    found, pages, cursor = await _news(connector, cursor)
    # On a desk others work in, what changed shortly before the beginning may come, too.
    found = [one for one in found if one.id == ticket]
    assert len(found) == 1, "it did not come, or came twice in one reading"
    assert found[0].title == "Касса 7 не печатает"
    assert _same(found[0].description, TEXT) or found[0].html, found[0].description
    assert not [one for page in pages for one in page.failed]
    await rig.clock.advance(timedelta(minutes=1))
    again, _, cursor = await _news(connector, cursor)
    if not await _long_after(rig):
        return
    later, _, _ = await _news(rig.connector(), cursor)
    assert ticket not in {one.id for one in later}, f"still coming after {len(again)}"


async def what_was_there_before_is_not_news(rig: Rig) -> None:
    """The first reading begins with now."""
    old = await rig.people.open_ticket("Старая", "давно")
    if not await _long_after(rig):
        return
    cursor = await _begin(rig.connector())
    found, _, _ = await _news(rig.connector(), cursor)
    assert old not in [one.id for one in found]


async def comments_come_with_their_privacy(rig: Rig) -> None:
    """Public is public, private is private, and both are somebody else's."""
    connector = rig.connector()
    ticket = await rig.people.open_ticket("Разговор", "начало")
    await rig.people.reply(ticket, "Для всех: " + TEXT, public=True)
    if "private" in rig.people.can:
        await rig.people.reply(ticket, "Только нам", public=False)
    found = await connector.fetch(ticket)
    public = [one for one in found.comments if one.public]
    private = [one for one in found.comments if not one.public and "Только нам" in one.body]
    assert [one for one in public if "Для всех" in one.body], found.comments
    assert not [one for one in public if "Только нам" in one.body]
    assert len(private) == ("private" in rig.people.can), found.comments
    assert not [one for one in found.comments if one.author.by_us and one.body.strip()]


async def their_statuses_are_understood(rig: Rig) -> None:
    """Every word that can be told is read as what it means."""
    ticket = await rig.people.open_ticket("Ход работы", "x")
    for word in (one for one in STATUSES if one in rig.statuses):
        await rig.people.move(ticket, word)
        found = await rig.connector().fetch(ticket)
        assert found.status == word, (word, found.status_there)
        assert not [one for one in found.unknown if one.field == "status"]


async def an_unknown_status_is_shown_and_the_rest_goes_on(rig: Rig) -> None:
    """Nothing is guessed and nothing dropped."""
    ticket = await rig.people.open_ticket("Странная", "x")
    await rig.people.reply(ticket, "Но ответ есть", public=True)
    there = await rig.people.strange(ticket)
    found = await rig.connector().fetch(ticket)
    assert found.status is None
    assert [(one.field, one.value) for one in found.unknown] == [("status", there)], found.unknown
    assert [one for one in found.comments if "Но ответ есть" in one.body]


async def their_files_come_whole(rig: Rig) -> None:
    """Name and bytes, with letters of any alphabet."""
    ticket = await rig.people.open_ticket("С файлом", "x")
    await rig.people.put_file(ticket, "акт № 7.bin", CONTENT)
    connector = rig.connector()
    found = await connector.fetch(ticket)
    files = [*found.files, *(file for one in found.comments for file in one.files)]
    assert [one.name for one in files] == ["акт № 7.bin"], files
    assert await _bytes(connector, files[0].ref) == CONTENT


async def a_file_cut_off_is_no_file(rig: Rig) -> None:
    """Half of it is an error that passes, not a short file."""
    ticket = await rig.people.open_ticket("С файлом", "x")
    await rig.people.put_file(ticket, "a.bin", CONTENT)
    found = await rig.connector().fetch(ticket)
    files = [*found.files, *(file for one in found.comments for file in one.files)]
    try:
        await _bytes(rig.connector(Cut(rig.transport)), files[0].ref)
    except Unavailable:
        return
    raise AssertionError("half a file was taken for a whole one")


async def a_ticket_is_made_once(rig: Rig) -> None:
    """However often it is asked for, and it is found by our marker."""
    connector = rig.connector()
    first = await connector.create(a_wish("HUB-once-1"))
    await rig.clock.advance(timedelta(minutes=2))
    second = await rig.connector().create(a_wish("HUB-once-1"))
    assert first.id == second.id
    assert second.existed
    assert await rig.people.marked("HUB-once-1") == [first.id]
    found = await connector.fetch(first.id)
    assert found.marker == "HUB-once-1"
    assert found.title == "Касса 2: нет связи"
    assert await connector.find("HUB-once-1") == first.id
    assert await connector.find("HUB-once") is None, "found by a part of the marker"


async def our_comments_arrive(rig: Rig) -> None:
    """As written, with the privacy we gave, and known as ours when they come back."""
    ticket = await rig.people.open_ticket("Ответ", "x")
    connector = rig.connector()
    first = await connector.comment(ticket, NewComment(TEXT, public=True), known=())
    seen = await rig.people.seen(ticket)
    assert [public for text, public in seen.comments if _same(text, TEXT)] == [True], seen
    if connector.capabilities.private_comments:
        second = await connector.comment(
            ticket, NewComment("Наша заметка", public=False), known=(first,)
        )
        seen = await rig.people.seen(ticket)
        assert ("Наша заметка", False) in seen.comments
        assert first != second
    back = {one.id: one for one in (await connector.fetch(ticket)).comments}
    assert back[first].author.by_us
    assert back[first].public


async def the_same_words_twice_are_two_comments(rig: Rig) -> None:
    """A second "готово" is not taken for the first."""
    ticket = await rig.people.open_ticket("Дважды", "x")
    connector = rig.connector()
    first = await connector.comment(ticket, NewComment("готово", public=True), known=())
    second = await connector.comment(
        ticket, NewComment("готово", public=True), known=(first,), again=True
    )
    assert first != second
    seen = await rig.people.seen(ticket)
    assert [text for text, _ in seen.comments].count("готово") == 2, seen


async def our_files_arrive_whole(rig: Rig) -> None:
    """Name and bytes."""
    ticket = await rig.people.open_ticket("Файл туда", "x")
    connector = rig.connector()
    made = await connector.attach(ticket, a_file(), public=True, known=())
    seen = await rig.people.seen(ticket)
    assert seen.files == (("схема.bin", CONTENT),), [(n, len(b)) for n, b in seen.files]
    again = await connector.attach(ticket, a_file(), public=True, known=(), again=True)
    assert again == made
    assert len((await rig.people.seen(ticket)).files) == 1


async def a_private_file_is_private_there_or_not_sent(rig: Rig) -> None:
    """Where a desk shows every file to everybody, it gets none that is not for everybody."""
    ticket = await rig.people.open_ticket("Файл для своих", "x")
    connector = rig.connector()
    if not connector.capabilities.private_files:
        try:
            await connector.attach(ticket, a_file(), public=False, known=())
        except Refused as error:
            assert error.code == "no_private", error
            assert not (await rig.people.seen(ticket)).files
            return
        raise AssertionError("a private file was shown to everybody")
    made = await connector.attach(ticket, a_file(), public=False, known=())
    found = await connector.fetch(ticket)
    files = [*found.files, *(file for one in found.comments for file in one.files)]
    assert [one.public for one in files if one.id == made] == [False], files


async def every_status_we_tell_reads_back_the_same(rig: Rig) -> None:
    """There and back again: an edit does not swing."""
    made = await rig.connector().create(a_wish("HUB-way"))
    for word in (one for one in (*STATUSES, "open", "resolved", "open") if one in rig.statuses):
        after = await rig.connector().change(made.id, Change(status=word))
        if rig.connector().capabilities.fetch:
            assert after.status == word, after.status_there
        else:
            assert (await rig.people.seen(made.id)).status == word


async def what_we_resolved_and_they_reopened_is_open(rig: Rig) -> None:
    """A reopening is heard; nothing of ours closes it again."""
    word = next(one for one in ("open", "in_progress", "pending") if one in rig.statuses)
    ticket = await rig.people.open_ticket("Опять", "x")
    connector = rig.connector()
    cursor = await _begin(connector) if connector.capabilities.pull else ""
    await connector.change(ticket, Change(status="resolved"))
    await rig.clock.advance(timedelta(minutes=3))
    await rig.people.move(ticket, word)
    await rig.clock.advance(timedelta(minutes=3))
    assert (await connector.fetch(ticket)).status == word
    if cursor:
        found, _, _ = await _news(connector, cursor)
        assert [one.status for one in found if one.id == ticket] == [word], found
    assert (await connector.fetch(ticket)).status == word


async def what_is_so_already_is_not_written(rig: Rig) -> None:
    """A change that changes nothing makes no request that writes."""
    ticket = await rig.people.open_ticket("Покой", "x")
    reading, watched = Faulty(rig.transport), Faulty(rig.transport)
    before = await rig.connector(reading).fetch(ticket)
    await rig.connector(watched).change(ticket, Change(status=before.status))
    # Some desks are logged into and searched with POST.
    assert watched.writes <= reading.writes, "wrote what was so already"


async def nothing_is_lost_while_pages_turn(rig: Rig) -> None:
    """Tickets change while a long list is read; every one of them comes."""
    connector = rig.connector()
    cursor = await _begin(connector)
    await rig.clock.advance(timedelta(seconds=5))
    tickets = []
    for number in range(rig.long_lists):
        tickets.append(await rig.people.open_ticket(f"Заявка {number}", "x"))
        if number % 7 == 0:
            await rig.clock.advance(timedelta(seconds=1))
    watched, moved = Faulty(rig.transport), iter(tickets[:10])

    async def meanwhile(request: Request) -> None:
        if request.method == "GET" and (ticket := next(moved, None)):
            await rig.people.reply(ticket, "пока читали", public=True)
            await rig.clock.advance(timedelta(seconds=1))

    watched.between = meanwhile
    await rig.clock.advance(timedelta(minutes=3))
    came: dict[str, ForeignTicket] = {}
    for _ in range(8):
        found, _, cursor = await _news(rig.connector(watched), cursor)
        came.update((one.id, one) for one in found)
        await rig.clock.advance(timedelta(minutes=3))
    assert set(tickets) <= set(came), f"lost: {sorted(set(tickets) - set(came))[:5]}"
    stale = [
        ticket for ticket in tickets[:10]
        if not [one for one in came[ticket].comments if one.body == "пока читали"]
    ]  # fmt: skip
    assert not stale, f"read before it changed and never again: {stale}"


async def two_changes_in_one_tick_both_come(rig: Rig) -> None:
    """Clocks over there are coarse: what happens after we read comes too."""
    connector = rig.connector()
    cursor = await _begin(connector)
    await rig.clock.advance(timedelta(minutes=3))
    ticket = await rig.people.open_ticket("Быстро", "x")
    _, _, cursor = await _news(connector, cursor)
    await rig.people.reply(ticket, "в ту же секунду", public=True)
    await rig.clock.advance(timedelta(minutes=3))
    found, _, _ = await _news(connector, cursor)
    bodies = [entry.body for one in found if one.id == ticket for entry in one.comments]
    assert "в ту же секунду" in bodies, bodies


async def what_is_deleted_is_gone(rig: Rig) -> None:
    """And said to be."""
    ticket = await rig.people.open_ticket("Удалят", "x")
    await rig.people.delete(ticket)
    try:
        await rig.connector().fetch(ticket)
    except Gone:
        return
    raise AssertionError("a deleted ticket is read")


async def what_is_merged_says_where_it_is(rig: Rig) -> None:
    """The other one's id."""
    ticket = await rig.people.open_ticket("Двойник", "x")
    other = await rig.people.open_ticket("Главная", "x")
    await rig.people.merge(ticket, other)
    assert (await rig.connector().fetch(ticket)).merged_into == other


async def one_bad_ticket_waits_alone(rig: Rig) -> None:
    """All others flow."""
    connector = rig.connector()
    cursor = await _begin(connector)
    await rig.clock.advance(timedelta(minutes=3))
    tickets = [await rig.people.open_ticket(f"Заявка {number}", "x") for number in range(3)]
    await rig.people.spoil(tickets[1])
    await rig.clock.advance(timedelta(minutes=3))
    found, pages, _ = await _news(connector, cursor)
    assert {one.id for one in found} == {tickets[0], tickets[2]}
    assert [one.id for page in pages for one in page.failed] == [tickets[1]]


async def a_webhook_points_at_its_ticket(rig: Rig) -> None:
    """Twice is the same delivery; a forged one is not believed."""
    ticket = await rig.people.open_ticket("Колокол", "x")
    call = await rig.people.hook(ticket)
    connector = rig.connector()
    hints = connector.receive(call)
    assert [one.ticket for one in hints] == [ticket]
    assert connector.receive(call) == hints
    if "signed" not in rig.people.can:
        return
    forged = Call(call.method, call.headers, call.query, call.body.replace(b"1", b"2") + b" ")
    names = ("signature", "token", "secret")
    bare = {k: v for k, v in call.headers.items() if not any(one in k for one in names)}
    for bad in (forged, Call(call.method, bare, {}, call.body)):
        if bad is forged and "token" in rig.people.can:
            continue
        try:
            connector.receive(bad)
        except Untrusted:
            continue
        raise AssertionError("a forged webhook was believed")


async def an_old_webhook_is_not_believed(rig: Rig) -> None:
    """Where signatures carry the time."""
    ticket = await rig.people.open_ticket("Колокол", "x")
    call = await rig.people.hook(ticket)
    await rig.clock.advance(timedelta(hours=1))
    try:
        rig.connector().receive(call)
    except Untrusted:
        return
    raise AssertionError("an hour-old webhook was believed")


async def times_are_instants(rig: Rig) -> None:
    """Whatever zone they are written in."""
    ticket = await rig.people.open_ticket("Время", "x")
    now = rig.clock.now()
    found = await rig.connector().fetch(ticket)
    at: datetime | None = found.updated_at or found.created_at
    assert at is not None
    near = timedelta(seconds=10) + rig.resolution
    assert abs(at - now) <= near, (at, now)


async def errors_say_how_long_to_wait(rig: Rig) -> None:
    """What the desk asked for."""
    for fault in (one for one in FAULTS if "retry-after" in one.headers):
        slow = Faulty(rig.transport, fault, 0)
        try:
            await _all(rig.connector(slow).pull(None))
        except Unavailable as error:
            assert error.after == timedelta(seconds=7), (fault.name, error.after)
        else:
            raise AssertionError(f"a desk that asks to wait was not heard: {fault.name}")


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
        cursor = await _begin(rig.connector())
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
    found, _, _ = await _news(connector, cursor)
    assert tickets <= {one.id for one in found}, tickets - {one.id for one in found}


def _with_clock(by: timedelta) -> Callable[[Rig], Awaitable[None]]:
    async def poll(rig: Rig) -> None:
        host = Host(rig.transport, Wrong(rig.clock, by), rig.vault, rig.settings)
        await _new_ones(rig, rig.make(host), await _begin(rig.make(host)))

    return poll


async def _restart_between_pages(rig: Rig) -> None:
    """Stopped after every page that brings something, it goes on from there; nothing is lost."""
    cursor = await _begin(rig.connector())
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
    cursor = await _begin(rig.connector())
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
        found, _, cursor = await _news(rig.connector(watched), cursor)
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
    await _new_ones(rig, rig.connector(), await _begin(rig.connector()))


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


_TROUBLES: Final[tuple[tuple[str, Callable[[Rig], Awaitable[None]], str, str], ...]] = (
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


# ---------------------------------------------------------------- which of them apply


_CASES: Final[tuple[tuple[Callable[[Rig], Awaitable[None]], str, str], ...]] = (
    (the_check_finds_nothing_wrong, "", ""),
    (a_wrong_key_is_noticed, "fetch", ""),
    (a_ticket_comes_once, "pull", ""),
    (what_was_there_before_is_not_news, "pull", ""),
    (comments_come_with_their_privacy, "fetch", "reply"),
    (their_statuses_are_understood, "fetch", "move"),
    (an_unknown_status_is_shown_and_the_rest_goes_on, "fetch", "strange"),
    (their_files_come_whole, "fetch", "file"),
    (a_file_cut_off_is_no_file, "fetch", "file"),
    (a_ticket_is_made_once, "find", ""),
    (our_comments_arrive, "fetch", ""),
    (the_same_words_twice_are_two_comments, "fetch", ""),
    (our_files_arrive_whole, "attach", ""),
    (a_private_file_is_private_there_or_not_sent, "attach", ""),
    (every_status_we_tell_reads_back_the_same, "set_status", ""),
    (what_we_resolved_and_they_reopened_is_open, "set_status", "move"),
    (what_is_so_already_is_not_written, "set_status", ""),
    (nothing_is_lost_while_pages_turn, "pull", "reply"),
    (two_changes_in_one_tick_both_come, "pull", "reply"),
    (what_is_deleted_is_gone, "fetch", "delete"),
    (what_is_merged_says_where_it_is, "fetch", "merge"),
    (one_bad_ticket_waits_alone, "pull", "spoil"),
    (a_webhook_points_at_its_ticket, "webhooks", "hook"),
    (an_old_webhook_is_not_believed, "webhooks", "dated"),
    (times_are_instants, "fetch", ""),
    (errors_say_how_long_to_wait, "pull", ""),
)
"""Case, the connector's capability it needs, what people over there must be able to do."""


def cases(rig: Rig) -> Iterator[tuple[str, Callable[[Rig], Awaitable[None]]]]:
    """Every case that applies to this desk; a case that does not apply is not run."""
    for case, needs, people in _CASES:
        if _applies(rig, needs, people):
            yield case.__name__, case


def _applies(rig: Rig, needs: str, people: str) -> bool:
    able = not needs or getattr(rig.connector().capabilities, needs)
    return able and (not people or people in rig.people.can)


def fault_cases(rig: Rig) -> Iterator[tuple[str, Callable[[Rig], Awaitable[Any]]]]:
    """Every deed with every fault, and what goes wrong between requests."""
    capable = rig.connector().capabilities
    for deed, (needs, _) in DEEDS.items():
        if not getattr(capable, needs):
            continue
        for fault in FAULTS:
            yield f"{deed}-{fault.name}", _bound(deed, fault)
    if capable.pull:
        for fault in FAULTS:
            yield f"poll-{fault.name}", _poll_bound(fault)
    for name, case, needs, people in _TROUBLES:
        if _applies(rig, needs, people):
            yield name, case


def _bound(deed: str, fault: Fault) -> Callable[[Rig], Awaitable[int]]:
    return lambda rig: one_fault(rig, deed, fault)


def _poll_bound(fault: Fault) -> Callable[[Rig], Awaitable[int]]:
    return lambda rig: a_poll_through(rig, fault)


def run(rig_of: Callable[[], Rig]) -> dict[str, str]:
    """All cases, each on a fresh rig; name to what went wrong, empty where nothing did."""

    async def one(case: Callable[[Rig], Awaitable[Any]]) -> str:
        try:
            await case(rig_of())
        except (AssertionError, DeskError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    probe = rig_of()
    every = [*cases(probe), *fault_cases(probe)]
    return {name: asyncio.run(one(case)) for name, case in every}
