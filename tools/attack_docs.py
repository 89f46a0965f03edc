"""Write docs/reference/attacks.md: each family of known attacks and the tests that show it.

python -m tools.attack_docs            writes the page
python -m tools.attack_docs --check    exits 1 where the page is not what would be written
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.attacks.coverage import FAMILIES

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "attacks.md"
GROUPS: Final = {
    "A": "Signatures and authority between nodes",
    "B": "Poison and exhaustion",
    "C": "Requests to addresses of the inside",
    "E": "Web console and API",
    "X": "Incidents of products that synchronise",
}
INTRODUCTION: Final = """\
# Known attacks and what shows that they fail

<!-- Generated from tests/attacks/coverage.py by tools/attack_docs.py: change the table there. -->

Families of attacks from advisories about federated servers, desks and mail programs. Each names
the tests that show it, under `tests/`; a test of this table checks that they exist and try as many
inputs as the family asks for. What is no matter of this product, or is open, says so. Family D,
attacks by letter, has [a page of its own](mail-attacks.md).
"""


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    group = ""
    for family, one in FAMILIES.items():
        if family[0] == "D":  # tools/mail_attacks.py
            continue
        if family[0] != group:
            group = family[0]
            lines += [
                f"## {group}. {GROUPS[group]}",
                "",
                "| | attack | shown by |",
                "|---|---|---|",
            ]
        lines.append(f"| {family} | {one.what} | {'<br>'.join(_cell(one.shown, one.elsewhere))} |")
        if not _goes_on(family):
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _goes_on(family: str) -> bool:
    families = list(FAMILIES)
    after = families.index(family) + 1
    return after < len(families) and families[after][0] == family[0]


def _cell(shown: Sequence[str], elsewhere: str) -> Iterator[str]:
    for named in shown:
        file, _, function = named.partition("::")
        yield f"`{file}` {function.removeprefix('test_').replace('_', ' ')}"
    if elsewhere:
        yield f"*{elsewhere}*"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args(argv).check:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == page()
        if not same:
            print(
                f"{PAGE} is not what the table says: python -m tools.attack_docs", file=sys.stderr
            )
        return 0 if same else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
