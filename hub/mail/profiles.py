"""Mail profiles of the node: one YAML file for each customer's desk, in `<data>/profiles/`.

Profiles of well-known desks come with the hub (`ready/`); a file that is `like` one of them says
only what is different: from which addresses its letters come, at least.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from connectors.rest.source import BadDescription, Mistake, Source, did_you_mean
from hub.domain.desk_letter import DeskLetter
from hub.errors import Misconfigured
from hub.mail import profile as shapes
from hub.mail import yaml_files
from hub.mail.parse import Unreadable
from hub.mail.profile import Part, Profile
from hub.mail.reader import Reader

FOLDER: Final = "profiles"
READY: Final = Path(__file__).parent / "ready"
_MERGED: Final = ("recognise", "take", "words")  # member by member; anything else as a whole
_SHAPES: Final = tuple(
    one
    for one in vars(shapes).values()
    if isinstance(one, type) and issubclass(one, Part) and one is not Part
)


def load(data: Path) -> tuple[Profile, ...]:
    """Every profile of the node, in the order of their files' names.

    Raises Misconfigured: `file:line:column what` for each mistake of the first file that has any.
    """
    found: dict[str, Profile] = {}
    for path in files(data):
        try:
            one = read(path)
        except BadDescription as error:
            raise _wrong(str(error)) from error
        if one.name in found:
            raise _wrong(f"{path}:1:1 another file has the name {one.name}")
        found[one.name] = one
    return tuple(found.values())


def _wrong(mistakes: str) -> Misconfigured:
    return Misconfigured(
        "profile_invalid", "{mistakes}", hint="hub mail profile check", mistakes=mistakes
    )


def files(data: Path) -> list[Path]:
    """The files of the node."""
    return sorted((data / FOLDER).glob("*.yaml"))


def ready() -> dict[str, Path]:
    """Files of the profiles that come with the hub, by name."""
    return {path.stem: path for path in sorted(READY.glob("*.yaml"))}


def read_ready(name: str) -> Profile:
    """The profile of this name that comes with the hub; its addresses are examples."""
    return yaml_files.shaped(yaml_files.read(ready()[name]), Profile, _SHAPES)


def read(path: Path) -> Profile:
    """The profile of a file, with what it takes over from the one it is like.

    Raises BadDescription.
    """
    source = yaml_files.read(path)
    own = yaml_files.shaped(source, Profile, _SHAPES)
    made = own
    if own.like is not None:
        known = ready()
        if own.like not in known:
            hint = did_you_mean(own.like, known) or f"; known: {', '.join(known)}"
            told = f"there is no profile {own.like}{hint}"
            raise BadDescription([source.mistake(("like",), told)])
        above = yaml_files.read(known[own.like]).value
        merged = Source(source.file, _over(above, source.value), source.places)
        made = yaml_files.shaped(merged, Profile, _SHAPES)
    mistakes = []
    if not own.recognise.senders:
        told = "from is missing: say which addresses the desk writes from"
        mistakes.append(source.mistake(("recognise",), told))
    if made.take.number is None:
        told = "number is missing: without it nothing is found again"
        mistakes.append(source.mistake(("take",), told))
    if mistakes:
        raise BadDescription(mistakes)
    return made


def _over(above: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    made = {**above, "samples": [], **own}
    for name in _MERGED:
        if name in above and isinstance(own.get(name), dict):
            made[name] = {**above[name], **own[name]}
    return made


# --- trying it out --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """What a letter would say."""

    desk: DeskLetter | None  # None: no profile knows it
    author: str
    unreadable: str = ""

    @property
    def values(self) -> dict[str, str]:
        """What was found, as texts; what was not is empty."""
        if self.desk is None:
            return {}
        told = asdict(self.desk)
        told["due_at"] = "" if self.desk.due_at is None else self.desk.due_at.isoformat()
        return {name: str(value or "") for name, value in told.items()}


async def attempt(profiles: Iterable[Profile], letter: Path) -> Trial:
    """Read the letter as the node would; nothing is stored. Raises Unavailable."""
    reader = Reader(tuple(profiles))
    try:
        with tempfile.TemporaryDirectory(prefix="hub-profile-") as folder:
            found = await reader.read(letter, Path(folder))
    except Unreadable as error:
        return Trial(None, "", unreadable=error.because or str(error))
    finally:
        await reader.close()
    return Trial(found.desk, found.said_from)


async def check(path: Path) -> tuple[Profile, list[Mistake]]:
    """The profile of this file, and each of its samples in which it finds something else.

    Raises BadDescription, Unavailable.
    """
    profile, source = read(path), yaml_files.read(path)
    wrong = []
    for number, sample in enumerate(profile.samples):
        place = ("samples", number)
        letter = path.parent / sample.letter
        if not letter.is_file() or path.parent.resolve() not in letter.resolve().parents:
            wrong.append(source.mistake((*place, "letter"), f"{sample.letter}: no such file"))
            continue
        trial = await attempt([profile], letter)
        if trial.desk is None:
            because = trial.unreadable or "the profile does not know it"
            wrong.append(source.mistake(place, f"{sample.letter}: {because}"))
            continue
        values = trial.values
        for name, wanted in sample.finds.items():
            if name not in values:
                told = f"nothing is called {name}{did_you_mean(name, values)}"
            elif wanted != values[name]:
                told = f"{sample.letter}: {name} is {values[name]!r}, not {wanted!r}"
            else:
                continue
            wrong.append(source.mistake((*place, "finds", name), told))
    return profile, wrong
