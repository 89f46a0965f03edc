"""Our people are told by letter what waits for them: bundled, at their hours, no more than they want."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.actions import agents, notices, tickets
from hub.actions.tickets import NewTicket
from hub.domain.comment import Visibility
from hub.domain.notice import Choices, Digest, Kind, Way, mail_at
from hub.storage import audit
from hub.storage import letters as stored
from tests.kit.canary import Flock
from tests.kit.console import Console
from tests.mail.conftest import HELP, Desk, a_letter

pytestmark = pytest.mark.one_database
OUR_ADDRESS = "admin@0.example"
ONE_CLICK = "List-Unsubscribe=One-Click"


@pytest.fixture
async def told(desk: Desk):
    """The desk, whose mailbox sends; everybody was looked at once: what was there is no news."""
    await desk.hub.db.write(lambda tx: stored.keep_cursor(tx, HELP, "", uid=0))
    await notices.run(desk.hub)
    return desk


async def passes(desk: Desk, minutes: int = 7) -> list:
    """Time goes by and whatever is due happens; the notices that were sent then."""
    before = len(desk.sent)
    for _ in range(minutes):
        desk.network.clock.advance(minutes=1)
        await notices.run(desk.hub)
    await desk.works()
    return [one for one in desk.sent[before:] if one.letter["List-Unsubscribe"]]


async def given(desk: Desk, title: str = "Касса", assignee: str | None = None):
    """A ticket that is somebody's from its beginning: the dispatcher's, if nothing is said."""
    wish = NewTicket(title, assignee=assignee or desk.company.dispatcher.ref)
    return await tickets.create(desk.hub, desk.company.dispatcher, wish)


async def test_what_happens_together_comes_in_one_letter_and_only_once(told: Desk):
    made = [await given(told, f"Касса {n}") for n in range(3)]
    (sent,) = await passes(told)
    assert sent.recipients == [OUR_ADDRESS]
    text = sent.text()
    assert all(f"{one.number} {one.title}" in text for one in made)
    assert sent.letter["Subject"] == "Вас ждут 3 дела"
    assert sent.letter["Auto-Submitted"] == "auto-generated"
    assert await passes(told, 60) == []


async def test_a_flood_is_one_letter_of_bounded_length(told: Desk):
    for n in range(40):
        await given(told, f"Касса {n}")
    (sent,) = await passes(told)
    assert sent.text().count("Касса") == notices.LINES_MAX
    assert f"ещё {40 - notices.LINES_MAX}" in sent.text()


async def test_no_word_that_was_said_is_in_any_letter_to_us_or_others(told: Desk):
    flock = Flock("notices")
    made = await given(told)
    for visibility in (Visibility.INTERNAL, Visibility.PUBLIC):
        await told.says(made.id, flock.plant(str(visibility)).text, visibility)
    await notices.choose(told.hub, told.company.dispatcher, Choices(off=frozenset()))
    arrived = await told.arrives(a_letter(flock.plant("letter").text))
    await told.says(arrived.ticket_id, flock.plant("internal later").text, Visibility.INTERNAL)
    assert await passes(told)
    decoded = [
        part.get_payload(decode=True) or b"" for one in told.sent for part in one.letter.walk()
    ]
    assert flock.found_in([*decoded, *(one.raw for one in told.sent)]) == {}


async def test_a_letter_goes_to_the_address_in_our_own_records_or_nowhere(told: Desk):
    other = await agents.add(
        told.hub, told.company.dispatcher, email="olga@plus.example", name="Ольга", role="engineer"
    )
    await notices.run(told.hub)
    await given(told, assignee=other)
    for _ in range(7):
        told.network.clock.advance(minutes=1)
        await notices.run(told.hub)
    await agents.disable(told.hub, told.company.dispatcher, other)
    await told.works()
    assert told.sent == []
    (post,) = await told.posts()
    assert (post.kind, post.state) == ("notice", "failed")
    alerts = await told.hub.db.read(audit.open_alerts)
    assert alerts == [], "a notice that does not arrive must not make the next one"


async def test_one_click_of_the_mail_program_ends_letters_of_a_kind_and_a_look_does_not(told: Desk):
    await given(told)
    (sent,) = await passes(told)
    address = sent.letter["List-Unsubscribe"].strip("<>")
    assert sent.letter["List-Unsubscribe-Post"] == ONE_CLICK
    path = "/n/" + address.rpartition("/")[2]
    console = await Console.serve(told.company)
    try:
        provider = console.stranger()
        assert "Больше не писать" in await provider.read(path)
        await given(told, "Весы")
        assert len(await passes(told)) == 1, "scanners open every address"
        body = {"List-Unsubscribe": "One-Click"}
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert (await provider.post(path, body, headers=foreign)).status == 200
        assert (await provider.post(path[:-1] + "x", body, headers=foreign)).status == 404
        await given(told, "Сканер")
        assert await passes(told) == []
        person = console.stranger()
        assert (await person.get("/settings/notices")).status == 303
    finally:
        await console.close()


async def test_a_person_chooses_kinds_ways_and_quiet_hours_on_a_page(told: Desk):
    console = await Console.serve(told.company)
    try:
        admin = await console.person("admin")
        await notices.run(told.hub)
        form = {"want": "assigned:app", "digest": "daily", "quiet_from": "22:00", "quiet_to": ""}
        assert (await admin.post("/settings/notices", form)).status == 422
        form["quiet_to"] = "07:00"
        assert (await admin.post("/settings/notices", form)).status == 303
        page = await admin.get("/settings/notices")
        assert 'value="assigned:app" aria-label' in page.text
        assert page.text.count(" checked") == 1
        assert 'value="22:00"' in page.text
        made = await given(told, assignee=admin.actor.ref)
        await passes(told, 2)
        assert made.number in await admin.read("/settings/notices")
        engineer = await console.person("engineer")
        assert "alarm:mail" not in (await engineer.get("/settings/notices")).text
    finally:
        await console.close()


async def test_an_alarm_reaches_those_who_can_do_something_about_it(told: Desk):
    await told.arrives(b"")  # is held for a person
    (sent,) = await passes(told)
    assert "Узлу нужен человек" in sent.text()
    assert sent.recipients == [OUR_ADDRESS]


# --- when -----------------------------------------------------------------------------------

MOSCOW = ZoneInfo("Europe/Moscow")


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    """A moment in Moscow, told in UTC."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW).astimezone(UTC)


