"""Writes docs/protocol/handoff-states.md from the table in hub/domain/handoff.py.

`python -m tools.state_diagram` writes it; with `--check` nothing is written and the exit code
is 1 if the page does not say what the table says.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hub.domain.handoff import FINAL, PEN, TRANSITIONS, Act, Party, Request, State, check_request
from hub.errors import Refused

PAGE: Final = Path(__file__).parent.parent / "docs" / "protocol" / "handoff-states.md"

_HEAD: Final = """\
<!-- Written by `python -m tools.state_diagram`. Change hub/domain/handoff.py instead. -->

# States of a hand-off

In every state exactly one party holds the **pen** and may change it; the other may only send
requests, which the holder of the pen grants or refuses. Both nodes run this one table. A step
names the state it starts `from`; a step that the table does not have, or that comes from the
party without the pen, is answered with `wrong_pen` and changes nothing.
"""


def page() -> str:
    """The whole page as the table has it now."""
    return f"{_HEAD}\n{_diagram()}\n{_pens()}\n{_steps()}\n{_requests()}"


def _diagram() -> str:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {State.OFFERED}: {Act.OFFER}"]
    lines += [
        f"    {source} --> {row.target}: {row.act}"
        for row in TRANSITIONS
        for source in State
        if source in row.sources
    ]
    lines += [f"    {state} --> [*]" for state in State if state in FINAL | {State.CLOSED}]
    for party in Party:
        held = ",".join(state for state in State if PEN[state] is party)
        lines.append(f"    class {held} {party}")
    lines += [
        f"    classDef {Party.PRINCIPAL} fill:#dbeafe,stroke:#1d4ed8,color:#111827",
        f"    classDef {Party.CONTRACTOR} fill:#dcfce7,stroke:#15803d,color:#111827",
        "```",
        "",
        "Blue: the principal holds the pen. Green: the contractor does.",
        "",
    ]
    return "\n".join(lines)


def _pens() -> str:
    rows = [(f"`{state}`", PEN[state] or "nobody: final") for state in State]
    return _table("Who holds the pen", ("state", "pen"), rows)


def _steps() -> str:
    rows = [(f"`handoff.{Act.OFFER}`", Party.PRINCIPAL.value, "", f"`{State.OFFERED}`")]
    rows += [
        (
            f"`handoff.{row.act}`",
            row.by.value,
            ", ".join(f"`{state}`" for state in State if state in row.sources),
            f"`{row.target}`",
        )
        for row in TRANSITIONS
    ]
    return _table("Steps", ("act", "by", "from", "to"), rows)


def _requests() -> str:
    rows = []
    for request in Request:
        for party in Party:
            states = [state for state in State if _may_ask(request, party, state)]
            if states:
                rows.append(
                    (
                        f"`handoff.{request}`",
                        party.value,
                        ", ".join(f"`{state}`" for state in states),
                        _ANSWERS[request],
                    )
                )
    return _table("Requests", ("request", "by", "in", "answered by"), rows)


_ANSWERS: Final = {
    Request.CANCEL: f"`handoff.{Act.CANCELLED}` or `handoff.cancel_refused`",
    Request.RETRACT: f"`handoff.{Act.RETURN}` with cause `retract` or `handoff.retract_refused`",
}


def _may_ask(request: Request, party: Party, state: State) -> bool:
    try:
        check_request(request, party, state)
    except Refused:
        return False
    return True


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"## {title}", "", _line(head), _line(("---",) * len(head))]
    return "\n".join([*lines, *map(_line, rows), ""])


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description="The page about the states of a hand-off.")
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    if not parser.parse_args(arguments).check:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write(f"{PAGE.name} is out of date: run `python -m tools.state_diagram`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
