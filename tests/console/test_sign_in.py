"""How people get in, stay in, and are let go."""

from __future__ import annotations

import pyotp
import pytest

from hub.actions import access, agents
from hub.actions.access import Purpose
from tests.kit.console import PASSWORD, Console, Person


async def email_of(person: Person) -> str:
    text = await person.read("/settings/profile")
    return next(word for word in text.split() if "@" in word)


async def sign_in(person: Person, email: str, password: str = PASSWORD, following: str = ""):
    return await person.post("/sign-in", {"email": email, "password": password, "next": following})


async def test_whoever_has_the_password_gets_in_and_out(console: Console) -> None:
    olga = await console.person("dispatcher")
    email = await email_of(olga)
    browser = console.stranger()
    asked = await browser.get("/settings/profile")
    assert (asked.status, asked.location) == (303, "/sign-in?next=%2Fsettings%2Fprofile")
    entered = await sign_in(browser, email, following="/settings/profile")
    assert (entered.status, entered.location) == (303, "/settings/profile")
    assert email in await browser.read("/settings/profile")
    token = browser.cookies[console.cookie]
    assert (await browser.post("/sign-out")).location == "/sign-in"
    assert console.cookie not in browser.cookies
    browser.keep(token)  # what a thief of the cookie would have
    assert (await browser.get("/settings/profile")).status == 303


async def test_a_wrong_password_and_an_unknown_name_are_told_the_same(console: Console) -> None:
    email = await email_of(await console.person())
    browser = console.stranger()
    wrong = await sign_in(browser, email, "something else entirely")
    unknown = await sign_in(browser, "nobody@plus.example", "something else entirely")
    assert wrong.status == unknown.status == 422
    assert wrong.text.replace(email, "") == unknown.text.replace("nobody@plus.example", "")
    assert console.cookie not in browser.cookies


async def test_guessing_is_slowed_down_and_keeps_nobody_out_who_sits_elsewhere(
    console: Console,
) -> None:
    email = await email_of(await console.person())
    guesser = console.stranger()
    statuses = [
        (await sign_in(guesser, email, f"a guess number {n} of many")).status for n in range(8)
    ]
    assert statuses[:6] == [422] * 6
    assert statuses[6:] == [429, 429]
    assert (await sign_in(guesser, email)).status == 429
    console.company.settings.network.__dict__["trusted_proxies"] = ("127.0.0.0/8",)
    elsewhere = await console.stranger().post(
        "/sign-in",
        {"email": email, "password": PASSWORD},
        headers={"X-Forwarded-For": "192.0.2.7"},
    )
    assert elsewhere.status == 303


async def test_an_address_that_the_caller_made_up_does_not_help(console: Console) -> None:
    email = await email_of(await console.person())
    guesser = console.stranger()
    for n in range(12):
        answer = await guesser.post(
            "/sign-in",
            {"email": email, "password": "a wrong password"},
            headers={
                "X-Forwarded-For": f"198.51.{n}.1",
                "Forwarded": f"for=198.51.{n}.1",
                "X-Real-IP": f"198.51.{n}.1",
            },
        )
    assert answer.status == 429


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", "https:evil.example", "http://evil.example/x"]
)
async def test_nobody_is_led_elsewhere_after_signing_in(console: Console, path: str) -> None:
    email = await email_of(await console.person())
    entered = await sign_in(console.stranger(), email, following=path)
    assert (entered.status, entered.location) == (303, "/")


async def test_a_session_ends_when_nobody_uses_it_and_after_a_week_in_any_case(
    console: Console, companies
) -> None:
    idle, busy = await console.person(), await console.person()
    for _ in range(13):
        companies.clock.advance(hours=1)
        assert (await busy.get("/settings/profile")).status == 200
    assert (await idle.get("/settings/profile")).status == 303
    for _ in range(6 * 24 + 12):
        companies.clock.advance(hours=1)
        last = (await busy.get("/settings/profile")).status
    assert last == 303


async def test_one_ends_ones_other_sessions_and_nobody_elses(console: Console) -> None:
    here, other = await console.person(), await console.person()
    email = await email_of(here)
    there = console.stranger()
    await sign_in(there, email)
    shown = (await here.get("/settings/profile")).text
    ids = {part.split("/end")[0] for part in shown.split("/settings/profile/sessions/")[1:]}
    session = next(one for one in ids if one.startswith("ses_"))
    assert (await other.post(f"/settings/profile/sessions/{session}/end")).status == 404
    assert (await there.get("/settings/profile")).status == 200
    assert (await here.post(f"/settings/profile/sessions/{session}/end")).status == 303
    assert (await there.get("/settings/profile")).status == 303
    await sign_in(there, email)
    assert (await here.post("/settings/profile/sessions/end")).status == 303
    assert (await there.get("/settings/profile")).status == 303
    assert (await here.get("/settings/profile")).status == 200


