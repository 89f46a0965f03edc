"""The process that reads letters: `python -m hub.mail.reading`, one JSON line in, one out.

The first line it is given are the profiles of customers' desks.

It has a bound on memory, no secret and no database. What breaks it is one letter.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hub.domain.letter import Letter
from hub.mail.desk_reading import by_profile
from hub.mail.parse import Unreadable, parse
from hub.mail.profile import Profile

MEMORY: Final = 2 * 1024**3  # bytes of address space


def main() -> None:
    """Answer every line until there is none."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    profiles = [Profile.model_validate(one) for one in json.loads(sys.stdin.readline() or "[]")]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _answer(Path(asked["path"]), Path(asked["into"]), profiles)
        sys.stdout.write(json.dumps(answer, ensure_ascii=True) + "\n")
        sys.stdout.flush()


def _answer(path: Path, into: Path, profiles: Sequence[Profile]) -> dict[str, Any]:
    def keep(n: int, data: bytes) -> str:
        place = into / str(n)
        place.write_bytes(data)
        return str(place)

    try:
        letter = parse(path.read_bytes(), keep)
    except Unreadable as error:
        return {"unreadable": error.because}
    return {"letter": told(replace(letter, desk=by_profile(profiles, letter)))}


def told(letter: Letter) -> dict[str, Any]:
    """The letter as plain values; `reader.letter_of` makes it a letter again."""
    return {
        **asdict(letter),
        "wrappings": sorted(letter.wrappings),
        "date": _told(letter.date),
        "desk": None
        if letter.desk is None
        else {**asdict(letter.desk), "due_at": _told(letter.desk.due_at)},
    }


def _told(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


if __name__ == "__main__":
    main()
