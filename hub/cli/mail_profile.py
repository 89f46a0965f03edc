"""`hub mail profile list | check | try | schema`: how letters of customers' desks are read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from connectors.rest.source import BadDescription, Mistake
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Facts, Table
from hub.errors import Misconfigured, NotFound
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.mail import profile as shape
from hub.mail import profiles
from hub.mail.profile import Profile

_WORDS = {
    "number": N_("Number"),
    "title": N_("Title"),
    "customer": N_("Customer"),
    "site": N_("Site"),
    "contact": N_("Contact"),
    "phone": N_("Phone"),
    "priority": N_("Priority"),
    "status": N_("Status"),
    "due_at": N_("Due"),
    "text": N_("Text"),
    "answer_subject": N_("Subject of answers"),
    "answer_token": N_("Last line of answers"),
}


@verb(N_("Profiles of this node, and those that a file can be like."), "hub mail profile list")
def list_(manner: Manner) -> None:
    """List profiles."""
    settings = session.settings_of(manner)
    rows = [_line(one, ready=False) for one in profiles.load(settings.data)]
    rows += [_line(profiles.read(path), ready=True) for path in profiles.ready().values()]
    output.show(
        manner,
        {"profiles": rows},
        Table(
            (N_("Name"), N_("Desk"), N_("Customer"), N_("Letters from"), N_("Comes with the hub")),
            [
                (
                    one["name"],
                    one["desk"],
                    one["customer"],
                    ", ".join(one["from"]),
                    _("yes") if one["ready"] else _("no"),
                )
                for one in rows
            ],
        ),
    )
    output.done(
        manner,
        _("Yours are files in {folder}.").format(folder=settings.data / profiles.FOLDER),
        "hub mail profile check",
    )


def _line(one: Profile, *, ready: bool) -> dict[str, Any]:
    return {
        "name": one.name,
        "desk": one.desk or one.name,
        "customer": one.customer,
        "from": [] if ready else list(one.recognise.senders),
        "ready": ready,
    }


@verb(
    N_("Whether the files can work and find in their samples what they say."),
    "hub mail profile check",
    "hub mail profile check profiles/romashka.yaml",
)
@argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(manner: Manner, file: Path | None) -> None:
    """Check profiles."""
    settings = session.settings_of(manner)
    found: list[tuple[str, str, int]] = []
    mistakes: list[Mistake] = []
    for path in [file] if file is not None else profiles.files(settings.data):
        try:
            profile, wrong = asyncio.run(profiles.check(path))
        except BadDescription as error:
            mistakes += error.mistakes
            continue
        mistakes += wrong
        found.append((str(path), profile.name, len(profile.samples)))
    if mistakes:
        raise Misconfigured(
            "profile_invalid",
            "{mistakes}",
            hint="hub mail profile schema",
            mistakes="\n".join(one.in_words(_) for one in mistakes),
        )
    output.show(
        manner,
        {"profiles": [{"file": f, "name": name, "samples": n} for f, name, n in found]},
        Table(
            (N_("File"), N_("Name"), N_("Samples")),
            found,
            _("No profiles: put one into {folder}.").format(folder=settings.data / profiles.FOLDER),
        ),
    )


@verb(
    N_("What this letter would do here; nothing is changed."),
    "hub mail profile try letter.eml",
    "hub mail profile try letter.eml --like jira",
    name="try",
)
@argument("letter", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option("--like", metavar="NAME", help=N_("By a profile that comes with the hub, from anybody."))
def try_(manner: Manner, letter: Path, like: str | None) -> None:
    """Try profiles on a letter."""
    known = profiles.load(session.settings_of(manner).data) if like is None else (_ready(like),)
    trial = asyncio.run(profiles.attempt(known, letter.resolve()))
    would = "held" if trial.unreadable else "ordinary"
    if trial.desk is not None:
        would = "held" if trial.desk.too_slow or not trial.desk.number else "desk"
    values = {name: trial.values.get(name, "") for name in _WORDS}
    output.show(
        manner,
        {
            "would": would,
            "profile": None if trial.desk is None else trial.desk.profile,
            "author": trial.author,
            "finds": values if trial.desk is not None else {},
        },
        Facts(
            [
                (N_("What becomes of it"), _told(would)),
                (N_("Author"), trial.author),
                (N_("Profile"), None if trial.desk is None else trial.desk.profile),
                *(
                    (label, values[name] or None)
                    for name, label in _WORDS.items()
                    if trial.desk is not None
                ),
            ]
        ),
    )


def _told(would: str) -> str:
    if would == "desk":
        return _("A ticket if the number is new, else a change or a comment there")
    if would == "held":
        return _("It is held for a person")
    return _("No profile knows it: it is taken like any letter")


def _ready(name: str) -> Profile:
    found = profiles.ready().get(name)
    if found is None:
        raise NotFound("not_found", "There is no such profile.", hint="hub mail profile list")
    one = profiles.read(found)
    anybody = one.recognise.model_copy(update={"senders": ("*",)})
    return one.model_copy(update={"recognise": anybody})


@verb(N_("The schema of a profile file, for editors."), "hub mail profile schema > profile.json")
def schema(manner: Manner) -> None:
    """Write the schema."""
    print(json.dumps(shape.schema(), ensure_ascii=False, indent=2))
