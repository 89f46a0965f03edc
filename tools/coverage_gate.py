"""How many branches of the parts that guard everything else the tests take, and whether enough.

`python -m tools.coverage_gate REPORT.json` reads what `coverage json` wrote, prints a line for
each group and every branch no test takes, and exits with 1 where a group is under LEAST percent.
`make coverage` runs the tests for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

LEAST: Final = 95.0  # percent of the branches of a group
GROUPS: Final = {
    "protocol": ("hub/protocol/*.py",),
    "actions of the exchange": tuple(
        f"hub/actions/{name}.py"
        for name in (
            "applying",
            "effects",
            "epochs",
            "inbox",
            "incoming",
            "keyring",
            "merging",
            "outbox",
            "outgoing",
            "peer_keys",
            "peers",
            "recovery",
            "runs",
            "syncing",
        )
    ),
    "door to peers": tuple(
        f"hub/federation/{name}.py" for name in ("calls", "deliver", "door", "sync")
    ),
    "permissions": (  # who may do what: people, their tokens, the parties of a hand-off
        "hub/actions/agents.py",
        "hub/actions/tokens.py",
        "hub/api/door.py",
        "hub/domain/comment.py",
        "hub/domain/handoff.py",
    ),
}


def main(arguments: Sequence[str]) -> int:
    """Print the figures; 1 where a group has too few, or a file of a group was not measured."""
    files: dict[str, Any] = json.loads(Path(arguments[0]).read_text("utf-8"))["files"]
    enough = True
    for group, patterns in GROUPS.items():
        found = {
            name: one
            for name, one in files.items()
            if any(fnmatch(name, pattern) for pattern in patterns)
        }
        absent = [pattern for pattern in patterns if not any(fnmatch(n, pattern) for n in found)]
        taken = sum(one["summary"]["covered_branches"] for one in found.values())
        there = sum(one["summary"]["num_branches"] for one in found.values())
        percent = 100.0 * taken / there if there else 0.0
        enough = enough and not absent and percent >= LEAST
        print(f"{group:<26}{percent:6.2f} % of {there} branches in {len(found)} files")
        for name, one in sorted(found.items()):
            missed = ", ".join(f"{a}→{b if b > 0 else 'end'}" for a, b in one["missing_branches"])
            if missed:
                print(f"  {name}: {missed}")
        for pattern in absent:
            print(f"  {pattern}: NOT MEASURED")
    if not enough:
        print(f"Under {LEAST:.0f} % somewhere, or not measured.", file=sys.stderr)
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
