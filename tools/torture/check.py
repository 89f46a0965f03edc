"""What must hold in the end: the ledger against both nodes, and both nodes against each other.

Everything is asked of the nodes from outside, but for what no door shows: the positions of the
streams and the integrity of the database, which are read from it directly.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
from collections import Counter
from typing import Any, Final

from sqlalchemy import text

from hub.storage.database import Connection, open_database
from tools.torture.driver import Api, Case, Driver
from tools.torture.nodes import Node

_SETTLES_S: Final = 120.0
_SHARED: Final = (
    "state", "since", "round", "rating", "due_requested", "due_promised", "eta", "stage", "plan",
    "pend_reason", "resolution", "reason", "request",
)  # fmt: skip


_ENDED_BY_B: Final = frozenset({"declined", "handed_back"})  # A's people must offer it anew
_SOUND: Final = frozenset({"audit", "integrity", "durability"})


def settled(driver: Driver) -> list[str]:
    """Wait until nothing is on its way any more; what still is."""
    deadline = time.monotonic() + _SETTLES_S
    while True:
        waiting = [
            f"{api.node.name}: {len(found)} messages {state}"
            for api in (driver.a, driver.b)
            for state in ("queued", "sent")
            if (found := api.get(f"/deliveries?state={state}")["items"])
        ]
        for case in driver.ledger.cases:
            for api, view in _views(driver, case) if case.sent and not waiting else ():
                waiting += [
                    f"{api.node.name}: file {one['name']} {one['state']}"
                    for one in view["attachments"]
                    if one["state"] in {"announced", "fetching"}
                ]
        if not waiting or time.monotonic() > deadline:
            return waiting
        time.sleep(0.3)


def check(driver: Driver) -> list[str]:
    """Everything that is wrong."""
    problems = settled(driver)
    for case in driver.ledger.cases:
        problems += _case(driver, case)
    problems += _once(driver)
    ended = sum(case.steps[-1] in _ENDED_BY_B for case in driver.ledger.cases if case.steps)
    problems += _people(driver.a, {"handoff_ended": ended}) + _people(driver.b, {})
    return problems + _streams(driver)


def after_stop(*nodes: Node) -> list[str]:
    """What is wrong with nodes that were stopped: the audit chain, the database itself."""
    problems = []
    for node in nodes:
        _, said = node.run("doctor", "--json")
        found = json.loads(said)
        if "checks" not in found:
            problems.append(f"{node.name}: doctor fails: {said[:300]}")
            continue
        problems += [
            f"{node.name}: doctor: {one['check']}: {one['fact']}"
            for one in found["checks"]
            if one["state"] == "failed" and one["check"] in _SOUND
        ]
        looked = {one["check"] for one in found["checks"]}
        problems += [f"{node.name}: doctor did not look at {one}" for one in _SOUND - looked]
        if not node.database:
            with sqlite3.connect(node.data / "hub.db") as connection:
                (said,) = connection.execute("PRAGMA integrity_check").fetchone()
            if said != "ok":
                problems.append(f"{node.name}: integrity_check: {said}")
    return problems


def _views(driver: Driver, case: Case) -> list[tuple[Api, Any]]:
    found = [(driver.a, driver.a.get(f"/tickets/{case.ticket}"))]
    number = next(
        (one["peer_number"] for one in found[0][1]["handoffs"] if one["id"] == case.handoff), None
    )
    if number is not None:
        found.append((driver.b, driver.b.get(f"/tickets/{number}")))
    return found


def _case(driver: Driver, case: Case) -> list[str]:
    """I1, I2 and I3 of one ticket."""
    views = _views(driver, case)
    if case.handoff and len(views) < 2:
        return [f"{case.ticket}: B's ticket is unknown to A"]
    problems = []
    for api, view in views:
        problems += [f"{api.node.name} {view['number']}: {one}" for one in _held(api, view, case)]
    if len(views) == 2:
        (_, mine), (_, theirs) = views
        ours, there = _projection(mine, case), _projection(theirs, case)
        problems += [
            f"{case.ticket}: {name}: A has {ours[name]!r}, B has {there[name]!r}"
            for name in ours
            if ours[name] != there[name]
        ]
    return problems


def _held(api: Api, view: Any, case: Case) -> list[str]:
    """What one side must have of a case."""
    problems = []
    bodies = Counter(one["body"] for one in view["comments"] if not one["redacted"])
    for said in case.said:
        mine = said.by == api.node.name
        wanted = 1 if (said.shared or mine) and not said.redacted else 0
        if bodies.pop(said.body, 0) != wanted:
            problems.append(f"comment {said.body!r} is not there {wanted} times")
    problems += [f"nobody was told of comment {body!r}" for body in bodies]
    redacted = sum(one["redacted"] for one in view["comments"])
    if redacted != sum(one.redacted for one in case.said):
        problems.append(f"{redacted} comments are taken back")
    files = Counter((one["name"], one["sha256"], one["state"]) for one in view["attachments"])
    wanted_files = Counter((one.name, one.sha256, "available") for one in case.sent)
    if files != wanted_files:
        problems.append(f"files are {dict(files)}, acknowledged were {dict(wanted_files)}")
    else:
        problems += [
            f"the bytes of {one.name} are others"
            for one in case.sent
            if hashlib.sha256(api.download(view["number"], one.name)).hexdigest() != one.sha256
        ]
    if case.description and view["description"] != case.description:
        problems.append(f"description is {view['description']!r}")
    if not case.handoff:
        return problems
    (handoff,) = [one for one in view["handoffs"] if one["id"] == case.handoff]
    if handoff["state"] != case.steps[-1]:
        problems.append(f"state is {handoff['state']}, acknowledged was {case.steps[-1]}")
    steps = [one["after"] for one in view["history"] if one["after"] != one["before"]]
    if steps != case.steps:
        problems.append(f"steps are {steps}, acknowledged were {case.steps}")
    rating = handoff["rating"] or {}
    if case.score is not None and rating.get("score") != case.score:
        problems.append(f"rating is {rating}")
    if case.reply is not None and rating.get("reply") != case.reply:
        problems.append(f"reply is {rating.get('reply')!r}")
    return problems


def _projection(view: Any, case: Case) -> dict[str, Any]:
    """What both sides must tell alike (I3)."""
    (handoff,) = [one for one in view["handoffs"] if one["id"] == case.handoff]
    internal = {one.body for one in case.said if not one.shared}
    return {name: handoff[name] for name in _SHARED} | {
        "title": view["title"],
        "comments": [
            (one["body"], one["author"], one["at"], one["rev"], one["redacted"])
            for one in view["comments"]
            if one["body"] not in internal
        ],
        "files": sorted((one["name"], one["sha256"], one["size"]) for one in view["attachments"]),
    }


def _once(driver: Driver) -> list[str]:
    """I2: one ticket on each side for each case, and none that nobody asked for."""
    problems = []
    handed = Counter(case.title for case in driver.ledger.cases if case.handoff)
    made = Counter(case.title for case in driver.ledger.cases)
    for api, wanted in ((driver.a, made), (driver.b, handed)):
        found = Counter(one["title"] for one in _all(api, "/tickets"))
        problems += [
            f"{api.node.name}: ticket {title!r} is there {found[title]} times"
            for title in found.keys() | wanted.keys()
            if found[title] != wanted[title]
        ]
    return problems


def _all(api: Api, path: str) -> list[Any]:
    found: list[Any] = []
    page = api.get(f"{path}?limit=200")
    while True:
        found += page["items"]
        if not page.get("next"):
            return found
        page = api.get(f"{path}?limit=200&cursor={page['next']}")


def _people(api: Api, wanted: dict[str, int]) -> list[str]:
    """I6: what people must hear of they hear of, once; and here nothing may be given up."""
    problems = [
        f"{api.node.name}: {state} message {one['type']}: {one.get('last_error')}"
        for state in ("failed", "parked")
        for one in api.get(f"/deliveries?state={state}")["items"]
    ]
    alerts = Counter(one["kind"] for one in api.get("/alerts")["items"])
    if alerts != Counter({kind: count for kind, count in wanted.items() if count}):
        problems.append(f"{api.node.name}: alerts are {dict(alerts)}, must be {wanted}")
    return problems


def _streams(driver: Driver) -> list[str]:
    """Both ends of every stream hold the same messages: no position was used twice."""
    one, other = _positions(driver.a.node), _positions(driver.b.node)
    problems = []
    for way, sent, taken in (("A to B", one[0], other[1]), ("B to A", other[0], one[1])):
        if sent != taken:
            differing = sorted(sent.items() ^ taken.items())[:4]
            problems.append(f"{way}: {len(sent)} sealed, {len(taken)} stored, first {differing}")
    return problems


Positions = dict[tuple[str, int], str]


def _positions(node: Node) -> tuple[Positions, Positions]:
    """(link, seq) → hash of what was sealed, and of what was taken."""

    def rows(connection: Connection, table: str) -> Positions:
        found = connection.execute(text(f"SELECT link_id, seq, hash FROM {table}"))
        return {(link, seq): hash_ for link, seq, hash_ in found}

    async def read() -> tuple[Positions, Positions]:
        db = open_database(node.database, node.data, lambda _topics: None)
        try:
            return await db.read(lambda one: (rows(one, "outbox"), rows(one, "inbox")))
        finally:
            await db.close()

    return asyncio.run(read())
