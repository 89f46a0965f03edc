"""Customers whose desk only mails: recognised, read by a profile, followed and answered in its form."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hub.domain.comment import Visibility
from hub.mail import profiles
from hub.mail.profile import Profile
from hub.mail.reader import Reader
from tests.cli.conftest import follows_schema, hub
from tests.mail.conftest import Desk, a_letter

pytestmark = pytest.mark.one_database
READY = profiles.ready()
PASSED = "dmarc=pass header.from=customer.example"


def sample(name: str, letter: str, verdict: str | None = PASSED) -> bytes:
    """A sample of a ready profile, as our mail server hands it over."""
    raw = (profiles.READY / name / f"{letter}.eml").read_bytes()
    said = f"Authentication-Results: mx.plus.example; {verdict}\n" if verdict else ""
    return said.encode() + raw


@pytest.fixture
async def shop(desk: Desk):
    """The same desk, which knows letters of every ready profile from customer.example."""
    await desk.reader.close()
    desk.reader = Reader(tuple(profiles.read(path) for path in READY.values()))
    yield desk
    await desk.reader.close()


@pytest.mark.parametrize("name", READY)
async def test_a_ready_profile_finds_in_its_samples_what_it_says(name: str):
    profile, wrong = await profiles.check(READY[name])
    assert [str(one) for one in wrong] == []
    assert len(profile.samples) >= 2
    assert {"number", "status"} <= {key for one in profile.samples for key in one.finds}


FIRST = {
    "servicenow": ("assigned", "Till prints no receipts", "high", "INC0010023"),
    "jira": ("created", "Scales show a wrong weight", "high", "SHOP-123"),
    "otrs": ("new", "Касса не печатает чеки", "high", "[Ticket#2026112310000012]"),
    "rt": ("created", "Printer is jammed", "high", "[customer.example #4711]"),
    "redmine": ("new", "Холодильник не морозит", "high", "[Магазины - Ошибка #4321]"),
    "naumen": ("assigned", "Не работает сканер", "high", "Запрос № RP1234567"),
}
LAST = {"jira": "resolved", "rt": "resolved"}


@pytest.mark.parametrize("name", FIRST)
async def test_a_desk_that_only_mails_is_served_from_the_first_letter_to_the_last(
    shop: Desk, name: str
):
    letter, title, priority, token = FIRST[name]
    first = await shop.arrives(sample(name, letter))
    assert first.outcome == "ticket", first.last_error
    (ticket,) = await shop.tickets()
    assert (ticket.title, ticket.priority) == (title, priority)
    assert shop.sent == [], "a desk is a program: it is not acknowledged"

    await shop.says(ticket.id, "Мастер приедет завтра в 10 часов.")
    (answer,) = [one.letter for one in shop.sent]
    assert token in answer["Subject"]
    assert answer["References"].split()[-1] == f"<{first.message_id}>"
    body = answer.get_body(("plain",)).get_content()
    assert body.startswith("Мастер приедет завтра")
    assert "###" not in body, "all of it becomes a comment there"

    last = await shop.arrives(sample(name, LAST.get(name, "closed")))
    assert last.ticket_id == ticket.id
    after = await shop.ticket(ticket.id)
    assert after.status in {"resolved", "closed"}
    assert len(await shop.tickets()) == 1


async def test_what_a_letter_says_of_place_people_and_time_stands_on_the_ticket(shop: Desk):
    await shop.arrives(sample("servicenow", "assigned"))
    (ticket,) = await shop.tickets()
    assert ticket.site.name == "Moscow, Tverskaya 1"
    assert (ticket.contact.name, ticket.contact.phone) == ("Abel Tuter", "+7 495 000-00-01")
    assert ticket.due_at.isoformat() == "2026-11-24T15:00:00+00:00"
    assert [one.value for one in ticket.fields] == ["INC0010023"]
    await shop.says(ticket.id, "On our way.")
    assert shop.sent[-1].text().rstrip().endswith("Ref:MSG0000123_aBcDeF")


async def test_what_the_desk_only_repeats_of_us_is_not_said_twice(shop: Desk):
    await shop.arrives(sample("jira", "created"))
    (ticket,) = await shop.tickets()
    await shop.says(ticket.id, "We shall come tomorrow morning.")
    echo = sample("jira", "comment").replace(
        b"Please come before noon.", b"We shall come\ntomorrow morning."
    )
    assert (await shop.arrives(echo)).outcome == "nothing"
    said = await shop.arrives(sample("jira", "comment").replace(b".3.", b".4."))
    assert said.outcome == "reply"
    (_ours, theirs) = await shop.comments(ticket.id)
    assert (theirs.body, theirs.visibility) == ("Please come before noon.", Visibility.CLIENT)
    assert theirs.author == "Jira"


@pytest.mark.parametrize(
    ("verdict", "first", "second"),
    [(None, "ticket", "held"), ("dmarc=fail header.from=customer.example", "held", "held")],
    ids=["unknown", "failed"],
)
async def test_a_letter_that_nobody_vouches_for_changes_no_ticket(
    shop: Desk, verdict: str | None, first: str, second: str
):
    assert (await shop.arrives(sample("jira", "created", verdict))).outcome == first
    await shop.arrives(sample("jira", "created").replace(b"00011@", b"00012@"))
    assert (await shop.arrives(sample("jira", "resolved", verdict))).outcome == second
    assert {one.status for one in await shop.tickets()} == {"new"}


async def test_the_end_of_something_we_never_had_begins_nothing(shop: Desk):
    assert (await shop.arrives(sample("rt", "resolved"))).outcome == "nothing"
    assert await shop.tickets() == []


async def test_internal_and_public_words_stay_here(shop: Desk):
    await shop.arrives(sample("rt", "created"))
    (ticket,) = await shop.tickets()
    await shop.says(ticket.id, "Канарейка", Visibility.INTERNAL)
    await shop.says(ticket.id, "Канарейка", Visibility.PUBLIC)
    assert shop.sent == []


SLOW = {
    "name": "slow",
    "recognise": {"from": ["*@customer.example"], "subject": r"(?:a|aa)+!$"},
    "take": {"number": [{"subject": r"(\d+)"}]},
}


async def test_a_pattern_without_end_costs_half_a_second_and_its_own_letter(desk: Desk):
    reader = Reader((Profile.model_validate(SLOW),))
    await desk.reader.close()
    desk.reader = reader
    slow = a_letter(sender="x@customer.example", subject="a" * 60, message_id="s@c.example")
    held = await desk.arrives(slow)
    assert (held.outcome, held.state) == ("held", "held")
    assert "took too long" in held.last_error
    assert (await desk.arrives(a_letter())).outcome == "ticket", "others are not kept waiting"


# --- files ----------------------------------------------------------------------------------

MISTAKES = [
    ("nam: x\n", "1:6 unknown key nam; did you mean name?"),
    ("name: x\nlike: jirra\nrecognise: {from: [a@b.example]}\n", "2:7 there is no profile jirra"),
    ("name: x\nlike: jira\n", "from is missing"),
    ("name: x\nrecognise: {from: [a@b.example]}\n", "number is missing"),
    (
        "name: x\nlike: jira\nrecognise: {from: [a@b.example], subject: '('}\n",
        "3:43 is no pattern",
    ),
    (
        "name: x\nlike: jira\nrecognise: {from: [a@b.example]}\nwords: {status: {Done: close}}\n",
        "did you mean closed?",
    ),
    (
        "name: x\nlike: jira\nrecognise: {from: [a@b.example]}\ndeadline: {time_zone: Moskow}\n",
        "4:23 is no time zone",
    ),
    (
        "name: x\nlike: jira\nrecognise: {from: [a@b.example]}\nanswer: {subject: '{nummer}'}\n",
        "{nummer} means nothing here",
    ),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_in_a_profile_is_told_with_its_place(tmp_path: Path, text: str, told: str):
    (tmp_path / "profiles").mkdir()
    file = tmp_path / "profiles" / "x.yaml"
    file.write_text(text)
    ran = hub("mail", "profile", "check", "--json", data=tmp_path)
    assert ran.code == 3
    follows_schema("problem", ran.json)
    assert told in ran.out, ran.out
    assert f"{file}:" in ran.out


def test_a_profile_like_another_is_tried_before_it_is_used(tmp_path: Path):
    folder = tmp_path / "profiles"
    folder.mkdir()
    shutil.copytree(profiles.READY / "jira", folder / "letters")
    (folder / "shop.yaml").write_text(
        "name: shop\nlike: jira\ncustomer: Ромашка\nrecognise: {from: ['*@customer.example']}\n"
        "samples:\n  - letter: letters/created.eml\n    finds: {number: SHOP-123}\n",
        encoding="utf-8",
    )

    def document(*argv: str):
        ran = hub("mail", "profile", *argv, "--json", data=tmp_path)
        assert ran.code == 0, ran.out + ran.err
        follows_schema(f"mail-profile-{argv[0]}", ran.json)
        return ran.json

    assert document("check")["profiles"][0]["samples"] == 1
    assert [one["name"] for one in document("list")["profiles"]] == ["shop", *READY]
    tried = document("try", str(folder / "letters" / "comment.eml"))
    assert (tried["would"], tried["profile"]) == ("desk", "shop")
    assert tried["finds"]["customer"] == "Ромашка"
    assert tried["finds"]["text"] == "Please come before noon."
    (folder / "plain.eml").write_bytes(a_letter())
    assert document("try", str(folder / "plain.eml"))["would"] == "ordinary"
    (folder / "shop.yaml").write_text(
        (folder / "shop.yaml").read_text().replace("SHOP-123", "SHOP-124")
    )
    ran = hub("mail", "profile", "check", data=tmp_path)
    assert ran.code == 3
    assert "shop.yaml:7:" in ran.out + ran.err
    assert "number is 'SHOP-123', not 'SHOP-124'" in ran.out + ran.err
