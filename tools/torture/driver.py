"""Who drives the nodes from outside, and remembers what they acknowledged.

Every write carries an idempotency key and is repeated under it until it is answered: that is
all a program has to do against crashes. What was answered with success is in the ledger, and
must be there in the end, once.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from tools.torture.nodes import Broken, Node

_PATIENCE_S: Final = 180.0
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_PAUSE_S: Final = 0.05


class Refused(Exception):  # noqa: N818 - what happened
    """The node said no for good."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.code = code


@dataclass
class Said:
    """A comment somebody acknowledged."""

    by: str  # the node it was written at
    comment: str
    body: str
    shared: bool  # both sides see it: public, and said after the offer
    redacted: bool = False


@dataclass
class Sent:
    """A file somebody acknowledged."""

    by: str
    name: str
    sha256: str  # hex


@dataclass
class Case:
    """One ticket of A, handed to B, and everything the driver was told is done about it."""

    title: str
    ticket: str  # A's number
    handoff: str = ""
    steps: list[str] = field(default_factory=list)  # states, in order, as answered
    said: list[Said] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    description: str = ""
    score: int | None = None
    reply: str | None = None


@dataclass
class Ledger:
    """What was acknowledged, and what it took."""

    cases: list[Case] = field(default_factory=list)
    links: int = 0
    acknowledged: int = 0
    repeated: int = 0  # requests that were asked again
    replayed: int = 0  # whose first answer had been lost
    in_doubt: int = 0  # answers that it is not known whether the change was made
    bugs: Counter[str] = field(default_factory=Counter)


