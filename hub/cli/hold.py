"""`hub node release`: a person lets mail and desks go on after a restore."""

from __future__ import annotations

from hub.actions import holds
from hub.cli import output, session
from hub.cli.grammar import Manner, verb
from hub.cli.output import Facts, Word
from hub.cli.session import Session
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.queries import checkup


@verb(
    N_(
        "After a restore: let mail and desks go on without waiting for every link. What was "
        "mailed or written to a desk since the backup may then be done again."
    ),
    "hub node release",
)
def release(manner: Manner) -> None:
    """Release what a restore holds."""

    async def body(here: Session) -> None:
        before = await here.read(checkup.hold)
        released = await holds.release(here.hub, here.actor)
        not_synced = before.not_synced if before is not None else []
        output.show(
            manner,
            {"released": released, "not_synced": not_synced},
            Facts([(N_("Released"), Word("yes" if released else "no"))]),
        )
        text = _("Mail and desks go on.") if released else _("Nothing was held.")
        output.done(manner, text, "hub doctor")

    session.run(manner, body)