async def test_a_new_password_ends_every_other_session(console: Console) -> None:
    here = await console.person()
    email = await email_of(here)
    there = console.stranger()
    await sign_in(there, email)
    new = "совсем другая длинная фраза"
    form = {"old": "not it at all", "password": new, "again": new}
    assert (await here.post("/settings/profile/password", form)).status == 422
    assert (await there.get("/settings/profile")).status == 200
    form["old"] = PASSWORD
    assert (await here.post("/settings/profile/password", form)).status == 303
    assert (await there.get("/settings/profile")).status == 303
    assert (await sign_in(there, email)).status == 422
    assert (await sign_in(there, email, new)).status == 303


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaa", "qwerty1234567", "Сервис Плюс1"])
async def test_a_password_that_anybody_would_guess_is_refused(
    console: Console, password: str
) -> None:
    person = await console.person()
    form = {"old": PASSWORD, "password": password, "again": password}
    assert (await person.post("/settings/profile/password", form)).status == 422


async def test_with_a_second_factor_the_password_alone_opens_nothing(
    console: Console, companies
) -> None:
    person = await console.person()
    email = await email_of(person)
    page = await person.get("/settings/profile/second-factor")
    secret = page.text.split('<code class="secret">')[1].split("<")[0]
    totp = pyotp.TOTP(secret)
    code = totp.at(companies.clock.now())
    done = await person.post("/settings/profile/second-factor", {"code": code})
    codes = [part.split("<")[0] for part in done.text.split("<li><code>")[1:]]
    assert len(codes) == 10
    browser = console.stranger()
    assert (await sign_in(browser, email)).location == "/sign-in/code"
    half = browser.cookies[console.cookie]
    assert (await browser.get("/settings/profile")).status == 303
    browser.keep(half)
    used = await browser.post("/sign-in/code", {"code": code})
    assert used.status == 422, "a code opens once"
    companies.clock.advance(seconds=30)
    fresh = await browser.post("/sign-in/code", {"code": totp.at(companies.clock.now())})
    assert fresh.status == 303
    assert browser.cookies[console.cookie] != half, "a new session after signing in"
    assert (await browser.get("/settings/profile")).status == 200
    lost = console.stranger()
    await sign_in(lost, email)
    assert (await lost.post("/sign-in/code", {"code": codes[0]})).status == 303
    again = console.stranger()
    await sign_in(again, email)
    assert (await again.post("/sign-in/code", {"code": codes[0]})).status == 422


async def test_codes_cannot_be_tried_one_by_one(console: Console, companies) -> None:
    person = await console.person()
    email = await email_of(person)
    page = await person.get("/settings/profile/second-factor")
    secret = page.text.split('<code class="secret">')[1].split("<")[0]
    await person.post(
        "/settings/profile/second-factor", {"code": pyotp.TOTP(secret).at(companies.clock.now())}
    )
    browser = console.stranger()
    await sign_in(browser, email)
    found = [(await browser.post("/sign-in/code", {"code": f"{n:06}"})).status for n in range(8)]
    assert found[-1] == 429


async def test_an_invitation_opens_once_and_not_for_ever(console: Console, companies) -> None:
    admin = await console.person("admin")
    made = await admin.post(
        "/settings/people", {"email": "ivan@plus.example", "name": "Иван", "role": "engineer"}
    )
    path = "/enter/" + made.text.split("/enter/")[1].split('"')[0]
    ivan = console.stranger()
    for _ in range(2):  # a program that reads mail looks first
        assert (await ivan.get(path)).status == 200
    form = {"password": PASSWORD, "again": PASSWORD}
    assert (await ivan.post(path, {**form, "again": "other"})).status == 422
    assert (await ivan.post(path, form)).status == 303
    assert "Иван" in await ivan.read("/settings/profile")
    assert (await console.stranger().post(path, form)).status == 422
    late = await admin.post(
        "/settings/people", {"email": "oleg@plus.example", "name": "Олег", "role": "engineer"}
    )
    path = "/enter/" + late.text.split("/enter/")[1].split('"')[0]
    companies.clock.advance(hours=25)
    assert (await console.stranger().get(path)).status == 422


async def test_a_new_link_ends_the_one_before_it(console: Console) -> None:
    hub, admin = console.company.hub, console.company.dispatcher
    agent = await agents.add(hub, admin, email="i@plus.example", name="Иван", role="engineer")
    first = await access.make(hub, admin, agent, Purpose.INVITE)
    second = await access.make(hub, admin, agent, Purpose.INVITE)
    browser = console.stranger()
    assert (await browser.get(first.path)).status == 422
    assert (await browser.get(second.path)).status == 200


async def test_a_disabled_agent_is_out_at_once_and_stays_out(console: Console) -> None:
    admin, ivan = await console.person("admin"), await console.person("engineer")
    email = await email_of(ivan)
    assert (await admin.post(f"/settings/people/{ivan.actor.ref}/disable")).status == 303
    assert (await ivan.get("/settings/profile")).status == 303
    assert (await sign_in(console.stranger(), email)).status == 422


async def test_a_session_of_one_node_opens_nothing_at_another(consoles) -> None:
    ours, theirs = consoles
    admin = await ours.person("admin")
    stranger = theirs.stranger()
    stranger.keep(admin.cookies[ours.cookie])
    assert (await stranger.get("/settings/profile")).status == 303


async def test_nothing_that_opens_is_kept_in_the_database(console: Console, companies) -> None:
    person = await console.person("admin")
    token = person.cookies[console.cookie]
    link = await access.make(
        console.company.hub, console.company.dispatcher, person.actor.ref, Purpose.RESET
    )
    data = console.company.settings.data
    kept = b"".join(path.read_bytes() for path in data.glob("hub.db*"))
    for secret in (token, link.token, PASSWORD):
        assert secret.encode() not in kept
