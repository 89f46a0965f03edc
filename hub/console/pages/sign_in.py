"""Getting in: a password, a code, or a link that opens once; and out."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

from hub.actions import access, sessions
from hub.actions.access import Purpose
from hub.actions.sessions import Opened
from hub.console.door import Answer, Open, Page, Redirect, Shown, Visit
from hub.domain.limits import network_of
from hub.domain.permission import Permission
from hub.errors import HubError, Refused, Unavailable, Untrusted

_FROM_ONE_NETWORK: Final = 30  # tries a minute: an office behind one address
_FOR_ONE_NAME: Final = 6  # from one network; elsewhere the same person can still get in
_CODES: Final = 6  # for one session that waits for its code


async def _ask(visit: Visit) -> Answer:
    if visit.who is not None:
        return Redirect(visit.query("next") or "/")
    return Shown("sign_in.html", {"email": "", "next": visit.query("next"), "error": None})


async def _sign_in(visit: Visit) -> Answer:
    email, following = await visit.word("email"), await visit.word("next")
    password = (await visit.words("password") or [""])[-1]
    try:
        _slowly(visit, email.casefold())
        opened = await sessions.sign_in(visit.hub, email, password, visit.browser)
    except (Untrusted, Unavailable) as error:
        facts = {"email": email, "next": following, "error": error}
        return Shown("sign_in.html", facts, 429 if isinstance(error, Unavailable) else 422)
    _keep(visit, opened)
    if not opened.session.complete:
        return Redirect(visit.context.renderer.url("code", next=following))
    return Redirect(following or "/")


def _slowly(visit: Visit, name: str | None = None) -> None:
    """Return if this may be tried now. Raises Unavailable(rate_limited).

    Tries are counted by network, and by name within a network: whoever guesses is slowed down,
    and cannot keep the person out who has the password and sits elsewhere. A link has no name,
    and nobody guesses 256 bits: colleagues in one office open theirs in the same minute.
    """
    context, network = visit.context, network_of(visit.address)
    now = context.hub.clock.monotonic()
    wait = context.rates.take(("network", network), _FROM_ONE_NETWORK, now)
    if name is not None:
        by_name = context.rates.take(("name", network, name[:200]), _FOR_ONE_NAME, now)
        wait = max(wait, by_name)
    if wait:
        raise Unavailable(
            "rate_limited",
            "Too many tries. Wait a minute and try again.",
            after=timedelta(seconds=math.ceil(wait)),
        )


async def _ask_code(visit: Visit) -> Answer:
    return Shown("code.html", {"next": visit.query("next"), "error": None})


async def _enter_code(visit: Visit) -> Answer:
    following = await visit.word("next")
    token = visit.request.cookies.get(visit.context.cookie, "")
    try:
        _slowly_codes(visit, token)
        opened = await sessions.enter_code(visit.hub, token, await visit.word("code"))
    except Untrusted as error:
        if error.code != "code_wrong":
            raise
        return Shown("code.html", {"next": following, "error": error}, 422)
    except Unavailable as error:
        return Shown("code.html", {"next": following, "error": error}, 429)
    _keep(visit, opened)
    return Redirect(following or "/")


def _slowly_codes(visit: Visit, token: str) -> None:
    now = visit.hub.clock.monotonic()
    wait = visit.context.rates.take(("code", sessions.digest(token)), _CODES, now)
    if wait:
        raise Unavailable(
            "rate_limited",
            "Too many tries. Wait a minute and try again.",
            after=timedelta(seconds=math.ceil(wait)),
        )


async def _sign_out(visit: Visit) -> Answer:
    await sessions.end(visit.hub, visit.actor, visit.present.session.id)
    visit.cookies[visit.context.cookie] = None
    return Redirect(visit.context.renderer.url("sign_in"))


async def _show_link(visit: Visit) -> Answer:
    """What the link is for. Looking uses nothing up: programs that read mail look at links too.

    Only a link opened by hand on the machine itself lets its owner in at once.
    """
    token = visit.param("token")
    _slowly(visit)
    guest = await access.whose(visit.hub, token)
    by_hand = visit.request.headers.get("Sec-Fetch-Site") == "none"
    if guest.purpose is Purpose.SIGN_IN and by_hand and visit.hub.try_out:
        _keep(visit, await access.enter(visit.hub, token, visit.browser))
        return Redirect("/")
    return Shown("enter.html", {"guest": guest, "token": token, "error": None})


async def _enter(visit: Visit) -> Answer:
    token = visit.param("token")
    _slowly(visit)
    guest = await access.whose(visit.hub, token)
    password = (await visit.words("password") or [""])[-1]
    again = (await visit.words("again") or [""])[-1]
    try:
        if guest.purpose is not Purpose.SIGN_IN and password != again:
            raise Refused("passwords_differ", "The two passwords are not the same.")
        opened = await access.enter(visit.hub, token, visit.browser, password)
    except HubError as error:
        if error.code not in {"passwords_differ", "password_weak"}:
            raise
        return Shown("enter.html", {"guest": guest, "token": token, "error": error}, 422)
    _keep(visit, opened)
    return Redirect("/")


def _keep(visit: Visit, opened: Opened) -> None:
    visit.cookies[visit.context.cookie] = opened.token


PAGES: Final = (
    Page(name="sign_in", method="GET", path="/sign-in", may=Open.TO_ALL, handler=_ask),
    Page(name="signing_in", method="POST", path="/sign-in", may=Open.TO_ALL, handler=_sign_in),
    Page(name="code", method="GET", path="/sign-in/code", may=Open.TO_ALL, handler=_ask_code),
    Page(
        name="entering_code",
        method="POST",
        path="/sign-in/code",
        may=Open.TO_ALL,
        handler=_enter_code,
    ),
    Page(
        name="sign_out",
        method="POST",
        path="/sign-out",
        may=Permission.PROFILE,
        handler=_sign_out,
    ),
    Page(name="enter", method="GET", path="/enter/{token}", may=Open.TO_ALL, handler=_show_link),
    Page(name="entering", method="POST", path="/enter/{token}", may=Open.TO_ALL, handler=_enter),
)
