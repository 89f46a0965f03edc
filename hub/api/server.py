"""The aiohttp side of the door: who asks, what for, in which language; then the handler."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from aiohttp import web

from hub import bodies
from hub.actions import denials, repeats, suspicions, tokens
from hub.actions.context import Actor
from hub.actions.repeats import Answer, Keyed
from hub.api import problems
from hub.api.door import ApiContext, Download, Effect, Following, Open, Route, Sends, Takes, Visit
from hub.api.files import repr_digest
from hub.api.forms import read_json, read_words
from hub.api.problems import Invalid, Told
from hub.api.routes import ROUTES
from hub.api.uploads import Parts, read_parts, read_whole
from hub.api.views import as_json
from hub.errors import HubError, NotFound, Refused, Unavailable, Untrusted
from hub.faults import fault
from hub.i18n import LANGUAGES, gettext, language, reading_in
from hub.logs import bound, get_logger
from hub.protocol import strict_json

_log = get_logger("hub.api")

_HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "vary": "Accept-Language",
    "x-content-type-options": "nosniff",
}
"""With every answer: nothing here is a page, and nobody keeps it."""

_BEARER: Final = re.compile(r"bearer +(?P<token>\S+)", re.IGNORECASE)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_STREAMS: Final = 200  # that are followed at once
_STILL_THERE_S: Final = 15.0  # a line at least so often: proxies and dead listeners are noticed
_NAME_MAX: Final = 1000  # of a file, before it is cleaned
_FROM_AIOHTTP: Final[Mapping[int, str]] = {400: "malformed", 413: "too_large"}


def add_routes(app: web.Application, context: ApiContext) -> None:
    """Put every route of the door into the application, and an answer for what is none."""
    for route in ROUTES:
        app.router.add_route(route.method, route.full_path, _handler(context, route))
    app.router.add_route("*", "/api/{rest:.*}", _handler(context, None))


def _handler(context: ApiContext, route: Route[Any] | None) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        with reading_in(_language(request, context.hub.account.language)):
            response = await _settle(context, route, request)
            response.headers.update(_HEADERS)
            response.headers["content-language"] = language()
        if not request.content.at_eof():
            response.force_close()  # nobody reads on what was refused
        context.hub.metrics.http_requests.labels("api", request.method, response.status).inc()
        return response

    return handle


async def _settle(
    context: ApiContext, route: Route[Any] | None, request: web.Request
) -> web.StreamResponse:
    """The answer, whatever happens."""
    try:
        if route is None:
            raise _nothing_here(request)
        return await _answer(context, route, request)
    except HubError as error:
        context.hub.metrics.refused.labels("api", error.code).inc()
        if isinstance(error, Untrusted) or error.code == "scope_missing":
            suspicions.note(context.hub, error.code)
        if isinstance(error, Untrusted | Unavailable):
            _log.info("refused", code=error.code, because=error.because)
        return _problem(problems.problem_for(error))
    except (ConnectionError, web.RequestPayloadError):
        return _problem(problems.problem_for(bodies.cut_off()))
    except web.HTTPException as error:  # aiohttp's own, from reading a body
        code = _FROM_AIOHTTP.get(error.status, "malformed")
        return _problem(problems.problem_for(Refused(code, "The request cannot be read.")))
    except Exception:  # noqa: BLE001 - the door's one place for what is a bug
        incident = context.hub.entropy.bytes(6).hex()
        _log.exception("incident", incident=incident, method=request.method)
        return _problem(problems.bug(incident))


async def _answer(
    context: ApiContext, route: Route[Any], request: web.Request
) -> web.StreamResponse:
    actor = await _enter(context, route, request)
    try:
        _check_scope(actor, route)
        return await _answer_to(actor, context, route, request)
    except Refused as error:
        what = f"{route.method} {route.full_path}"
        await denials.record(context.hub, actor, error, door="api", what=what)
        raise


async def _answer_to(
    actor: Actor, context: ApiContext, route: Route[Any], request: web.Request
) -> web.StreamResponse:
    hub = context.hub
    with bound(agent=actor.ref):
        form, files = await _read(context, route, request)
        resumed = strict_json.clean(request.headers.get("Last-Event-ID", ""))
        visit = Visit(context, actor, _params(request), files, resumed)
        keyed = _keyed(actor, request, form, visit) if route.method != "GET" else None
        if keyed is not None and (kept := await repeats.kept(hub, keyed)) is not None:
            return _json(kept)
        found = await route.handler(visit, form)
        if isinstance(found, Effect):
            return _json(await _carry_out(context, route, found, keyed))
        if isinstance(found, Following):
            return await _stream(context, found, request)
        if isinstance(found, Download):
            return _file(context, found, request)
        return _json(Answer(route.status, _text(found)))


async def _enter(context: ApiContext, route: Route[Any], request: web.Request) -> Actor:
    """Who asks. Nothing of the body has been read yet."""
    if route.scope is Open.TO_ALL:
        return Actor("anybody", "", "", frozenset())
    said = request.headers.getall("Authorization", [])
    if not said:
        raise Untrusted("token_missing", "Send a token: Authorization: Bearer hub_…")
    found = _BEARER.fullmatch(said[0].strip()) if len(said) == 1 else None
    if found is None:
        raise Untrusted("token_invalid", "This is not a token of this node.")
    actor = await tokens.authenticate(context.hub, found["token"])
    hub = context.hub
    key = sha256(found["token"].encode()).digest()
    wait = context.rates.take(key, hub.limits.api_calls_per_minute, hub.clock.monotonic())
    if wait:
        raise Unavailable(
            "rate_limited",
            "Too many requests with this token.",
            after=timedelta(seconds=math.ceil(wait)),
        )
    return actor


def _check_scope(actor: Actor, route: Route[Any]) -> None:
    if route.scope is Open.TO_ALL or (actor.scopes is not None and route.scope in actor.scopes):
        return
    raise Refused("scope_missing", "The token lacks the scope '{scope}'.", scope=str(route.scope))


async def _carry_out(
    context: ApiContext, route: Route[Any], effect: Effect[Any], keyed: Keyed | None
) -> Answer:
    hub = context.hub

    def answer(connection: Any, result: Any) -> Answer:
        shown = effect.show(connection, result)
        return Answer(route.status, "" if route.answer is Sends.NOTHING else _text(shown))

    if keyed is not None and effect.one_transaction:
        return await repeats.once(hub, keyed, effect.do, answer)
    result = await effect.do(hub)
    fault("answer.before_kept")
    given = await hub.db.read(lambda connection: answer(connection, result))
    if keyed is not None:
        await repeats.keep(hub, keyed, given)
    return given


def _keyed(actor: Actor, request: web.Request, form: Any, visit: Visit) -> Keyed | None:
    """The name of this request, where its sender gave it one."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if _KEY.fullmatch(key) is None:
        raise Refused(
            "idempotency_key_invalid",
            "An Idempotency-Key has 1 to 255 printable ASCII characters and no spaces.",
        )
    asked = json.dumps(
        [
            request.method,
            request.path,
            form.model_dump(mode="json"),
            sorted(form.model_fields_set),
            [[one.name, one.media_type, one.sha256] for one in visit.files],
        ],
        sort_keys=True,
    )
    return Keyed(actor.ref, key, sha256(asked.encode()).hexdigest())


