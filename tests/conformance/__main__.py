"""`python -m tests.conformance [hub | minimal-peer | package.module:Class] [--group C5 …]`."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Callable

from tests.conformance import cases as _cases  # noqa: F401 - registers every case
from tests.conformance.implementation import Implementation
from tests.conformance.minimal_node import MinimalPeer
from tests.conformance.our_node import OurNode
from tests.conformance.runner import GROUPS, Result, run

KNOWN: dict[str, Callable[[], Implementation]] = {"hub": OurNode, "minimal-peer": MinimalPeer}


def adapter(name: str) -> Callable[[], Implementation]:
    """The class that starts the node: one of ours, or `package.module:Class`."""
    if name in KNOWN:
        return KNOWN[name]
    module, _, attribute = name.partition(":")
    made: Callable[[], Implementation] = getattr(importlib.import_module(module), attribute)
    return made


def tell(result: Result) -> None:
    """One line a case, as it ends."""
    print(f"{result.outcome:14} {result.entry.group:4} {result.entry.title}", flush=True)


def main() -> int:
    """Run the suite; 1 where a case failed."""
    read = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    read.add_argument("adapter", nargs="*", default=list(KNOWN), help="what to test")
    read.add_argument("--group", action="append", default=[], choices=list(GROUPS))
    read.add_argument("--quiet", action="store_true", help="only the tables")
    given = read.parse_args()
    failed = False
    for name in given.adapter:
        report = asyncio.run(
            run(adapter(name), given.group, (lambda _r: None) if given.quiet else tell)
        )
        print("\n".join(["", *report.lines(), ""]), flush=True)
        failed |= bool(report.failed)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
