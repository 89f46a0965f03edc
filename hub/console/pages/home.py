"""Where one begins: the first place of the menu that is one's own."""

from __future__ import annotations

from typing import Final

from hub.actions import agents
from hub.console import menu
from hub.console.door import LANGUAGE_COOKIE, Answer, Open, Page, Redirect, Visit
from hub.domain.permission import Permission
from hub.i18n import LANGUAGES


async def _home(visit: Visit) -> Answer:
    knows = visit.context.renderer.knows
    first = next(one for one in menu.MENU if visit.may(one.may) and knows(one.page))
    return Redirect(visit.context.renderer.url(first.page))


async def _speak(visit: Visit) -> Answer:
    """Another language, for this browser and whoever is signed in."""
    wanted = await visit.word("language")
    if wanted in LANGUAGES:
        visit.cookies[LANGUAGE_COOKIE] = wanted
        if visit.who is not None:
            await agents.prefer(visit.hub, visit.actor, language=wanted)
    return Redirect(await visit.word("next", "/"))


PAGES: Final = (
    Page(name="home", method="GET", path="/", may=Permission.PROFILE, handler=_home),
    Page(name="speak", method="POST", path="/language", may=Open.TO_ALL, handler=_speak),
)
