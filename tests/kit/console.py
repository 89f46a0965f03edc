"""A node's console over HTTP, and people who are signed in to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Self

import aiohttp
from aiohttp import web

from hub import app
from hub.actions import access, agents
from hub.actions.access import Purpose
from hub.actions.context import Actor
from hub.actions.sessions import Browser
from tests.kit.network import Company

PASSWORD = "лошадь скрепка батарея"


@dataclass
class Answer:
    """What a page answered."""

    status: int
    text: str
    headers: Any
    url: str

    @property
    def words(self) -> str:
        """The text a person reads."""
        bare = re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]*>", " ", self.text, flags=re.DOTALL)
        return " ".join(unescape(bare).split())

    @property
    def location(self) -> str:
        """Where it leads."""
        return str(self.headers.get("Location", ""))


@dataclass
class Person:
    """Somebody with a browser of their own; of a stranger, nobody is signed in."""

    console: Console
    actor: Actor | None
    session: aiohttp.ClientSession

    async def ask(
        self,
        method: str,
        path: str,
        data: Any = None,
        *,
        headers: dict[str, str] | None = None,
        follow: bool = False,
    ) -> Answer:
        """The answer to this request; of a stream of events its head. Forms are as from our pages.

        A header without a value is not sent at all.
        """
        said = {"Sec-Fetch-Site": "same-origin", **(headers or {})}
        said = {name: value for name, value in said.items() if value}
        async with self.session.request(
            method, self.console.url + path, data=data, headers=said, allow_redirects=follow
        ) as response:
            endless = response.content_type == "text/event-stream"
            text = "" if endless else (await response.read()).decode("utf-8", "replace")
            return Answer(response.status, text, response.headers, str(response.url))

    async def get(self, path: str, **how: Any) -> Answer:
        """The page at this path."""
        return await self.ask("GET", path, **how)

    async def post(self, path: str, data: Any = None, **how: Any) -> Answer:
        """What the form at this path answers."""
        return await self.ask("POST", path, data or {}, **how)

    async def read(self, path: str) -> str:
        """The words of a page that is there."""
        found = await self.get(path)
        assert found.status == 200, f"{path}: {found.status} {found.words[:300]}"
        return found.words

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser keeps for us."""
        return {one.key: one.value for one in self.session.cookie_jar}

    def keep(self, token: str) -> None:
        """Be signed in with this session from now on."""
        name = self.console.cookie
        self.session.cookie_jar.update_cookies({name: token}, _url(self.console.url))


def _url(text: str) -> Any:
    from yarl import URL

    return URL(text)


@dataclass
class Console:
    """One company's console, served on this machine."""

    company: Company
    url: str
    runner: web.AppRunner
    people: list[Person] = field(default_factory=list)

    @classmethod
    async def serve(cls, company: Company, transport: Any = None) -> Self:
        """Serve it on a free port; `transport` is how its doors call others."""
        runner = app.web_runner(company.hub, company.settings, transport or company.transport)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = site._server.sockets[0].getsockname()[:2]
        return cls(company, f"http://{host}:{port}", runner)

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return f"hub-{self.company.hub.account.node_id[:8]}"

    def stranger(self) -> Person:
        """Somebody who is not signed in."""
        jar = aiohttp.CookieJar(unsafe=True)
        made = Person(self, None, aiohttp.ClientSession(cookie_jar=jar))
        self.people.append(made)
        return made

    async def person(self, role: str = "dispatcher", name: str = "") -> Person:
        """A signed-in agent of this role, with a password (`PASSWORD`)."""
        actor, token = await self.enter(role, name)
        made = self.stranger()
        made.actor = actor
        made.keep(token)
        return made

    async def enter(self, role: str = "dispatcher", name: str = "") -> tuple[Actor, str]:
        """A new agent who has chosen a password; their session's token."""
        hub, admin = self.company.hub, self.company.dispatcher
        number = len(self.people) + 1
        name = name or f"{role.title()} {number}"
        email = (
            f"{role}{number}-{hub.entropy.bytes(3).hex()}@{hub.account.node_id[:6].lower()}.example"
        )
        agent_id = await agents.add(hub, admin, email=email, name=name, role=role)
        link = await access.make(hub, admin, agent_id, Purpose.INVITE)
        opened = await access.enter(hub, link.token, Browser("Tests", "127.0.0.1"), PASSWORD)
        return Actor(agent_id, name, role), opened.token

    async def close(self) -> None:
        """Close the doors, and everybody's browser."""
        for one in self.people:
            await one.session.close()
        await self.runner.cleanup()
