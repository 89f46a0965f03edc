"""The aiohttp side of the console: who asks, may they, in which language; then the page.

What a cross-site page can make a browser do is refused before anything is read: an unsafe
request must come from a page of ours (Sec-Fetch-Site, else Origin). Whatever is sent carries the
same strict headers, and nothing behind the sign-in is kept by any cache.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web
from babel.dates import LOCALTZ

from hub import bodies
from hub.actions import denials, sessions, suspicions
from hub.console import menu, problems
from hub.console.assets import Assets
from hub.console.door import (
    LANGUAGE_COOKIE,
    Answer,
    ConsoleContext,
    Open,
    Page,
    Redirect,
    Shown,
    Toast,
    Visit,
)
from hub.console.rendering import Renderer, Times
from hub.console.routes import PAGES
from hub.domain.limits import caller_of
from hub.domain.permission import Permission, may
from hub.errors import HubError, NotFound, Refused, Unavailable, Untrusted
from hub.i18n import LANGUAGES, reading_in
from hub.logs import bound, get_logger
from hub.queries import deliveries

_log = get_logger("hub.console")

HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""With whatever the console sends, unless a page says another."""

_HSTS: Final = "max-age=31536000; includeSubDomains"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS: Final = web.RequestKey("console", bool)
TOAST_COOKIE: Final = "hub-toast"
_YEAR_S: Final = 365 * 24 * 3600


def add_routes(app: web.Application, context: ConsoleContext) -> None:
    """Put every page into the application, and an answer for what is none."""

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        if request.get(_OURS):
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            if context.secure:
                response.headers.setdefault("strict-transport-security", _HSTS)

    app.on_response_prepare.append(prepare)
    for page in PAGES:
        app.router.add_route(page.method, page.path, _handler(context, page))
    app.router.add_route("*", "/{rest:.*}", _handler(context, None))


def renderer() -> Renderer:
    """The templates, with every address there is."""
    return Renderer(Assets(), {page.name: _plain(page.path) for page in PAGES})


def _plain(path: str) -> str:
    """The path with its places alone: what may stand there is the router's matter."""
    return re.sub(r":[^}]*}", "}", path)


def _handler(context: ConsoleContext, page: Page | None) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        request[_OURS] = True
        visit = await _visit(context, page, request)
        with reading_in(visit.language):
            response = await _settle(visit, page)
        if not request.content.at_eof():
            response.force_close()  # nobody reads on what was refused
        context.hub.metrics.http_requests.labels("console", request.method, response.status).inc()
        return response

    return handle


async def _visit(context: ConsoleContext, page: Page | None, request: web.Request) -> Visit:
    who = None
    if token := request.cookies.get(context.cookie, ""):
        try:
            who = await sessions.authenticate(context.hub, token)
        except HubError as error:
            _log.debug("no_session", code=error.code, because=error.because)
    zone = _zone(who.agent.time_zone if who is not None else None)
    address = caller_of(
        request.remote or "",
        request.headers.get("X-Forwarded-For", ""),
        context.settings.network.trusted_proxies,
    )
    spoken = _language(request, context.hub.account.language)
    if who is not None and who.agent.language:
        spoken = who.agent.language
    return Visit(context, request, page or NOWHERE, who, spoken, zone, address)


async def _settle(visit: Visit, page: Page | None) -> web.StreamResponse:
    """The answer, whatever happens."""
    hub = visit.hub
    try:
        answer = await _answer(visit, page)
        await _look_for_alarms(visit, answer)
        return _finished(visit, answer)
    except HubError as error:
        hub.metrics.refused.labels("console", error.code).inc()
        if isinstance(error, Untrusted) and error.code not in {"session_over", "sign_in_failed"}:
            suspicions.note(hub, error.code)
        if isinstance(error, Untrusted | Unavailable):
            _log.info("refused", code=error.code, because=error.because)
        return _finished(visit, _problem(visit, error))
    except (ConnectionError, web.RequestPayloadError):
        return _finished(visit, _problem(visit, bodies.cut_off()))
    except web.HTTPException as error:  # aiohttp's own, from reading a body
        code = "too_large" if error.status == 413 else "malformed"
        return _finished(visit, _problem(visit, Refused(code, "The request cannot be read.")))
    except Exception:  # noqa: BLE001 - the door's one place for what is a bug
        incident = hub.entropy.bytes(6).hex()
        _log.exception("incident", incident=incident, method=visit.request.method)
        return _finished(visit, problems.bug(incident))


async def _answer(visit: Visit, page: Page | None) -> Answer:
    if page is None:
        raise _nothing_here(visit.request)
    if visit.request.method not in _SAFE and not page.from_anywhere:
        _same_site(visit.request)
    if page.may is Open.TO_ALL:
        return await _handled(visit, page)
    actor = visit.actor
    with bound(agent=actor.ref):
        try:
            if not may(actor.role, page.may):
                raise Refused("not_yours", "Your role does not allow this.")
            return await _handled(visit, page)
        except Refused as error:
            what = f"{page.method} {page.path}"
            await denials.record(visit.hub, actor, error, door="console", what=what)
            raise


async def _look_for_alarms(visit: Visit, answer: Answer) -> None:
    """Whole pages show how much a person must still look at."""
    whole = isinstance(answer, Shown) and not visit.is_partial
    if whole and visit.may(Permission.DELIVERIES_READ):
        visit.alarms = await visit.hub.db.read(deliveries.unseen)


async def _handled(visit: Visit, page: Page) -> Answer:
    if page.method not in _SAFE and not page.streams:
        await visit.form()  # what cannot be read is not the handler's matter
    return await page.handler(visit)


