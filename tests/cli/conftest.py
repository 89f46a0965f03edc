"""The real command line, run in this process, and nodes that are served beside it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import structlog

from hub import app
from hub.cli.root import run
from hub.settings import load

SCHEMAS = Path(__file__).parents[2] / "schemas" / "cli"
_STEPS = frozenset(
    [
        "accept",
        "decline",
        "start",
        "pend",
        "plan",
        "resolve",
        "hand-back",
        "retract",
        "confirm",
        "return",
        "close",
        "cancel",
        "detach",
        "rate",
        "reply",
    ]
)


@dataclass
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def schema_of(argv: tuple[str, ...]) -> str:
    """Which schema the output of this command follows."""
    words = [word for word in argv if not word.startswith("-")]
    noun = words[0]
    if noun == "ticket":
        verb = words[1]
        if verb == "handoff":
            return "ticket-preview" if "--preview" in argv else "ticket-handoff"
        return (
            "ticket-step" if verb in _STEPS else {"edit": "ticket-new"}.get(verb, f"ticket-{verb}")
        )
    if noun == "link" and words[1] in {"confirm", "suspend", "resume", "close"}:
        return "link-show"
    if noun == "webhook":
        shared = dict.fromkeys(("enable", "disable", "remove"), "state") | {"secret": "add"}
        return f"webhook-{shared.get(words[1], words[1])}"
    if noun == "connector":
        shared = dict.fromkeys(("enable", "disable"), "state")
        shared |= dict.fromkeys(("publish", "rollback"), "version")
        return f"connector-{shared.get(words[1], words[1])}"
    if noun == "key":
        return "key-list"
    if noun == "mail" and words[1] in {"retry", "drop"}:
        return "mail-list"
    if noun == "delivery" and words[1] in {"replay", "skip"}:
        return "delivery-list"
    if noun in {"init", "serve", "work", "status", "doctor", "completion", "console"}:
        return noun
    return f"{noun}-{words[1]}"


def follows_schema(name: str, document: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(document)


def hub(*argv: str, data: Path | None = None) -> Ran:
    """One command line, as `hub …` would run it."""
    out, err = io.StringIO(), io.StringIO()
    line = list(argv) + (["--data", str(data)] if data is not None else [])
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = contextvars.copy_context().run(run, line)
    return Ran(code, out.getvalue(), err.getvalue())


@dataclass
class Node:
    """One company's node."""

    name: str
    data: Path
    url: str
    _thread: threading.Thread | None = None
    _stop: Callable[[], None] = field(default=lambda: None)

    def __call__(self, *argv: str, fails: int | None = None) -> Any:
        """Run a command with --json; its document, checked against its schema."""
        ran = hub(*argv, "--json", data=self.data)
        document = ran.json
        if fails is None:
            assert ran.code == 0, ran.out + ran.err
            follows_schema(schema_of(argv), document)
        else:
            assert ran.code == fails, ran.out + ran.err
            follows_schema("problem", document)
        return document

    def say(self, *argv: str) -> Ran:
        """Run a command as people do."""
        return hub(*argv, data=self.data)

    def until(self, argv: tuple[str, ...], holds: Callable[[Any], bool]) -> Any:
        """Ask again until it holds: the nodes work in threads of their own."""
        deadline = time.monotonic() + 20
        while True:
            document = self(*argv)
            if holds(document):
                return document
            assert time.monotonic() < deadline, document

    def ticket(self, number: str, holds: Callable[[Any], bool]) -> Any:
        """The ticket, once this holds of it."""
        return self.until(("ticket", "show", number), holds)

    def in_state(self, number: str, state: str) -> Any:
        """The ticket, once its only hand-off is in this state."""
        return self.ticket(number, lambda t: [h["state"] for h in t["handoffs"]] == [state])

    def at_rest(self) -> None:
        """Return once every message has its receipt."""
        self.until(("status",), lambda s: not any(s["waiting"].values()))

    def serve(self) -> None:
        """Open the doors and turn the workers, in a thread."""
        ready: list[BaseException | None] = []
        begun = threading.Event()

        async def serving() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            self._stop = lambda: loop.call_soon_threadsafe(stop.set)
            async with app.running(load(self.data, {}), {}):
                ready.append(None)
                begun.set()
                await stop.wait()

        def thread() -> None:
            try:
                asyncio.run(serving())
            except BaseException as error:  # noqa: BLE001 - handed to the test
                ready.append(error)
                begun.set()

        self._thread = threading.Thread(target=thread, name=f"serve {self.name}")
        self._thread.start()
        assert begun.wait(20)
        if ready[0] is not None:
            raise ready[0]

    def stop(self) -> None:
        """Close the doors and wait for the workers."""
        if self._thread is not None:
            self._stop()
            self._thread.join(20)
            assert not self._thread.is_alive()
            self._thread = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def found(data: Path, name: str) -> Node:
    """A new node, not served."""
    url = f"http://127.0.0.1:{free_port()}"
    node = Node(name, data, url)
    node("init", "--name", name, "--url", url, "--admin-name", f"Диспетчер {name}")
    return node


def linked(inviter: Node, invitee: Node) -> str:
    """Link two served nodes; the link's id."""
    code = inviter("link", "invite", invitee.name)["code"]
    link = invitee("link", "accept", code, "--yes")
    assert link["state"] == "active"
    return str(link["id"])


@pytest.fixture(autouse=True)
def _a_clean_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("HUB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_LANG", "en")
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node that nobody serves."""
    return found(tmp_path / "node", "Сервис Плюс")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node]]:
    """Two linked companies, served for all stories of one file."""
    root = tmp_path_factory.mktemp("pair")
    before = os.environ.get("HUB_LANG")
    os.environ["HUB_LANG"] = "en"
    nodes = (found(root / "a", "Сервис Плюс"), found(root / "b", "Мастер-Юг"))
    try:
        for one in nodes:
            one.serve()
        linked(*nodes)
        yield nodes
    finally:
        for one in nodes:
            one.stop()
        if before is None:
            os.environ.pop("HUB_LANG", None)
        else:
            os.environ["HUB_LANG"] = before
