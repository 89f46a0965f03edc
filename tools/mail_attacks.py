"""Writes docs/reference/mail-attacks.md: which test shows which family of attacks by letter.

`python -m tools.mail_attacks` writes it from tests/attacks/coverage.py; with `--check` nothing is
written and the exit code is 1 if the page does not say what the table says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.attacks.coverage import FAMILIES, Family

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "mail-attacks.md"

_HEAD: Final = """\
<!-- Written by `python -m tools.mail_attacks`. Change tests/attacks/coverage.py instead. -->

# Attacks by letter

What was done to other desks by e-mail, and the tests that do it to this one: real letters in at
the door, judged on the bytes that a mail server got.

| | what is tried | at least | shown by |
|---|---|---|---|
"""


def page() -> str:
    """The whole page as the table has it now."""
    rows = [_row(name, one) for name, one in FAMILIES.items() if name.startswith("D")]
    return _HEAD + "\n".join(rows) + "\n"


def _row(name: str, one: Family) -> str:
    shown = "<br>".join(f"`{test}`" for test in one.shown)
    told = "<br>".join(filter(None, [shown, one.elsewhere]))
    return f"| {name} | {one.what} | {one.asked} | {told} |"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or say whether it is right."""
    parser = argparse.ArgumentParser(prog="python -m tools.mail_attacks", description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args(arguments).check:
        return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
