"""Every page of the console, in one table. What is not here does not exist."""

from __future__ import annotations

from typing import Final

from hub.console import work_pages
from hub.console.door import Page
from hub.console.pages import (
    agents,
    audit,
    delivery,
    desks,
    directories,
    fields,
    home,
    letters,
    macros,
    node,
    notices,
    palette,
    partners,
    profile,
    retention,
    sign_in,
    static,
    teams,
    tokens,
    webhooks,
)

PAGES: Final[tuple[Page, ...]] = (
    *work_pages.PAGES,
    *home.PAGES,
    *palette.PAGES,
    *static.PAGES,
    *sign_in.PAGES,
    *profile.PAGES,
    *notices.PAGES,
    *letters.PAGES,
    *agents.PAGES,
    *teams.PAGES,
    *directories.PAGES,
    *macros.PAGES,
    *fields.PAGES,
    *desks.PAGES,
    *webhooks.PAGES,
    *tokens.PAGES,
    *retention.PAGES,
    *audit.PAGES,
    *node.PAGES,
    *partners.PAGES,
    *delivery.PAGES,
)