# --- reading --------------------------------------------------------------------------------


async def _read(
    context: ApiContext, route: Route[Any], request: web.Request
) -> tuple[Any, list[Any]]:
    """The form, and the files that came along."""
    if request.headers.get("Content-Encoding", "identity") != "identity":
        # Otherwise aiohttp would unpack a small body into a huge one.
        raise Refused("unsupported_media_type", "Content codings are not taken here.")
    words = _query(request)
    if route.takes is Takes.QUERY:
        return read_words(route.form, words), []
    is_parts = request.content_type == "multipart/form-data"
    if route.takes is Takes.FILES:
        if is_parts:
            parts = await read_parts(context.hub, request)
            both = {**words, **parts.words}
            return read_words(route.form, both), parts.files
        if "Content-Type" not in request.headers:
            raise _other_type("multipart/form-data, or the media type of the file")
        if not 0 < len(name := words.pop("name", "")) <= _NAME_MAX:
            raise Invalid([{"parameter": "name", "detail": gettext("Name the file.")}])
        form = read_words(route.form, words)
        return form, [await read_whole(context.hub, request, name)]
    if words:
        place = {"parameter": min(words), "detail": gettext("There is no such member here.")}
        raise Invalid([place])
    if is_parts and route.takes is Takes.JSON_OR_PARTS:
        got: Parts = await read_parts(context.hub, request)
        return read_words(route.form, got.words), got.files
    limits = context.hub.limits
    # Files are streamed to the disk; this alone is read into memory.
    with context.places.hold("bodies", limits.api_bodies_at_once):
        body = await bodies.read(request, limits.request_body_bytes, limits.body_s)
    charset = (request.charset or "utf-8").lower()
    if body and (request.content_type != "application/json" or charset != "utf-8"):
        raise _other_type("application/json")
    return read_json(route.form, body), []


