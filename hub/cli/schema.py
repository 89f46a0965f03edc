"""`hub schema export | validate`: the public contracts, for other people's programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click

from hub.cli import output
from hub.cli.grammar import Manner, argument, verb
from hub.cli.output import Table
from hub.errors import NotFound, Refused
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.protocol import payloads


@verb(
    N_("Write all schemas (messages and output of commands) into a folder."),
    "hub schema export ./schemas",
)
@argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def export(manner: Manner, folder: Path) -> None:
    """Write all schemas."""
    written = []
    for name, source in _sources():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        written.append(name)
    output.show(
        manner,
        {"folder": str(folder), "schemas": written},
        Table((N_("Schema"),), [(one,) for one in written]),
    )
    output.done(
        manner, _("{n} schemas are written to {folder}.").format(n=len(written), folder=folder)
    )


def _sources() -> list[tuple[str, Path]]:
    root = payloads.schema_directory().parent
    return [
        (path.relative_to(root).as_posix(), path)
        for folder in ("v1", "cli")
        for path in sorted((root / folder).glob("*.json"))
    ]


@verb(
    N_("Check a JSON document against a schema: a message type, or a command as `ticket-show`."),
    "hub schema validate handoff.offer offer.json",
    "hub ticket list --json | hub schema validate ticket-list -",
)
@argument("name", metavar="SCHEMA")
@argument("file", metavar="FILE", type=click.File("rb"))
def validate(manner: Manner, name: str, file: Any) -> None:
    """Check a document."""
    import jsonschema_rs

    known = {Path(one).name.removesuffix(".json"): path for one, path in _sources()}
    if name not in known:
        raise NotFound(
            "schema_unknown",
            "There is no schema '{name}'.",
            hint="Known: {known}",
            name=name,
            known=" ".join(known),
        )
    try:
        instance = json.load(file)
    except ValueError as error:
        raise Refused("malformed", "The document is not JSON: {why}.", why=str(error)) from error
    schema = json.loads(known[name].read_text(encoding="utf-8"))
    shared = [json.loads(path.read_text("utf-8")) for path in known.values() if "defs" in path.name]
    validator = jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=True,
        registry=jsonschema_rs.Registry([(one["$id"], one) for one in shared]),
        offline=True,
    )
    found = [
        {"at": "/" + "/".join(map(str, one.instance_path)), "problem": one.message}
        for one in validator.iter_errors(instance)
    ]
    output.show(
        manner,
        {"ok": not found, "schema": name, "problems": found},
        Table((N_("Where"), N_("What")), [(one["at"], one["problem"]) for one in found]),
    )
    if found:
        raise Refused(
            "schema_invalid", "The document does not follow the schema '{name}'.", name=name
        )
    output.done(manner, _("The document follows the schema."))
