"""`hub evidence export | verify`: proof of what was exchanged, for somebody without a node."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from hub.actions import evidence
from hub.actions.evidence import ExportEvidence
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, peer_names, ticket_numbers, verb
from hub.cli.output import Facts, Table
from hub.cli.problems import FAILED, OK, BadWords
from hub.cli.session import Session
from hub.errors import Unavailable
from hub.evidence import verify as verifier
from hub.i18n import N_, language
from hub.i18n import gettext as _
from hub.ids import HandoffId
from hub.queries import names


@verb(
    N_(
        "Write a bundle that anybody can check offline: the signed messages of a ticket's "
        "hand-offs, or of a link, with agreement, keys, receipts and the program that checks "
        "them. A ticket's bundle holds all its hand-offs: it is for your own lawyer. Before you "
        "show it to a partner or a client, restrict it to their hand-off with --peer or "
        "--handoff: one partner must not see what you agreed with another."
    ),
    "hub evidence export --ticket T-1001 -o dispute.zip",
    'hub evidence export --ticket T-1001 --peer "Master South" --redact contact -o south.zip',
    'hub evidence export --link "Master South" --from 2027-01-01 --to 2027-01-31 -o january.zip',
)
@option(
    "--ticket",
    metavar="NUMBER",
    shell_complete=ticket_numbers,
    help=N_("All hand-offs of this ticket, unless restricted."),
)
@option(
    "--peer",
    "peers",
    multiple=True,
    metavar="PARTNER",
    shell_complete=peer_names,
    help=N_("Of the ticket only the hand-offs with this partner; may be repeated."),
)
@option(
    "--handoff",
    "handoffs",
    multiple=True,
    metavar="ID",
    help=N_("Of the ticket only this hand-off; may be repeated."),
)
@option(
    "--link",
    metavar="PARTNER",
    shell_complete=peer_names,
    help=N_("Everything on the link with this partner."),
)
@option("--from", "since", metavar="ISO", help=N_("Of the link only what was written since."))
@option("--to", "until", metavar="ISO", help=N_("Of the link only what was written until."))
@option(
    "--redact",
    "redact",
    multiple=True,
    metavar="WHAT",
    help=N_(
        "Leave payloads out, the signed envelopes stay: comments, files, contact, site, asset, "
        "ratings, a message type or a message id; may be repeated."
    ),
)
@option("--files", is_flag=True, help=N_("The files too, not only their digests."))
@option(
    "--output",
    "-o",
    "target",
    required=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help=N_("Where to write the bundle."),
)
def export(
    manner: Manner,
    ticket: str | None,
    peers: tuple[str, ...],
    handoffs: tuple[str, ...],
    link: str | None,
    since: str | None,
    until: str | None,
    redact: tuple[str, ...],
    files: bool,
    target: Path,
) -> None:
    """Export evidence."""
    if (ticket is None) is (link is None):
        raise BadWords("usage", "Say either --ticket or --link.")
    if ticket is not None and (since or until):
        raise BadWords("usage", "--from and --to go with --link; a ticket is exported whole.")
    if link is not None and (peers or handoffs):
        raise BadWords("usage", "--peer and --handoff go with --ticket.")
    begin = session.instant("--from", _morning(since))
    end = session.instant("--to", until)

    async def body(here: Session) -> None:
        wish = ExportEvidence(
            ticket=ticket,
            handoffs=[HandoffId(one) for one in handoffs],
            links=await here.read(lambda c: [names.link(c, one).id for one in peers]),
            link=None if link is None else await here.read(lambda c: names.link(c, link).id),
            since=begin,
            until=end,
            redact=[word for said in redact for word in said.split(",") if word],
            files=files,
            language=language(),
        )
        made = await evidence.export(here.hub, here.actor, wish)
        size = await asyncio.to_thread(_write, made.chunks(), target)
        document = {
            "file": str(target),
            "size": size,
            "manifest": made.manifest,
            "links": [one["link"] for one in made.report["links"]],
            "handoffs": [h["id"] for one in made.report["links"] for h in one["handoffs"]],
            "messages": sum(len(one["timeline"]) for one in made.report["links"]),
            "findings": made.report["findings"],
        }
        output.show(
            manner,
            document,
            Facts(
                [
                    (N_("File"), str(target)),
                    (N_("Bytes"), size),
                    (N_("Manifest"), made.manifest),
                    (N_("Messages"), document["messages"]),
                ]
            ),
            _findings(made.report["findings"]),
        )
        output.done(
            manner,
            _("The bundle is written and checks out; the export is in the audit log."),
            f"hub evidence verify {target}",
        )

    session.run(manner, body)


def _morning(said: str | None) -> str | None:
    """A bare date as its first instant."""
    if said is None or len(said.strip()) > len("2027-01-31"):
        return said
    try:
        return datetime.fromisoformat(said.strip()).isoformat()
    except ValueError:
        return said


def _write(chunks: Iterable[bytes], target: Path) -> int:
    """Write the file, ours alone to read; under its name only once it is whole."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    size = 0
    try:
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
        ) as out:
            for chunk in chunks:
                size += out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise Unavailable(
            "storage_unavailable",
            "{path} cannot be written: {why}.",
            because=str(error),
            path=str(target),
            why=(error.strerror or str(error)).lower(),
        ) from error
    return size


def _findings(found: list[dict[str, Any]]) -> Table:
    return Table((N_("Finding"), N_("Where")), [(one["text"], one["where"]) for one in found])


@verb(
    N_(
        "Check a bundle, as the verify.py inside it does. Needs no node. Ends with 1 where "
        "anything was altered."
    ),
    "hub evidence verify dispute.zip",
    "hub evidence verify dispute.zip --html dispute.html",
)
@argument("bundle", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option(
    "--party",
    "parties",
    multiple=True,
    metavar="NODE_ID",
    help=N_("A node that must be a party; may be repeated."),
)
@option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help=N_("Also write a page to read."),
)
def verify(manner: Manner, bundle: Path, parties: tuple[str, ...], page: Path | None) -> int:
    """Check a bundle."""
    lang = language()
    with bundle.open("rb") as file:
        result = verifier.verify(file, parties)
    if page is not None:
        _write([verifier.as_html(result, lang).encode()], page)
    if manner.json:
        output.show(manner, verifier.as_document(result, lang))
    else:
        for line in verifier.as_text(result, lang):
            print(line)
    return FAILED if result.problems else OK
