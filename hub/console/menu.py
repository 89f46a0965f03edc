"""The places one can go to from anywhere, in the order of how often one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.domain.permission import Permission
from hub.i18n import N_


@dataclass(frozen=True, slots=True)
class Place:
    """One entry; it is shown to whoever may go there, where there is such a page."""

    page: str
    text: str  # a message id
    icon: str
    may: Permission
    on_phone: bool = False  # in the bar at the bottom
    key: str = ""  # G, then this key


MENU: Final = (
    Place("today", N_("Today"), "calendar", Permission.TICKETS_WORK, True, "Y"),
    Place("queue", N_("My queue"), "inbox", Permission.TICKETS_WRITE, True, "Q"),
    Place("tickets", N_("Tickets"), "ticket", Permission.TICKETS_READ, True, "T"),
    Place("partners", N_("Partners"), "building", Permission.LINKS_READ, True, "P"),
    Place("delivery", N_("Delivery"), "send", Permission.DELIVERIES_READ, False, "D"),
    Place("reports", N_("Reports"), "chart-bar", Permission.REPORTS_READ, False, "R"),
    Place("settings", N_("Settings"), "settings", Permission.PROFILE, True, "S"),
)

SETTINGS: Final = (
    Place("profile", N_("My profile"), "user-circle", Permission.PROFILE),
    Place("notices", N_("Notices"), "bell", Permission.PROFILE),
    Place("agents", N_("People"), "users", Permission.ADMIN),
    Place("teams", N_("Teams"), "users-group", Permission.RULES_WRITE),
    Place("customers", N_("Customers"), "book", Permission.DIRECTORIES_READ),
    Place("macros", N_("Macros"), "bolt", Permission.DIRECTORIES_WRITE),
    Place("fields", N_("Custom fields"), "forms", Permission.RULES_WRITE),
    Place("desks", N_("Foreign desks"), "plug", Permission.DESKS_WRITE),
    Place("webhooks", N_("Webhooks"), "webhook", Permission.DESKS_WRITE),
    Place("tokens", N_("API tokens"), "key", Permission.PROFILE),
    Place("node", N_("Company and node"), "building", Permission.ADMIN),
    Place("retention", N_("Retention"), "archive", Permission.ADMIN),
    Place("letters", N_("Letters"), "mail", Permission.DELIVERIES_READ),
    Place("health", N_("Health"), "heartbeat", Permission.HEALTH_READ),
    Place("limits", N_("Limits"), "ruler", Permission.HEALTH_READ),
    Place("audit", N_("Audit log"), "history", Permission.AUDIT_READ),
)
"""The menu of the settings."""
