"""kill -9 at every fault point, and at any time: F1."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hub import faults
from tools.torture import check
from tools.torture.child import COUNTS, Program
from tools.torture.nodes import Broken, Death, Node, any_time
from tools.torture.rig import Outcome, Pair, pair

_BEGINNING: Final = ("keystore.", "founding.", "migration.")
_LINKING: Final = ("handshake.", "answer.before_kept")  # passed only where a link begins
_LINE_RATE: Final = 0.05  # the line is a little bad as well
_ROUNDS_FOR_ONE: Final = 2  # whole rounds a process may live on in spite of its order


def kills(
    outcome: Outcome,
    root: Path,
    seed: int,
    count: int,
    databases: tuple[str, str] = ("", ""),
    empty: tuple[str, str] = ("", ""),
    *,
    polling: bool = False,
) -> None:
    """Two nodes work while each is killed at point after point; `count` deaths in all."""
    chance = random.Random(seed)
    passed = _counted(root / "counted", seed, empty, polling=polling)
    with pair(root / "killed", seed, rate=_LINE_RATE, databases=databases, polling=polling) as two:
        for node, counts in zip(two.nodes, passed, strict=True):
            node.deaths.extend(_orders(counts, chance, count // 2))
            node.kill()  # the next process has the first order
        missed = _work(two)
        died = two.a.died + two.b.died
        named = {how.partition(":")[0] for how in died if ":" in how}
        reachable = {point for counts in passed for point in counts}
        outcome.figures |= {
            "kills": two.kills(),
            "at_points": sum(count for how, count in died.items() if ":" in how),
            "points": len(named),
            "points_passed_at_all": len(reachable),
            "orders_not_reached": sorted(missed),
        }
        two.finish(outcome)
        if two.kills() < count:
            outcome.problems.append(f"only {two.kills()} of {count} kills")


def _counted(
    root: Path, seed: int, databases: tuple[str, str], *, polling: bool
) -> list[Counter[str]]:
    """How often each node passes each point in one round of every operation."""
    with pair(root, seed, databases=databases, polling=polling) as two:
        for node in two.nodes:
            node.stop()
            node.program = Program.COUNTING
            node.start()
            node.until_ready()
        two.driver.round(0)
        for node in two.nodes:
            node.stop()
    return [
        Counter(json.loads((node.data / COUNTS).read_text(encoding="utf-8"))) for node in two.nodes
    ]


def _orders(counts: Counter[str], chance: random.Random, count: int) -> list[Death]:
    """The first, second and last time at every point, and deaths at no point, shuffled."""
    named = [
        Death(point, nth)
        for point, total in sorted(counts.items())
        for nth in sorted({1, min(2, total), total})
    ]
    chance.shuffle(named)
    at_points = named[: max(1, count * 4 // 5)]
    orders = at_points + [any_time(chance) for _ in range(count - len(at_points))]
    chance.shuffle(orders)
    return orders


def _work(two: Pair) -> list[str]:
    """Rounds until every order was carried out or found to be out of reach; those."""
    missed: list[str] = []
    lived: Counter[int] = Counter()
    n = 0
    while any(node.deaths for node in two.nodes):
        armed_for = [node.armed.point for node in two.nodes if node.armed is not None]
        two.driver.round(n, link=any(one.startswith(_LINKING) for one in armed_for))
        n += 1
        for node in two.nodes:
            pid, armed = node.pid, node.armed
            if armed is None or not armed.point:
                continue
            lived[pid] += 1
            if lived[pid] >= _ROUNDS_FOR_ONE:
                missed.append(f"{node.name} {armed}")
                node.kill()  # a death at any time, then
    return missed


def founding(outcome: Outcome, root: Path, seed: int, urls: Sequence[str]) -> None:
    """`hub init` is killed at every point of its way and asked again; `urls` are empty databases.

    An empty address is SQLite.
    """
    root.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)
    points = [one for one in faults.POINTS if one.startswith((*_BEGINNING, "database."))]
    orders = [Death(point, nth) for point in points for nth in (1, 2, 5)]
    chance.shuffle(orders)
    orders.sort(key=lambda one: one.nth)  # the first time at every point before any second
    died = 0
    for n, (url, order) in enumerate(zip(urls, orders * len(urls), strict=False)):
        node = Node("A", root / str(n) / "a", root / "log", database=url)
        died += node.init(str(order)) == -9
        if node.init() != 0:
            outcome.problems.append(f"killed at {order}, the node cannot be made any more")
            continue
        first = node.say("status")["node_id"]
        node.init()
        if node.say("status")["node_id"] != first:
            outcome.problems.append(f"killed at {order}, the node became another one")
        outcome.problems += check.after_stop(node)
    outcome.figures |= {"nodes_made": len(urls), "kills": died}
    if died == 0:
        raise Broken("no process died while a node was made")
