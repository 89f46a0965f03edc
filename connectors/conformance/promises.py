"""What every connector keeps, one case a promise; a case is an assertion in words."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.conformance.rig import (
    CONTENT,
    FAULTS,
    TEXT,
    Cut,
    Faulty,
    Rig,
    a_file,
    a_wish,
    begin,
    bytes_of,
    every_page,
    long_after,
    news,
    same,
)
from connectors.contract import (
    STATUSES,
    Call,
    Change,
    ForeignTicket,
    Gone,
    Level,
    Misconfigured,
    NewComment,
    Refused,
    Request,
    Unavailable,
    Untrusted,
)


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
            await every_page(connector.pull(None))
        except (Misconfigured, Refused):
            return
        raise AssertionError("an unknown key reads an empty desk")


async def a_ticket_comes_once(rig: Rig) -> None:
    """What is new comes, and does not come again for ever."""
    connector = rig.connector()
    cursor = await begin(connector)
    await rig.clock.advance(timedelta(seconds=5))
    ticket = await rig.people.open_ticket("Касса 7 не печатает", TEXT)
    await rig.clock.advance(timedelta(seconds=90))
    found, pages, cursor = await news(connector, cursor)
    # On a desk others work in, what changed shortly before the beginning may come, too.
    found = [one for one in found if one.id == ticket]
    assert len(found) == 1, "it did not come, or came twice in one reading"
    assert found[0].title == "Касса 7 не печатает"
    assert same(found[0].description, TEXT) or found[0].html, found[0].description
    assert not [one for page in pages for one in page.failed]
    await rig.clock.advance(timedelta(minutes=1))
    again, _, cursor = await news(connector, cursor)
    if not await long_after(rig):
        return
    later, _, _ = await news(rig.connector(), cursor)
    assert ticket not in {one.id for one in later}, f"still coming after {len(again)}"


async def what_was_there_before_is_not_news(rig: Rig) -> None:
    """The first reading begins with now."""
    old = await rig.people.open_ticket("Старая", "давно")
    if not await long_after(rig):
        return
    cursor = await begin(rig.connector())
    found, _, _ = await news(rig.connector(), cursor)
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
    assert await bytes_of(connector, files[0].ref) == CONTENT


async def a_file_cut_off_is_no_file(rig: Rig) -> None:
    """Half of it is an error that passes, not a short file."""
    ticket = await rig.people.open_ticket("С файлом", "x")
    await rig.people.put_file(ticket, "a.bin", CONTENT)
    found = await rig.connector().fetch(ticket)
    files = [*found.files, *(file for one in found.comments for file in one.files)]
    try:
        await bytes_of(rig.connector(Cut(rig.transport)), files[0].ref)
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
    assert [public for text, public in seen.comments if same(text, TEXT)] == [True], seen
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
    cursor = await begin(connector) if connector.capabilities.pull else ""
    await connector.change(ticket, Change(status="resolved"))
    await rig.clock.advance(timedelta(minutes=3))
    await rig.people.move(ticket, word)
    await rig.clock.advance(timedelta(minutes=3))
    assert (await connector.fetch(ticket)).status == word
    if cursor:
        found, _, _ = await news(connector, cursor)
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
    cursor = await begin(connector)
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
        found, _, cursor = await news(rig.connector(watched), cursor)
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
    cursor = await begin(connector)
    await rig.clock.advance(timedelta(minutes=3))
    ticket = await rig.people.open_ticket("Быстро", "x")
    _, _, cursor = await news(connector, cursor)
    await rig.people.reply(ticket, "в ту же секунду", public=True)
    await rig.clock.advance(timedelta(minutes=3))
    found, _, _ = await news(connector, cursor)
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
    cursor = await begin(connector)
    await rig.clock.advance(timedelta(minutes=3))
    tickets = [await rig.people.open_ticket(f"Заявка {number}", "x") for number in range(3)]
    await rig.people.spoil(tickets[1])
    await rig.clock.advance(timedelta(minutes=3))
    found, pages, _ = await news(connector, cursor)
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
            await every_page(rig.connector(slow).pull(None))
        except Unavailable as error:
            assert error.after == timedelta(seconds=7), (fault.name, error.after)
        else:
            raise AssertionError(f"a desk that asks to wait was not heard: {fault.name}")
