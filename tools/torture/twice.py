"""Two processes at once on one database: F22."""

from __future__ import annotations

import random
import shutil
import threading
import time
from pathlib import Path

from tools.torture.child import Program
from tools.torture.nodes import Node, free_port
from tools.torture.rig import Outcome, pair


def serves(outcome: Outcome, root: Path, seed: int, count: int) -> None:
    """Two `hub serve` begin at the same moment on one directory: one of them does not."""
    root.mkdir(parents=True, exist_ok=True)
    refused = 0
    first = Node("A", root / "a", root / "log")
    first.found()
    for _ in range(count):
        first.start()
        second = Node("A", root / "a", root / "log", port=free_port(), token=first.token)
        second.start()
        deadline = time.monotonic() + 30
        while not any(one.died for one in (first, second)) and time.monotonic() < deadline:
            time.sleep(0.05)
        losers = [one for one in (first, second) if one.died]
        if len(losers) == 1:
            (winner,) = [one for one in (first, second) if one not in losers]
            winner.until_ready()
            refused += not winner.died
        for one in (first, second):
            one.stop(at_once=True)
            one.died.clear()
    outcome.figures |= {"double_starts": count, "second_refused": refused}
    if refused != count:
        outcome.problems.append(f"{count - refused} of {count} double starts were not refused")


def workers(
    outcome: Outcome, root: Path, seed: int, count: int, databases: tuple[str, str] | None
) -> None:
    """A second process works and serves beside the first, and both die again and again.

    On PostgreSQL it is a whole second server with the same keys; on SQLite it is `hub work`.
    """
    chance = random.Random(seed)
    with pair(root / "pair", seed, databases=databases or ("", "")) as two:
        a = two.a
        beside = Node("A", a.data, a.log, database=a.database, token=a.token, door=a.door)
        if databases is None:
            beside.program = Program.WORK
        else:
            # Another machine: its own folder, and one place for files that both of them see.
            beside.data = root / "beside"
            apart = shutil.ignore_patterns("*.lock", "files")
            shutil.copytree(a.data, beside.data, ignore=apart)
            (beside.data / "files").symlink_to(a.data / "files")
            two.driver.a.processes.append(beside)
        beside.start()
        stop = threading.Event()

        def kill_them() -> None:
            while not stop.is_set():
                time.sleep(chance.uniform(4.0, 9.0))
                chance.choice([a, beside]).kill()

        killer = threading.Thread(target=kill_them, daemon=True)
        killer.start()
        done = 0
        try:
            while done < count or a.kills + beside.kills < count:
                two.driver.round(done)
                done += 1
        finally:
            stop.set()
            killer.join(5)
        beside.stop()
        two.driver.a.processes[1:] = []
        outcome.figures |= {"rounds": done, "kills": a.kills + beside.kills}
        two.finish(outcome)
