"""`hub audit list | verify | export`: who did what, and the proof that nobody changed it since."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.actions import audit
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Facts, Table
from hub.cli.problems import FAILED, BadWords
from hub.cli.session import Session
from hub.errors import Untrusted
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.protocol.audit import check_export
from hub.queries import audit as views

if TYPE_CHECKING:
    from hub.protocol.audit import Record
    from hub.queries.audit import Problem

_FOUND = {
    "broken": N_("Record {seq} does not follow from the one before, or records are missing."),
    "head_invalid": N_("The signed head of record {seq} is not ours."),
    "differs_from_signed": N_("Record {seq} is not the one we signed."),
    "differs_from_told": N_("Record {seq} is not the one partners were told of."),
    "unguarded": N_("The database would let the table {detail} be changed: hub db upgrade"),
}


@verb(
    N_("Records of the audit log, newest first. That you read them is recorded."),
    "hub audit list --since 2027-01-31",
    "hub audit list --event link. --actor agt_0192…",
)
@option("--since", metavar="TIME", help=N_("Only those from then on."))
@option("--event", metavar="NAME", help=N_("Only this event; `link.` is all that begin so."))
@option("--actor", metavar="ID", help=N_("Only what this agent or node did."))
@option("--limit", type=click.IntRange(1, 1000), default=200, help=N_("At most so many."))
@option("--before", metavar="N", type=int, help=N_("Those before this record."))
def list_(
    manner: Manner,
    since: str | None,
    event: str | None,
    actor: str | None,
    limit: int,
    before: int | None,
) -> None:
    """List records."""
    # A bare date is its beginning here: `session.instant` reads deadlines, which end with a day.
    bare = since is not None and len(since.strip()) == len("2027-01-31")
    instant = session.instant("--since", f"{since} 00:00" if bare else since)

    async def body(here: Session) -> None:
        found = await audit.read(
            here.hub,
            here.actor,
            limit=limit,
            before=before,
            since=instant,
            event=event,
            by=actor,
        )
        output.show(
            manner,
            {
                "records": [_members(one) for one in found],
                "next": found[-1].seq if len(found) == limit else None,
            },
            Table(
                (N_("No."), N_("At"), N_("Who"), N_("Event"), N_("Facts")),
                [(one.seq, one.at, one.actor, one.event, one.facts) for one in found],
                _("No records."),
            ),
        )

    session.run(manner, body)


def _members(one: Record) -> dict[str, Any]:
    return {**output.members(one), "facts": json.loads(one.facts)}


@verb(
    N_("Whether anybody has changed the audit log: of this node, or an exported FILE without it."),
    "hub audit verify",
    "hub audit verify audit.jsonl --key 7Hq…",
)
@argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@option("--key", metavar="KEY", help=N_("The identity key that must have signed the file."))
def verify(manner: Manner, file: Path | None, key: str | None) -> int:
    """Verify the log."""
    return _verify_node(manner) if file is None else _verify_file(manner, file, key)


def _verify_file(manner: Manner, file: Path, key: str | None) -> int:
    try:
        with file.open("rb") as source:
            export = check_export(source, signed_by=key)
    except OSError as error:
        raise BadWords(
            "file_unreadable", "{path} cannot be read.", because=str(error), path=str(file)
        ) from error
    except Untrusted as error:
        problem = {"code": error.code, "seq": None, "detail": error.because, "text": error.told}
        output.show(manner, {"ok": False, "problems": [problem]})
        output.fail(error.told)
        return FAILED
    shown = {"ok": True, **output.members(export), "heads": None, "told": None, "problems": []}
    output.show(
        manner,
        shown,
        Facts(
            [
                (N_("Records"), export.records),
                (N_("Head"), export.head),
                (N_("Signed by"), export.key),
                (N_("At"), export.at),
            ]
        ),
    )
    if key is None:
        output.warn(manner, _("Compare the key with the one you know the node by, or use --key."))
    output.done(manner, _("Nobody has changed this file since the node signed it."))
    return 0


def _verify_node(manner: Manner) -> int:
    async def body(here: Session) -> int:
        hub = here.hub
        found = await here.read(
            lambda connection: views.verify(connection, hub.account.node_id, hub.identities)
        )
        output.show(
            manner,
            {
                "ok": not found.problems,
                "records": found.records,
                "head": found.head,
                "key": hub.keys.identity.kid,
                "node": hub.account.node_id,
                "at": hub.now(),
                "heads": found.heads,
                "told": found.told,
                "problems": [{**output.members(one), "text": _text(one)} for one in found.problems],
            },
            Facts(
                [
                    (N_("Records"), found.records),
                    (N_("Head"), found.head),
                    (N_("Heads we signed"), found.heads),
                    (N_("Heads partners know"), found.told),
                ]
            ),
            Table(("", N_("Problem")), [("✗", _text(one)) for one in found.problems]),
        )
        if found.problems:
            return FAILED
        output.done(manner, _("The audit log is whole."), "hub audit export -o audit.jsonl")
        return 0

    return session.run(manner, body)


def _text(one: Problem) -> str:
    return _(_FOUND[one.code]).format(seq=one.seq, detail=one.detail)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    try:
        with path.open("xb") as written:
            written.writelines(lines)
    except OSError as error:
        raise BadWords(
            "file_unwritable",
            "{path} cannot be written.",
            hint="Choose a name that does not exist yet.",
            because=str(error),
            path=str(path),
        ) from error


@verb(
    N_("Write the whole audit log into a file that can be checked without this node."),
    "hub audit export -o audit.jsonl",
)
@option("-o", "--output", "path", metavar="FILE", required=True, help=N_("Where to; `-` prints."))
def export(manner: Manner, path: str) -> None:
    """Export the log."""

    async def body(here: Session) -> None:
        lines = await audit.export(here.hub, here.actor)
        if path == "-":
            for line in lines:
                print(line.decode(), end="")
            return
        _write(Path(path), lines)
        key = here.hub.keys.identity.kid
        output.show(
            manner,
            {"path": path, "key": key},
            Facts([(N_("File"), path), (N_("Signed by"), key)]),
        )
        output.done(
            manner,
            _("The audit log is written to {path}.").format(path=path),
            f"hub audit verify {path} --key {key}",
        )

    session.run(manner, body)
