"""The process that reads letters: `python -m hub.mail.reading`, one JSON line in, one out.

It has a bound on memory, no secret and no database. What breaks it is one letter.
"""

from __future__ import annotations

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from hub.mail.parse import Unreadable, parse

MEMORY: Final = 2 * 1024**3  # bytes of address space


def main() -> None:
    """Answer every line until there is none."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = json.dumps(_answer(Path(asked["path"]), Path(asked["into"])), ensure_ascii=True)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


def _answer(path: Path, into: Path) -> dict[str, Any]:
    def keep(n: int, data: bytes) -> str:
        place = into / str(n)
        place.write_bytes(data)
        return str(place)

    try:
        letter = parse(path.read_bytes(), keep)
    except Unreadable as error:
        return {"unreadable": error.because}
    return {
        "letter": {
            **asdict(letter),
            "wrappings": sorted(letter.wrappings),
            "date": None if letter.date is None else letter.date.isoformat(),
        }
    }


if __name__ == "__main__":
    main()
