"""What everybody does for themselves: name, language, password, second factor, sessions."""

from __future__ import annotations

from typing import Final

import segno
from markupsafe import Markup

from hub.actions import agents, passwords, second_factor, sessions
from hub.console.door import Answer, Redirect, Shown, Toast, Visit, page_for
from hub.console.words import ZONES
from hub.domain.permission import Permission
from hub.errors import HubError, Refused
from hub.i18n import gettext as _

_QR_SCALE: Final = 4


async def _settings(visit: Visit) -> Answer:
    return Redirect(visit.context.renderer.url("profile"))


async def _show(visit: Visit) -> Answer:
    return await _page(visit)


async def _page(visit: Visit, error: HubError | None = None, about: str = "") -> Shown:
    facts = {
        "sessions": await sessions.mine(visit.hub, visit.actor),
        "this": visit.present.session.id,
        "codes_left": await second_factor.codes_left(visit.hub, visit.actor),
        "zones": ZONES,
        "error": error,
        "about": about,
    }
    return Shown("profile.html", facts, 200 if error is None else 422)


async def _change(visit: Visit) -> Answer:
    try:
        await agents.call(visit.hub, visit.actor, await visit.word("name"))
        zone = await visit.word("zone")
        await agents.prefer(visit.hub, visit.actor, time_zone=zone or None)
    except Refused as error:
        return await _page(visit, error, "name")
    return _back(visit, _("Your profile is saved."))


async def _password(visit: Visit) -> Answer:
    old, new, again = [
        (await visit.words(name) or [""])[-1] for name in ("old", "password", "again")
    ]
    try:
        if new != again:
            raise Refused("passwords_differ", "The two passwords are not the same.")
        here = visit.present.session.id
        await passwords.change(visit.hub, visit.actor, old, new, session_id=here)
    except Refused as error:
        return await _page(visit, error, "password")
    return _back(visit, _("The new password is in force; other sessions have ended."))


async def _end(visit: Visit) -> Answer:
    await sessions.end(visit.hub, visit.actor, visit.param("session"))
    return _back(visit, _("The session has ended."))


async def _end_others(visit: Visit) -> Answer:
    await sessions.end_others(visit.hub, visit.actor, visit.present.session.id)
    return _back(visit, _("All other sessions have ended."))


async def _begin_factor(visit: Visit) -> Answer:
    return await _factor(visit)


async def _factor(visit: Visit, error: HubError | None = None) -> Answer:
    begun = await second_factor.begin(visit.hub, visit.actor)
    code = segno.make(begun.uri, error="m")
    drawn = code.svg_inline(scale=_QR_SCALE, border=2, omitsize=True, svgclass="qr", lineclass=None)
    # Drawn by the library from squares alone: there is no text of anybody in it.
    facts = {"secret": begun.secret, "qr": Markup(drawn), "error": error}  # noqa: S704
    return Shown("second_factor.html", facts, 200 if error is None else 422)


async def _confirm_factor(visit: Visit) -> Answer:
    try:
        codes = await second_factor.confirm(visit.hub, visit.actor, await visit.word("code"))
    except Refused as error:
        if error.code != "code_wrong":
            raise
        return await _factor(visit, error)
    return Shown("recovery_codes.html", {"codes": codes})


async def _remove_factor(visit: Visit) -> Answer:
    try:
        password = (await visit.words("password") or [""])[-1]
        await second_factor.remove(visit.hub, visit.actor, password)
    except Refused as error:
        return await _page(visit, error, "factor")
    return _back(visit, _("From now on the password is enough."))


def _back(visit: Visit, text: str) -> Redirect:
    return Redirect(visit.context.renderer.url("profile"), Toast(text))


_page_of: Final = page_for(Permission.PROFILE)

PAGES: Final = (
    _page_of("settings", "GET", "/settings", _settings),
    _page_of("profile", "GET", "/settings/profile", _show),
    _page_of("change_profile", "POST", "/settings/profile", _change),
    _page_of("change_password", "POST", "/settings/profile/password", _password),
    _page_of("end_session", "POST", "/settings/profile/sessions/{session}/end", _end),
    _page_of("end_sessions", "POST", "/settings/profile/sessions/end", _end_others),
    _page_of("second_factor", "GET", "/settings/profile/second-factor", _begin_factor),
    _page_of("confirm_factor", "POST", "/settings/profile/second-factor", _confirm_factor),
    _page_of("remove_factor", "POST", "/settings/profile/second-factor/off", _remove_factor),
)
