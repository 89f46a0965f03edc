"""How requests prove who we are: each kind of authentication adds its part to a request.

A token that was refreshed is kept before it is used: a desk that changes the refresh token with
every use would lock us out otherwise.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from connectors.contract import Host, Misconfigured, Request, Unavailable
from connectors.rest import sandbox, values
from connectors.rest.description import (
    BasicAuth,
    BearerAuth,
    Description,
    KeyAuth,
    OAuth,
    SessionAuth,
    Step,
)

Ask = Callable[[Request], Awaitable[tuple[int, Any]]]
"""One request without authentication: its status and parsed body. Raises where it should wait."""

Perform = Callable[[Step, Mapping[str, Any]], Awaitable[Any]]
"""One step of a description without authentication: its parsed answer."""


@dataclass(slots=True)
class Proof:
    """What is added to a request."""

    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: dict[str, str] = field(default_factory=dict)

    def put(self, place: str, name: str, value: str) -> Proof:
        """Add one thing where it belongs."""
        {"header": self.headers, "query": self.query, "json": self.body}[place][name] = value
        return self


class Secrets:
    """The secrets of one desk, read once; takes them out of whatever is logged."""

    def __init__(self, description: Description, host: Host) -> None:
        self._host = host
        self.values = {name: host.vault.read(name) or "" for name in description.secrets}
        self._more: set[str] = set()

    def learn(self, secret: str) -> None:
        """From now on this is secret, too."""
        if len(secret) > 5:
            self._more.add(secret)

    def scrub(self, text: str) -> str:
        """The text without any of them."""
        for secret in (*self.values.values(), *self._more):
            if len(secret) > 3:
                text = text.replace(secret, "•••")
        return text


class Access:
    """The proof for the next request, renewed when it is spent."""

    def __init__(
        self, description: Description, host: Host, secrets: Secrets, ask: Ask, perform: Perform
    ) -> None:
        self._auth, self._host, self._secrets = description.auth, host, secrets
        self._ask, self._perform = ask, perform
        self._token = ""

    @property
    def renewable(self) -> bool:
        """Whether being turned away may only mean that the token is spent."""
        return isinstance(self._auth, OAuth | SessionAuth)

    def spent(self) -> None:
        """The token is no good any more."""
        self._token = ""

    def expired(self, status: int, answer: Any) -> bool:
        """Whether this answer says so."""
        auth = self._auth
        if isinstance(auth, SessionAuth):
            told = auth.expired_if and sandbox.expression(auth.expired_if).value({"answer": answer})
            return status in auth.expired or bool(told)
        return status == 401

    async def proof(self) -> Proof:
        """What to add to a request.

        Raises:
            Misconfigured: a secret is missing or not accepted.
        """
        auth, scope = self._auth, self._scope()
        if isinstance(auth, BasicAuth):
            pair = f"{self._said(auth.user, scope)}:{self._said(auth.password, scope)}"
            coded = base64.b64encode(pair.encode()).decode()
            self._secrets.learn(coded)
            return Proof().put("header", "Authorization", f"Basic {coded}")
        if isinstance(auth, BearerAuth):
            value = f"{auth.scheme} {self._said(auth.token, scope)}"
            return Proof().put("header", "Authorization", value)
        if isinstance(auth, KeyAuth):
            return Proof().put(auth.place, auth.name, self._said(auth.value, scope))
        if isinstance(auth, OAuth):
            self._token = self._token or await self._oauth(auth, scope)
            return Proof().put("header", "Authorization", f"Bearer {self._token}")
        if isinstance(auth, SessionAuth):
            self._token = self._token or await self._login(auth, scope)
            value = sandbox.text(auth.value).value({**scope, "token": self._token})
            return Proof().put(auth.place, auth.name, value)
        return Proof()

    def _scope(self) -> dict[str, Any]:
        return {"secret": self._secrets.values, "settings": dict(self._host.settings)}

    def _said(self, words: str, scope: Mapping[str, Any]) -> str:
        value = sandbox.text(words).value(scope)
        if not value:
            raise Misconfigured("secret_missing", "A password or key for the desk is missing")
        return value

    async def _oauth(self, auth: OAuth, scope: Mapping[str, Any]) -> str:
        form = {
            "grant_type": auth.grant,
            "client_id": self._said(auth.client_id, scope),
            "client_secret": self._said(auth.client_secret, scope),
        }
        if auth.scope:
            form["scope"] = auth.scope
        if auth.grant == "refresh_token":
            form["refresh_token"] = self._host.vault.read(auth.refresh_secret) or ""
        status, answer = await self._ask(
            Request(
                "POST",
                sandbox.text(auth.token_url).value(scope),
                {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
                urlencode(form).encode(),
                safe=sandbox.text(auth.token_url).value({**scope, "secret": {}}),
            )
        )
        if 400 <= status < 500 and status != 409:
            raise Misconfigured(
                "not_let_in", "The desk does not accept the user or key", because=f"token: {status}"
            )
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise Unavailable("no_token", "The desk has trouble of its own", because=f"{status}")
        refreshed = answer.get("refresh_token")
        if isinstance(refreshed, str) and refreshed and auth.grant == "refresh_token":
            self._secrets.learn(refreshed)
            await self._host.vault.write(auth.refresh_secret, refreshed)
        self._secrets.learn(token)
        return token

    async def _login(self, auth: SessionAuth, scope: Mapping[str, Any]) -> str:
        answer = await self._perform(auth.login, scope)
        token = values.picked_text(auth.token, {"answer": answer})
        if not token:
            raise Misconfigured(
                "not_let_in",
                "The desk does not accept the user or key",
                because=self._secrets.scrub(json.dumps(answer, ensure_ascii=False)[:200]),
            )
        self._secrets.learn(token)
        return token
