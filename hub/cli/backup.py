"""`hub backup create | verify | restore`: the whole node in one file, and back."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hub.actions import backups, restores
from hub.actions.backups import Backup
from hub.cli import output, session
from hub.cli.grammar import Manner, argument, option, verb
from hub.cli.output import Facts, Word
from hub.cli.problems import BadWords
from hub.cli.session import Session
from hub.i18n import N_
from hub.i18n import gettext as _

_PATH = click.Path(path_type=Path)
_passphrase_option = option(
    "--passphrase-file",
    type=_PATH,
    help=N_("File with the passphrase of the keys in the backup (else HUB_BACKUP_PASSPHRASE)."),
)


@verb(
    N_("Write the whole node into one new file while it works: database, files, settings."),
    "hub backup create -o /backup/hub-2026-11-22.tar",
    "hub backup create -o /safe/hub.tar --with-keys --passphrase-file /root/backup-passphrase",
)
@option("-o", "--out", type=_PATH, required=True, metavar="PATH", help=N_("The new file."))
@option("--with-keys", is_flag=True, help=N_("Also the node's keys, encrypted."))
@_passphrase_option
def create(manner: Manner, out: Path, with_keys: bool, passphrase_file: Path | None) -> None:
    """Make a backup."""
    out = out.expanduser().absolute()
    passphrase = _passphrase(passphrase_file) if with_keys else None

    async def body(here: Session) -> Backup:
        return await backups.create(here.hub, here.actor, here.settings, out, passphrase=passphrase)

    made = session.run(manner, body)
    _warn_rotten(manner, made)
    if not with_keys:
        text = _("The keys are not in it: keep {path} apart, or make a backup --with-keys.")
        output.say(manner, text.format(path=session.settings_of(manner).keys_dir))
    output.show(manner, _document(made), _facts(made))
    output.done(manner, _("The backup is whole."), f"hub backup verify {out}")


@verb(
    N_("Check every hash of a backup and open its database. Needs no node."),
    "hub backup verify /backup/hub-2026-11-22.tar",
)
@argument("path", metavar="PATH", type=_PATH)
@option("--with-keys", is_flag=True, help=N_("Also open the keys in it."))
@_passphrase_option
def verify(manner: Manner, path: Path, with_keys: bool, passphrase_file: Path | None) -> None:
    """Check a backup."""
    passphrase = _passphrase(passphrase_file) if with_keys else None
    found = asyncio.run(backups.verify(path.expanduser().absolute(), passphrase))
    age = datetime.now(UTC) - found.about.made_at
    document = {**_document(found), "age_seconds": max(0, int(age.total_seconds()))}
    _warn_rotten(manner, found)
    output.show(manner, document, _facts(found))
    output.done(manner, _("The backup is whole."))


@verb(
    N_(
        "Put the node of a backup in the place of what is in the data directory. What was there "
        "is kept beside it."
    ),
    "hub backup restore /backup/hub-2026-11-22.tar --yes",
    "hub backup restore /backup/hub.tar --data /var/lib/hub --keys /safe/keys --yes",
)
@argument("path", metavar="PATH", type=_PATH)
@option("--yes", is_flag=True, help=N_("Do not ask."))
@option(
    "--keys",
    "keys_from",
    type=_PATH,
    metavar="DIR",
    help=N_("A copy of the node's keys directory."),
)
@option("--with-keys", is_flag=True, help=N_("Take the keys out of the backup."))
@_passphrase_option
def restore(
    manner: Manner,
    path: Path,
    yes: bool,
    keys_from: Path | None,
    with_keys: bool,
    passphrase_file: Path | None,
) -> None:
    """Restore a node."""
    settings = session.settings_of(manner)
    passphrase = _passphrase(passphrase_file) if with_keys else None
    question = _("The node in {path} becomes what it was when the backup was made. Go on?")
    if not yes and not (
        session.may_ask(manner) and click.confirm(question.format(path=settings.data), err=True)
    ):
        raise BadWords(
            "not_confirmed",
            "Nothing was restored.",
            hint="Say --yes if the node in {path} may become what it was then.",
            path=str(settings.data),
        )
    done = asyncio.run(
        restores.restore(
            settings,
            os.environ,
            path.expanduser().absolute(),
            keys_from=None if keys_from is None else keys_from.expanduser().absolute(),
            passphrase=passphrase,
        )
    )
    document: dict[str, Any] = {
        "node_id": done.backup.node_id,
        "name": done.backup.name,
        "made_at": done.backup.made_at,
        "data": done.data,
        "instance": done.instance,
        "keys": done.keys,
        "set_aside": done.set_aside,
        "tokens_revoked": done.tokens_revoked,
        "invitations_revoked": done.invitations_revoked,
        "held": True,
    }
    output.show(
        manner,
        document,
        Facts(
            [
                (N_("Node"), done.backup.node_id),
                (N_("Name"), done.backup.name),
                (N_("As it was"), done.backup.made_at),
                (N_("Data"), done.data),
                (N_("Set aside"), ", ".join(done.set_aside) or None),
                (N_("API tokens revoked"), done.tokens_revoked),
                (N_("Invitations revoked"), done.invitations_revoked),
            ]
        ),
    )
    text = _(
        "Internal notes and tickets nobody shared that were made since then are lost for good; "
        "what partners know comes back from them."
    )
    output.warn(manner, text)
    output.done(manner, _("The node is restored; mail and desks wait."), "hub serve")


def _passphrase(path: Path | None) -> bytes:
    found = backups.passphrase(path, os.environ)
    if found is None:
        raise BadWords(
            "backup_passphrase_missing",
            "Keys in a backup need a passphrase.",
            hint="Give it with --passphrase-file, or in HUB_BACKUP_PASSPHRASE.",
        )
    return found


def _document(backup: Backup) -> dict[str, Any]:
    return {
        "path": backup.path,
        "bytes": backup.bytes,
        "files": backup.files,
        "rotten": backup.rotten,
        **output.members(backup.about),
    }


def _facts(backup: Backup) -> Facts:
    about = backup.about
    return Facts(
        [
            (N_("Node"), about.node_id),
            (N_("Name"), about.name),
            (N_("Made"), about.made_at),
            (N_("Database"), about.database),
            (N_("Revision"), about.revision),
            (N_("Audit record"), about.audit_seq),
            (N_("Files"), backup.files),
            (N_("Bytes"), backup.bytes),
            (N_("Keys in it"), Word("yes" if about.keys else "no")),
        ]
    )


def _warn_rotten(manner: Manner, backup: Backup) -> None:
    if backup.rotten:
        text = _("Files that were damaged on disk already when the backup was made: {files}")
        output.warn(manner, text.format(files=", ".join(backup.rotten)))
