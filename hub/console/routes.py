"""Every page of the console, in one table. What is not here does not exist."""

from __future__ import annotations

from typing import Final

from hub.console import work_pages
from hub.console.door import Page
from hub.console.pages import (
    agents,
    audit,
    delivery,
    home,
    node,
    partners,
    profile,
    sign_in,
    static,
    tokens,
)

PAGES: Final[tuple[Page, ...]] = (
    *work_pages.PAGES,
    *home.PAGES,
    *static.PAGES,
    *sign_in.PAGES,
    *profile.PAGES,
    *agents.PAGES,
    *tokens.PAGES,
    *audit.PAGES,
    *node.PAGES,
    *partners.PAGES,
    *delivery.PAGES,
)
