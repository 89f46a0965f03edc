"""What a page of the console is, and what its handlers get and give.

A handler is thin: form → wish → action → what to show. Who may use a page has no default: it is
said in the table (`routes.py`) or the page cannot be written. Handlers let errors rise, unless a
form wants to show them beside its fields.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from hub import bodies
from hub.actions.context import Actor, Hub
from hub.actions.desk_bench import DeskBench
from hub.actions.sessions import Browser, Present
from hub.actions.thumbnails import Thumbnailer
from hub.domain.limits import Buckets, Places
from hub.domain.permission import Permission, may
from hub.errors import Refused, Unavailable, Untrusted
from hub.ids import LinkId
from hub.protocol import strict_json
from hub.settings import Settings

if TYPE_CHECKING:
    from hub.console.rendering import Renderer

LANGUAGE_COOKIE: Final = "hub-language"  # what somebody chose who is not signed in

AcceptInvitation = Callable[[Actor, str, Callable[[str], None]], Awaitable[LinkId]]
"""Take an invitation code, telling each step: it talks to the partner's node, and signs nothing."""

ConfirmLink = Callable[[Actor, LinkId], Awaitable[None]]
"""Sign the agreement and exchange signatures with the partner's node, if it answers."""


@dataclass(frozen=True, slots=True)
class ConsoleContext:
    """The node behind the console, and the doings that need another door."""

    hub: Hub
    settings: Settings
    accept_invitation: AcceptInvitation
    confirm_link: ConfirmLink
    desks: DeskBench
    renderer: Renderer
    rates: Buckets = field(default_factory=lambda: Buckets(10_000))  # sign-ins
    places: Places = field(default_factory=Places)
    thumbnails: Thumbnailer = field(default_factory=Thumbnailer)

    @property
    def secure(self) -> bool:
        """Whether browsers reach us over TLS; only a try-out on this machine does without."""
        return not self.settings.url.startswith("http://")

    @property
    def cookie(self) -> str:
        """The name of the session's cookie. Cookies of one host do not know ports."""
        return "__Host-hub" if self.secure else f"hub-{self.hub.account.node_id[:8]}"


class Open(Enum):
    """Said of a page that needs no session."""

    TO_ALL = "open"


@dataclass(frozen=True, slots=True)
class Shown:
    """A template and what it is given."""

    template: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Toast:
    """One sentence on the next page: what was done, and for ten seconds how to undo it."""

    text: str
    undo: str = ""  # path of a page that takes it back by POST
    good: bool = True


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on there; the path is one of ours."""

    path: str
    toast: Toast | None = None


Answer = Shown | Redirect | web.StreamResponse
"""What a handler gives back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One method and path. Who may use it has no default: it must be said."""

    name: str
    method: str
    path: str  # with {names}
    may: Permission | Open
    handler: Callable[[Visit], Awaitable[Answer]]
    streams: bool = False  # its handler reads the body by itself: files
    from_anywhere: bool = False  # programs without a page of ours call it; its path is the proof


def page_for(
    may: Permission | Open,
) -> Callable[[str, str, str, Callable[[Visit], Awaitable[Answer]]], Page]:
    """How pages are written of which all are for the same people: name, method, path, handler."""

    def page(
        name: str, method: str, path: str, handler: Callable[[Visit], Awaitable[Answer]]
    ) -> Page:
        return Page(name=name, method=method, path=path, may=may, handler=handler)

    return page


@dataclass(slots=True)
class Visit:
    """A request whose sender is known and allowed; of an open page, perhaps nobody."""

    context: ConsoleContext
    request: web.Request
    page: Page
    who: Present | None
    language: str
    zone: tzinfo
    address: str  # of who asks, as far as our proxies vouch for it
    cookies: dict[str, str | None] = field(default_factory=dict)  # to set; None: to drop
    alarms: int = 0  # that nobody knows of yet, where who asks may see them
    _form: Mapping[str, list[str]] | None = None

    @property
    def hub(self) -> Hub:
        """The node behind the door."""
        return self.context.hub

    @property
    def actor(self) -> Actor:
        """Who is signed in. Raises Untrusted(session_over) where nobody is."""
        return self.present.actor

    @property
    def present(self) -> Present:
        """Who is signed in, and with which session."""
        if self.who is None:
            raise Untrusted("session_over", "Please sign in.")
        return self.who

    @property
    def browser(self) -> Browser:
        """What the request came with."""
        return Browser(self.request.headers.get("User-Agent", ""), self.address)

    @property
    def is_partial(self) -> bool:
        """Whether a page asks for a piece of itself."""
        return self.request.headers.get("HX-Request") == "true"

    def paced(self, what: str, per_minute: int) -> None:
        """Count one try of this caller. Raises Unavailable(rate_limited) past so many a minute."""
        key = f"{what} {self.address}".encode()
        wait = self.context.rates.take(key, per_minute, self.hub.clock.monotonic())
        if wait:
            raise Unavailable(
                "rate_limited", "Too many requests.", after=timedelta(seconds=math.ceil(wait))
            )

    def may(self, permission: Permission | str) -> bool:
        """Whether who is signed in may do this."""
        return self.who is not None and may(self.who.actor.role, Permission(permission))

    def param(self, name: str) -> str:
        """A part of the path."""
        # PostgreSQL cannot even ask for some characters; nothing is called by their stand-in.
        return strict_json.clean(self.request.match_info[name])

    def query(self, name: str, default: str = "") -> str:
        """A word behind the path's question mark."""
        return strict_json.clean(self.request.query.get(name, default))

    async def form(self) -> Mapping[str, list[str]]:
        """The words of a submitted form, by name. Raises Refused where it is none or too large."""
        if self._form is None:
            limits = self.hub.limits
            if self.request.content_type not in {
                "application/x-www-form-urlencoded",
                "application/octet-stream",  # none was said: there is no body
            }:
                raise Refused(
                    "unsupported_media_type",
                    "Send {wanted}.",
                    wanted="application/x-www-form-urlencoded",
                )
            with self.context.places.hold("bodies", limits.api_bodies_at_once):
                body = await bodies.read(self.request, limits.request_body_bytes, limits.body_s)
            self._form = _words(body)
        return self._form

    async def word(self, name: str, default: str = "") -> str:
        """One word of the submitted form, without space around it."""
        found = (await self.form()).get(name)
        return found[-1].strip() if found else default

    async def words(self, name: str) -> list[str]:
        """Every word of this name, as of boxes that are ticked."""
        return list((await self.form()).get(name, ()))


def _words(body: bytes) -> dict[str, list[str]]:
    from urllib.parse import parse_qs

    try:
        found = parse_qs(
            body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=2000
        )
    except ValueError as error:
        raise Untrusted("malformed", "The form cannot be read.") from error
    if any("\x00" in text for name, texts in found.items() for text in (name, *texts)):
        raise Untrusted("malformed", "The form cannot be read.")
    return found
