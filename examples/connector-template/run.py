"""Every promise of a connector, kept or not: `python examples/connector-template/run.py`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from fixit import KEY, Fixit, Vault  # noqa: E402 - beside this file

from connectors import conformance  # noqa: E402
from connectors.rest.connector import RestConnector  # noqa: E402
from connectors.rest.loading import load  # noqa: E402

DESCRIPTION = load((HERE / "fixit.yaml").read_text("utf-8"), "fixit.yaml")


def rig() -> conformance.Rig:
    """A fresh desk with everything around it."""
    desk = Fixit()
    return conformance.Rig(
        make=lambda host: RestConnector(DESCRIPTION, host),
        transport=desk,
        clock=desk.clock,
        vault=Vault(KEY),
        wrong_vault=Vault("wrong-key-0123456789"),
        settings={"url": "https://fixit.example"},
        people=desk,
        statuses=frozenset({"new", "in_progress", "resolved"}),
    )


def main() -> int:
    """Run them all. Exit 1 where one is not kept."""
    found = conformance.run(rig)
    for name, wrong in found.items():
        print(f"{'✗' if wrong else '✓'} {name}" + (f": {wrong}" if wrong else ""))
    broken = sum(1 for wrong in found.values() if wrong)
    print(f"{len(found) - broken} of {len(found)} promises are kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
