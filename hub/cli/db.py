"""`hub db upgrade | current`: the shape of the database."""

from __future__ import annotations

import asyncio

from hub import app
from hub.cli import output, session
from hub.cli.grammar import Manner, verb
from hub.cli.output import Facts
from hub.i18n import N_
from hub.i18n import gettext as _


@verb(N_("Bring the database to the shape of this version; nothing is lost."), "hub db upgrade")
def upgrade(manner: Manner) -> None:
    """Upgrade the database."""
    settings = session.settings_of(manner)
    before = asyncio.run(app.database_revision(settings))
    asyncio.run(app.upgrade_database(settings))
    after = asyncio.run(app.database_revision(settings))
    output.show(
        manner,
        {"before": before, "current": after, "changed": before != after},
        Facts([(N_("Revision"), after)]),
    )
    output.done(manner, _("The database fits this version."), "hub serve")


@verb(N_("Which revision the database has, and which this version needs."), "hub db current")
def current(manner: Manner) -> None:
    """Say the revision."""
    settings = session.settings_of(manner)
    found = asyncio.run(app.database_revision(settings))
    output.show(
        manner,
        {"current": found, "needed": app.NEEDED_REVISION, "fits": found == app.NEEDED_REVISION},
        Facts([(N_("Revision"), found or "-"), (N_("Needed"), app.NEEDED_REVISION)]),
    )