def _params(request: web.Request) -> dict[str, str]:
    # PostgreSQL cannot even ask for some characters; nothing is called by their stand-in.
    return {name: strict_json.clean(value) for name, value in request.match_info.items()}


def _other_type(wanted: str) -> Refused:
    return Refused("unsupported_media_type", "Send {wanted}.", wanted=wanted)


def _query(request: web.Request) -> dict[str, str]:
    words: dict[str, str] = {}
    for name, value in request.query.items():
        if name in words:
            detail = gettext("This must not stand twice.")
            raise Invalid([{"parameter": name[:64], "detail": detail}])
        words[name] = value
    return words


def _language(request: web.Request, ours: str) -> str:
    """The language the sender likes best of those we have (RFC 9110 §12.5.4)."""
    best, found = 0.0, ours
    for wish in request.headers.get("Accept-Language", "")[:1000].split(","):
        tag, _, quality = wish.strip().partition(";")
        spoken = tag.strip().lower().partition("-")[0]
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            continue
        if spoken in LANGUAGES and best < weight <= 1:
            best, found = weight, spoken
    return found


# --- answering ------------------------------------------------------------------------------


def _nothing_here(request: web.Request) -> Refused:
    path = request.rel_url.raw_path
    # Of `/links/by-mail` and `/links/{link}` the first is meant, as where a request is answered.
    allowed = sorted({route.method for route in ROUTES if route.full_path == path}) or sorted(
        {
            route.method
            for route in ROUTES
            if re.fullmatch(re.sub(r"{\w+}", "[^/]+", route.full_path), path)
        }
    )
    if not allowed:
        return NotFound("not_found", "There is nothing here.")
    return Refused("method_not_allowed", "Here one can only {allowed}.", allowed=", ".join(allowed))


def _text(found: object) -> str:
    return json.dumps(as_json(found), ensure_ascii=False, separators=(",", ":"))


def _json(answer: Answer) -> web.Response:
    headers = {"idempotency-replayed": "true"} if answer.repeated else {}
    if not answer.body:
        return web.Response(status=answer.status, headers=headers)
    return web.Response(
        status=answer.status,
        headers={**headers, "content-type": "application/json"},
        body=answer.body.encode(),
    )


def _problem(told: Told) -> web.Response:
    body = json.dumps(told.members, ensure_ascii=False, separators=(",", ":"))
    headers = {**told.headers, "content-type": problems.MEDIA_TYPE}
    return web.Response(status=told.status, headers=headers, body=body.encode())


async def _stream(
    context: ApiContext, found: Following, request: web.Request
) -> web.StreamResponse:
    """Tell what is new until the listener goes: server-sent events (HTML §9.2)."""
    response = web.StreamResponse(
        headers={**_HEADERS, "content-type": "text/event-stream", "x-accel-buffering": "no"}
    )
    with (
        context.places.hold("streams", _STREAMS),
        context.hub.wakes.watch(found.topic) as woken,
        contextlib.suppress(ConnectionError),
    ):
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        while True:
            woken.clear()
            for event_id, event, data in await found.look():
                told = f"id: {event_id}\nevent: {event}\ndata: {_text(data)}\n\n"
                await response.write(told.encode())
            try:
                await asyncio.wait_for(woken.wait(), _STILL_THERE_S)
            except TimeoutError:
                await response.write(b": still here\n\n")
    return response


def _file(context: ApiContext, found: Download, request: web.Request) -> web.StreamResponse:
    """The file as an attachment: whatever it contains, no browser may show or run it here."""
    if not context.hub.blobs.has(found.sha256):
        raise Unavailable("storage_unavailable", "The file is not where it was stored.")
    if _is_outside(request, found.size):
        raise Refused("range_not_satisfiable", "The file has {size} bytes.", size=found.size)
    return web.FileResponse(
        context.hub.blobs.path(found.sha256),
        headers={
            "content-type": found.media_type,
            "content-disposition": _disposition(found.name),
            "repr-digest": repr_digest(found.sha256),
        },
    )


def _is_outside(request: web.Request, size: int) -> bool:
    """Whether the range asked for begins behind the end. An unreadable one is no range."""
    try:
        asked = request.http_range
    except ValueError:
        return "Range" in request.headers
    return asked.start is not None and asked.start >= max(size, 1)


_ATTR: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~"
)
"""Bytes that stand for themselves in an extended value (RFC 8187 §3.2.1)."""


def _disposition(name: str) -> str:
    """The name for browsers new and old (RFC 6266 §4.3)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    encoded = name.encode("utf-8", "replace")
    extended = "".join(chr(one) if one in _ATTR else f"%{one:02X}" for one in encoded)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}"