class Api:
    """The API of one node, as a patient program uses it."""

    def __init__(self, node: Node, ledger: Ledger) -> None:
        self.node = node
        self.processes = [node]  # that serve it; any of them may be asked
        self._ledger = ledger
        self._chance = random.Random(node.port)

    def get(self, path: str) -> Any:
        """What is there now."""
        return self._ask("GET", path, b"", {})

    def find(self, path: str) -> Any | None:
        """The same, None where there is nothing."""
        try:
            return self.get(path)
        except Refused as error:
            if error.code == "not_found":
                return None
            raise

    def post(self, path: str, **said: Any) -> Any:
        """Do something, exactly once."""
        return self._write("POST", path, said)

    def patch(self, path: str, **said: Any) -> Any:
        """Change something, exactly once."""
        return self._write("PATCH", path, said)

    def delete(self, path: str) -> None:
        """Take something back."""
        self._ask("DELETE", path, b"", {"Idempotency-Key": uuid.uuid4().hex})
        self._ledger.acknowledged += 1

    def upload(self, ticket: str, name: str, content: bytes) -> Any:
        """Put a file on a ticket."""
        done = self._ask(
            "POST",
            f"/tickets/{ticket}/files?name={quote(name)}",
            content,
            {"Content-Type": "text/plain", "Idempotency-Key": uuid.uuid4().hex},
        )
        self._ledger.acknowledged += 1
        return done

    def download(self, ticket: str, name: str) -> bytes:
        """The bytes of a file."""
        return self._raw("GET", f"/tickets/{ticket}/files/{quote(name)}", b"", {})

    def until(self, path: str, holds: Callable[[Any], bool]) -> Any:
        """What is there, once this holds of it."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            found = self.find(path)
            if found is not None and holds(found):
                return found
            if time.monotonic() > deadline:
                shown = json.dumps(found, ensure_ascii=False)[:1500]
                raise Broken(f"{self.node.name}{path} never becomes what it must: {shown}")
            time.sleep(_PAUSE_S)

    def _write(self, method: str, path: str, said: dict[str, Any]) -> Any:
        done = self._ask(
            method,
            path,
            json.dumps(said).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex},
        )
        self._ledger.acknowledged += 1
        return done

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
        raw = self._raw(method, path, body, headers)
        return json.loads(raw) if raw else None

    def _raw(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        deadline = time.monotonic() + _PATIENCE_S
        lost = False
        while True:
            trouble = ""
            try:
                asked = self._chance.choice(self.processes)
                status, raw = asked.request(method, "/api/v1" + path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                trouble = str(error) or type(error).__name__
                lost = True
            else:
                if status < 300:
                    self._ledger.replayed += lost and method != "GET"
                    return raw
                told = json.loads(raw)
                trouble = f"{status} {told.get('code')}"
                self._ledger.in_doubt += told.get("code") == "outcome_unknown"
                if status == 500:
                    self._ledger.bugs[f"{self.node.name} {method} {path.split('/')[1]}: 500"] += 1
                if status not in _AGAIN:
                    raise Refused(status, told.get("code", ""), f"{path} {told.get('detail')}")
            self._ledger.repeated += 1
            if time.monotonic() > deadline:
                raise Broken(f"{self.node.name} {method} {path}: no answer, last {trouble}")
            time.sleep(_PAUSE_S)


class Driver:
    """Two companies at work: A hands off, B does."""

    def __init__(self, a: Node, b: Node, seed: int) -> None:
        self.ledger = Ledger()
        self.a, self.b = Api(a, self.ledger), Api(b, self.ledger)
        self.chance = random.Random(seed)
        self.link = ""
        self._counter = 0

    def words(self, what: str) -> str:
        """Something nobody has said before."""
        self._counter += 1
        return f"{what} {self._counter} {self.chance.getrandbits(48):012x}"

    def handshake(self) -> str:
        """A new link between the two, active on both sides; its id."""
        for _ in range(20):
            code = self.a.post("/invitations", peer=self.b.node.name)["code"]
            link = self._accept(code)
            if link is not None:
                break
        else:
            raise Broken("no invitation becomes a link")
        for side in (self.a, self.b):
            side.until(f"/links/{link}", lambda one: one["state"] == "active")
        self.ledger.links += 1
        self.link = self.link or link
        return link

    def _accept(self, code: str) -> str | None:
        """The link this code becomes, however often it takes; None where the code is dead."""
        before = {one["id"] for one in self.b.get("/links")["items"]}
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                return str(self.b.post("/links", code=code, confirm=True)["id"])
            except Refused as error:
                if error.code == "invite_expired":
                    return None
                if error.code == "already_linked":
                    # The link came to be; the crash took the answer along, and a second
                    # acceptance of a code has another one: there is that link.
                    fresh = [
                        one["id"]
                        for one in self.b.get("/links")["items"]
                        if one["id"] not in before
                    ]
                    self.ledger.replayed += 1
                    return str(fresh[0])
                time.sleep(_PAUSE_S)  # an answer that was changed on the way is not believed
        raise Broken("the handshake never ends")

    # --- one case, from the first word to the last ---------------------------------------------

    def _open(self, link: str, *, with_file: bool) -> Case:
        title = self.words("printer")
        case = Case(title, self.a.post("/tickets", title=title)["number"])
        self.ledger.cases.append(case)
        self.comment(case, self.a)
        if with_file:
            self.file(case, self.a)
        offered = self.a.post(f"/tickets/{case.ticket}/handoffs", peer=link)
        case.handoff = offered["id"]
        case.steps.append("offered")
        self.b.until(f"/handoffs/{case.handoff}", lambda one: one["state"] == "offered")
        return case

    def theirs(self, case: Case) -> str:
        """B's number of the ticket."""
        found = self.a.until(f"/handoffs/{case.handoff}", lambda one: one["peer_number"])
        return str(found["peer_number"])

    def comment(self, case: Case, side: Api, *, public: bool = True) -> Said:
        """Say something on it."""
        body = self.words("said")
        ticket = case.ticket if side is self.a else self.theirs(case)
        visibility = "public" if public else "internal"
        made = side.post(f"/tickets/{ticket}/comments", body=body, visibility=visibility)
        said = Said(side.node.name, made["id"], body, public and bool(case.handoff))
        case.said.append(said)
        return said

    def edit(self, side: Api, said: Said) -> None:
        """Say it otherwise."""
        body = self.words("rather")
        side.patch(f"/comments/{said.comment}", body=body)
        said.body = body

    def redact(self, side: Api, said: Said) -> None:
        """Take it back."""
        side.delete(f"/comments/{said.comment}")
        said.redacted = True

    def file(self, case: Case, side: Api, size: int = 0) -> None:
        """Put a file on it."""
        size = size or self.chance.choice([1, 3_000, 65_535, 65_536, 65_537, 400_000])
        content = self.chance.randbytes(size)
        name = self.words("photo").replace(" ", "-") + ".bin"
        ticket = case.ticket if side is self.a else self.theirs(case)
        side.upload(ticket, name, content)
        case.sent.append(Sent(side.node.name, name, hashlib.sha256(content).hexdigest()))

    def act(self, case: Case, side: Api, verb: str, becomes: str, **said: Any) -> None:
        """A step of the hand-off, once the acting side sees that it is its turn."""
        side.until(f"/handoffs/{case.handoff}", lambda one: one["state"] == case.steps[-1])
        side.post(f"/handoffs/{case.handoff}/{verb}", **said)
        case.steps.append(becomes)

    def whole_story(self, link: str) -> None:
        """Every operation two companies have, on one ticket."""
        a, b = self.a, self.b
        case = self._open(link, with_file=True)
        self.comment(case, a, public=False)
        self.act(case, b, "accept", "accepted")
        self.act(case, b, "start", "in_progress", plan="today")
        b.post(f"/handoffs/{case.handoff}/plan", stage="on the way")
        mine, theirs = self.comment(case, a), self.comment(case, b)
        self.comment(case, b, public=False)
        self.edit(a, mine)
        self.edit(b, theirs)
        self.redact(a, self.comment(case, a))
        self.file(case, b)
        case.description = self.words("rather this")
        a.patch(f"/tickets/{case.ticket}", description=case.description)
        self.act(case, b, "pend", "pending", reason="awaiting_parts")
        self.act(case, b, "start", "in_progress")
        self.act(case, b, "resolve", "resolved", resolution="done")
        self.act(case, a, "return", "rework", reason="not done")
        self.act(case, b, "start", "in_progress")
        self.act(case, b, "resolve", "resolved", resolution="done indeed")
        self.act(case, a, "confirm", "confirmed", score=3)
        a.post(f"/handoffs/{case.handoff}/rate", score=4, text=self.words("well"))
        case.score = 4
        b.until(f"/handoffs/{case.handoff}", lambda one: (one["rating"] or {}).get("score") == 4)
        case.reply = self.words("thanks")
        b.post(f"/handoffs/{case.handoff}/reply", text=case.reply)
        self.act(case, a, "close", "closed")

    def short_story(self, link: str, how: str) -> None:
        """A case that ends early."""
        case = self._open(link, with_file=False)
        if how == "decline":
            self.act(case, self.b, "decline", "declined", code="capacity")
            return
        if how == "cancel":
            self.act(case, self.a, "cancel", "cancelled", reason="works again")
            return
        self.act(case, self.b, "accept", "accepted")
        self.act(case, self.b, "start", "in_progress")
        self.comment(case, self.b)
        self.act(case, self.b, "hand-back", "handed_back", reason="not ours")

    def round(self, n: int, *, link: bool = False) -> None:
        """Every operation once; a handshake in the first round and where a new link is asked for.

        Not in all of them: a node that starts syncs every link it has.
        """
        if link or not self.link:
            self.handshake()
        self.whole_story(self.link)
        self.short_story(self.link, ("decline", "cancel", "hand_back")[n % 3])