NIGHT = {"quiet_from": 22 * 60, "quiet_to": 7 * 60}


@pytest.mark.parametrize(
    ("choices", "first", "last", "due"),
    [
        (Choices(), at(12), None, at(12, 5)),
        (Choices(digest=Digest.HOURLY), at(12), at(11, 30), at(12, 30)),
        (Choices(digest=Digest.HOURLY), at(12), at(9), at(12, 5)),
        (Choices(digest=Digest.DAILY), at(12), None, at(8, day=24)),
        (Choices(digest=Digest.DAILY), at(6), None, at(8)),
        (Choices(**NIGHT), at(21, 54), None, at(21, 59)),
        (Choices(**NIGHT), at(21, 55), None, at(7, day=24)),
        (Choices(**NIGHT), at(3), None, at(7)),
        (Choices(**NIGHT), at(6, 55), None, at(7)),
        (Choices(quiet_from=12 * 60, quiet_to=14 * 60), at(12), None, at(14)),
        (Choices(quiet_from=6 * 60, quiet_to=9 * 60, digest=Digest.DAILY), at(6), None, at(9)),
    ],
    ids=range(11),
)
def test_a_letter_comes_when_it_may(
    choices: Choices, first: datetime, last: datetime | None, due: datetime
):
    assert mail_at(choices, first, last, MOSCOW) == due
    assert due - first < timedelta(days=1, hours=12)


def test_nobody_is_written_to_about_every_reply_unless_they_want_it():
    assert not Choices().wants(Kind.REPLIES, Way.MAIL)
    assert Choices().wants(Kind.REPLIES, Way.APP)
