"""Desks of the node: one folder each in `<data>/desks/`, with what is ours and what is theirs.

`desk.yaml` says whose desk it is and what goes to and fro; `description.yaml` says how the desk
speaks (docs/howto/write-a-connector.md). Both are drafts: what works is the published copy.
Secrets stand in neither.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from hub.domain.desk import DeskRole, Mirror, Notes, Rules
from hub.errors import Conflict, Misconfigured, NotFound, Refused

FOLDER: Final = "desks"
SETTINGS: Final = "desk.yaml"
DESCRIPTION: Final = "description.yaml"
SCHEMA: Final = "desk.schema.json"
COMPANY_MAX: Final = 120
TEXT_MAX: Final = 200_000  # characters of one file
_LOCK: Final = threading.Lock()  # who looks whether a draft changed, and then writes it
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

Scalar = str | int | float | bool | None


class DeskSettings(BaseModel):
    """What is ours to say about a desk."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    company: str = Field(
        min_length=1,
        max_length=COMPANY_MAX,
        description="whose people work in it, as ours call them",
    )
    role: DeskRole = Field(
        description="customers_desk: their tickets become ours; own_desk: our people work in it; "
        "vendors_desk: we hand tickets off into it"
    )
    settings: dict[str, Scalar] = Field(
        default_factory=dict, description="what the description asks for: its address and so on"
    )
    poll_every_s: int = Field(
        default=60, ge=5, le=86_400, description="it is asked what changed so often"
    )
    mirror: Mirror = Field(
        default=Mirror.NONE,
        description="which of our tickets are made over there: handoffs (those partners hand to "
        "us), all, or none",
    )
    notes: Notes = Field(
        default=Notes.NONE,
        description="which internal notes cross; only in a desk of our own: in, out, both or none",
    )
    show_names: bool = Field(default=False, description="our people are named over there")
    tell_number: bool = Field(
        default=True, description="a customer is told our number and the promised time"
    )
    service: str = Field(
        default="", max_length=200, description="the service of tickets from there"
    )

    @property
    def rules(self) -> Rules:
        """What actions go by. Raises Refused(notes_forbidden)."""
        if self.notes is not Notes.NONE and self.role is not DeskRole.OWN:
            raise Refused(
                "notes_forbidden", "Internal notes cross only into a desk of our own (own_desk)."
            )
        return Rules(
            role=self.role,
            company=self.company,
            notes=self.notes,
            mirror=self.mirror,
            show_names=self.show_names,
            tell_number=self.tell_number,
            service=self.service,
        )

    @property
    def every(self) -> timedelta:
        """The time between two readings."""
        return timedelta(seconds=self.poll_every_s)


def schema() -> dict[str, Any]:
    """The JSON Schema of desk.yaml."""
    found = DeskSettings.model_json_schema()
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return found


def folder(data: Path, name: str) -> Path:
    """Where the drafts of this desk stand. Raises Refused(name_invalid)."""
    if not _NAME.fullmatch(name):
        raise Refused(
            "name_invalid",
            "A desk's name has small letters, digits and hyphens, at most 40: {name}.",
            name=name[:60],
        )
    return data / FOLDER / name


def check_new(data: Path, name: str, company: str) -> None:
    """Return if a draft can be laid down. Raises Conflict(name_taken), Refused."""
    if folder(data, name).exists():
        raise Conflict("name_taken", "There is a desk {name} already.", name=name)
    if not 0 < len(company.strip()) <= COMPANY_MAX:
        raise Refused("company_missing", "Say whose people work in it.")


