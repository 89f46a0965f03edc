"""The points at which a harness kills a node: all of them are listed, and they cost nothing."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import timeit
from collections.abc import Iterator
from pathlib import Path

from hub import faults

HUB = Path(__file__).parents[2] / "hub"
_CALLS = 20_000
_AT_MOST_S = 1e-6  # a call; a statement of SQLite takes ten times that


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted(HUB.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "fault":
                yield path, node


def test_every_point_in_the_code_is_listed_and_every_listed_point_is_in_the_code() -> None:
    named = set()
    for path, call in _calls():
        assert len(call.args) == 1, path
        point = call.args[0]
        assert isinstance(point, ast.Constant), f"{path}: a harness cannot read this point's name"
        named.add(point.value)
    assert named == set(faults.POINTS)


def test_every_point_says_what_has_happened_where_the_process_dies() -> None:
    for point, told in faults.POINTS.items():
        kind, _, name = point.partition(".")
        assert kind and name and told and not told.endswith("."), point


def test_in_production_nothing_is_armed_and_a_point_costs_nothing_measurable() -> None:
    assert faults.strike is None
    run = min(timeit.repeat(lambda: faults.fault("database.statement"), number=_CALLS, repeat=5))
    assert run / _CALLS < _AT_MOST_S


def _dies(armed: str, passes: int) -> int:
    program = (
        "from hub.faults import fault\n"
        f"for _ in range({passes}): fault('inbox.stored'); fault('outbox.sealed')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HUB_CRASH_AT": armed},
        cwd=HUB.parent,
        check=False,
    ).returncode


def test_a_process_dies_without_a_farewell_the_nth_time_it_comes_by() -> None:
    assert _dies("outbox.sealed:3", 3) == -signal.SIGKILL
    assert _dies("outbox.sealed:3", 2) == 0
    assert _dies("outbox.sealed", 1) == -signal.SIGKILL