def _same_site(request: web.Request) -> None:
    """Return if the request comes from a page of ours. Raises Untrusted(cross_site)."""
    said = request.headers.get("Sec-Fetch-Site")
    if said is not None:
        ours = said in {"same-origin", "none"}
    else:
        origin = request.headers.get("Origin", "")
        ours = bool(origin) and urlsplit(origin).netloc == request.host
    if not ours:
        raise Untrusted("cross_site", "This request does not come from a page of this hub.")


def _nothing_here(request: web.Request) -> Refused:
    path = request.rel_url.raw_path
    for page in PAGES:
        if re.fullmatch(re.sub(r"{\w+(:[^}]*)?}", "[^/]+", page.path), path):
            return Refused("method_not_allowed", "This address does not take that.")
    return NotFound("not_found", "There is nothing here.")


def _problem(visit: Visit, error: HubError) -> Answer:
    if error.code == "session_over":
        asked = visit.request.path_qs if visit.request.method == "GET" else "/"
        visit.cookies[visit.context.cookie] = None
        return Redirect(visit.context.renderer.url("sign_in", next=asked if asked != "/" else ""))
    return problems.shown(visit, error)


# --- answering ------------------------------------------------------------------------------


def _finished(visit: Visit, answer: Answer) -> web.StreamResponse:
    response: web.StreamResponse
    match answer:
        case Redirect():
            response = _redirect(visit, answer)
        case Shown():
            text = visit.context.renderer.render(
                answer.template, facts(visit, answer), _times(visit)
            )
            response = web.Response(
                text=text, status=answer.status, content_type="text/html", headers=answer.headers
            )
            if len(text) > 1024:
                response.enable_compression()
            response.headers["content-language"] = visit.language
            response.headers["vary"] = "Accept-Language, Cookie"
        case _:
            response = answer
    if not response.prepared:
        _set_cookies(visit, response)
    return response


def facts(visit: Visit, answer: Shown) -> dict[str, Any]:
    """What every template is given beside its own facts."""
    toast = _toast(visit)
    return {
        "visit": visit,
        "me": None if visit.who is None else visit.who.agent,
        "may": visit.may,
        "language": visit.language,
        "account": visit.hub.account,
        "path": visit.request.path,
        "menu": _shown_of(visit, menu.MENU),
        "settings_menu": _shown_of(visit, menu.SETTINGS),
        "toast": toast,
        **answer.facts,
    }


def _shown_of(visit: Visit, places: Iterable[menu.Place]) -> list[menu.Place]:
    knows = visit.context.renderer.knows
    return [one for one in places if visit.may(one.may) and knows(one.page)]


def _times(visit: Visit) -> Times:
    return Times(visit.hub.now(), visit.zone, visit.language)


def _redirect(visit: Visit, answer: Redirect) -> web.Response:
    path = local(answer.path)
    if answer.toast is not None:
        said = [answer.toast.text, answer.toast.undo, answer.toast.good]
        packed = base64.urlsafe_b64encode(json.dumps(said).encode()).decode()
        visit.cookies[TOAST_COOKIE] = packed
    if visit.is_partial:  # fetch() would follow by itself and put a whole page into a piece of one
        return web.Response(headers={"HX-Redirect": path})
    return web.Response(status=303, headers={"Location": path})


def local(path: str) -> str:
    """The path, if it leads to one of our own pages; else the first page."""
    parts = urlsplit(path)
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if ours and not parts.scheme and not parts.netloc and "\\" not in path else "/"


def _toast(visit: Visit) -> Toast | None:
    """What the page before wanted to be said on this one; once."""
    packed = visit.request.cookies.get(TOAST_COOKIE)
    if not packed or visit.is_partial or visit.cookies.get(TOAST_COOKIE):
        return None
    visit.cookies[TOAST_COOKIE] = None
    try:
        text, undo, good = json.loads(base64.urlsafe_b64decode(packed.encode()))
        return Toast(str(text), local(undo) if undo else "", bool(good))
    except (ValueError, TypeError):
        return None  # not written by us


def _set_cookies(visit: Visit, response: web.StreamResponse) -> None:
    for name, value in visit.cookies.items():
        if value is None:
            response.del_cookie(name, path="/", secure=visit.context.secure)
            continue
        response.set_cookie(
            name,
            value,
            path="/",
            httponly=True,
            secure=visit.context.secure,
            samesite="Lax",
            max_age=_lifetime(visit, name),
        )


def _lifetime(visit: Visit, name: str) -> int:
    if name == visit.context.cookie:
        return int(sessions.LONGEST.total_seconds())
    return 60 if name == TOAST_COOKIE else _YEAR_S


# --- who reads ------------------------------------------------------------------------------


def _language(request: web.Request, ours: str) -> str:
    """What the reader chose here before, else the first language of the browser that we have."""
    if (chosen := request.cookies.get(LANGUAGE_COOKIE)) in LANGUAGES:
        return str(chosen)
    for part in request.headers.get("Accept-Language", "")[:200].split(","):
        if (code := part.strip()[:2].lower()) in LANGUAGES:
            return code
    return ours


def _zone(name: str | None) -> tzinfo:
    """The reader's zone; where none was chosen, this machine's."""
    try:
        return ZoneInfo(name) if name else LOCALTZ
    except (ZoneInfoNotFoundError, ValueError):
        return LOCALTZ


async def _nobody(_visit: Visit) -> Answer:
    raise NotFound("not_found", "There is nothing here.")


NOWHERE: Final = Page(name="", method="*", path="/", may=Open.TO_ALL, handler=_nobody)
