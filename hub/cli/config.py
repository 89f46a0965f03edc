"""`hub config show | check | path`: settings of the node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.cli import output, session
from hub.cli.grammar import Manner, verb
from hub.cli.output import Facts
from hub.i18n import N_
from hub.i18n import gettext as _
from hub.settings import CONFIG_NAME, Settings

_HIDDEN = "[hidden]"


@verb(N_("Every setting and its value, from defaults, file and variables."), "hub config show")
def show(manner: Manner) -> None:
    """Show all settings."""
    settings = session.settings_of(manner)
    document = _values(settings)
    output.show(manner, document, Facts(list(_flat(document))))


def _values(settings: Settings) -> dict[str, Any]:
    values = settings.model_dump(mode="json")
    if values["database"]["url"]:
        values["database"]["url"] = _HIDDEN  # it may carry a password
    return values


def _flat(values: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{above}{name}.")
        else:
            shown = ", ".join(value) if isinstance(value, list) else value
            found.append((f"{above}{name}", "" if shown is None else str(shown)))
    return found


@verb(
    N_("Whether the settings can work; says file, line and column of what cannot."),
    "hub config check",
)
def check(manner: Manner) -> None:
    """Check the settings."""
    settings = session.settings_of(manner)
    path = settings.data / CONFIG_NAME
    output.show(manner, {"ok": True, "path": str(path), "exists": path.exists()})
    output.done(manner, _("The settings can work."), "hub doctor")


@verb(N_("Where the settings are written."), "hub config path")
def path(manner: Manner) -> None:
    """Say where the file is."""
    found = session.settings_of(manner).data / CONFIG_NAME
    output.show(
        manner, {"path": str(found), "exists": found.exists()}, Facts([(N_("Path"), str(found))])
    )