def write_new(data: Path, name: str, role: DeskRole, company: str, template: str) -> Path:
    """Lay a draft down: our part to be filled in, and the template to be changed where needed.

    Raises Conflict(name_taken), Refused(name_invalid).
    """
    place = folder(data, name)
    if place.exists():
        raise Conflict("name_taken", "There is a desk {name} already.", name=name)
    place.mkdir(mode=0o700, parents=True)
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    asked = _asked(template)
    mirror = Mirror.HANDOFFS if role is DeskRole.OWN else Mirror.NONE
    with (place / SETTINGS).open("w", encoding="utf-8") as out:
        out.write(f"# yaml-language-server: $schema=../{SCHEMA}\n")
        yaml.dump(
            {
                "company": company,
                "role": str(role),
                "poll_every_s": 60,
                "mirror": str(mirror),
                "notes": "none",
                "settings": asked,
            },
            out,
        )
    (place / DESCRIPTION).write_text(template, encoding="utf-8")
    return place


def seal(settings: str, description: str) -> str:
    """A text that differs whenever one of the two does."""
    both = f"{len(settings)}\n{settings}{description}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(both).hexdigest()[:32]


def write(data: Path, name: str, was: str, settings: str, description: str) -> None:
    """Put both texts in the place of the draft that had the seal `was`.

    Each file is replaced as a whole. Raises NotFound; Conflict(draft_changed): somebody else
    wrote it meanwhile; Refused(draft_too_large).
    """
    if max(len(settings), len(description)) > TEXT_MAX:
        raise Refused(
            "draft_too_large", "A file of a desk has at most {limit} characters.", limit=TEXT_MAX
        )
    with _LOCK:
        if seal(*read(data, name)) != was:
            raise Conflict(
                "draft_changed",
                "Somebody else changed this draft meanwhile: look at it and change it again.",
            )
        for file, text in ((SETTINGS, settings), (DESCRIPTION, description)):
            place = folder(data, name) / file
            beside = place.with_suffix(".new")
            beside.write_text(text, encoding="utf-8")
            beside.replace(place)


def filled_in(text: str, said: Mapping[str, Scalar], file: str) -> str:
    """A desk.yaml with these members set; comments and all others stay as they are.

    `settings.NAME` is a member of what the description asks for. Raises Misconfigured.
    """
    understood(text, file)
    yaml = YAML()
    yaml.allow_unicode = True
    found = yaml.load(text)
    for name, value in said.items():
        section, _dot, inner = name.partition(".")
        if not inner:
            found[section] = value
            continue
        if not isinstance(found.get(section), dict):
            found[section] = {}
        found[section][inner] = value
    out = StringIO()
    yaml.dump(found, out)
    understood(out.getvalue(), file)
    return out.getvalue()


def _asked(template: str) -> dict[str, Scalar]:
    """What a description wants to know, with its own defaults."""
    said = YAML(typ="safe").load(template) or {}
    return {name: one.get("default") for name, one in said.get("settings", {}).items()}


def read(data: Path, name: str) -> tuple[str, str]:
    """Both drafts of a desk, as they stand. Raises NotFound, Refused."""
    place = folder(data, name)
    try:
        settings = (place / SETTINGS).read_text(encoding="utf-8")
        description = (place / DESCRIPTION).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(
            "not_found",
            "There is no file {file}.",
            hint="hub connector new TEMPLATE --name {name}",
            file=str(error.filename),
            name=name,
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise wrong(str(place), "-", str(error)) from error
    return settings, description


def understood(text: str, file: str) -> DeskSettings:
    """A desk.yaml. Raises Misconfigured: the file, the place in it and what is wrong there."""
    try:
        said = YAML(typ="safe").load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = "-" if mark is None else f"{mark.line + 1}:{mark.column + 1}"
        raise wrong(file, place, getattr(error, "problem", None) or "not YAML") from error
    if not isinstance(said, dict):
        raise wrong(file, "-", "must be a mapping")
    try:
        return DeskSettings.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(one) for one in first["loc"])
        raise wrong(file, place or "-", first["msg"].removeprefix("Value error, ")) from error


def wrong(file: str, place: str, why: str) -> Misconfigured:
    """A file of a desk cannot be used."""
    return Misconfigured(
        "desk_invalid",
        "{path}: {place}: {why}",
        hint="hub connector check",
        path=file,
        place=place,
        why=why,
    )
