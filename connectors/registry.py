"""Every kind of desk there is a connector for: a table, no discovery."""

from __future__ import annotations

from importlib import resources
from typing import Final

from connectors.contract import Connector, Host
from connectors.rest.connector import RestConnector
from connectors.rest.description import Description
from connectors.rest.loading import load

TEMPLATES: Final = (
    "django-helpdesk",
    "jira-service-management",
    "naumen",
    "okdesk",
    "redmine",
    "request-tracker",
    "roundup",
    "servicenow",
    "webhook",
    "zendesk",
    "znuny",
)
"""Descriptions in connectors/desks; one of them is where a new desk begins."""


def template(name: str) -> str:
    """The text of a template. Raises KeyError for one there is not."""
    if name not in TEMPLATES:
        raise KeyError(name)
    return (resources.files("connectors") / "desks" / f"{name}.yaml").read_text("utf-8")


def described(text: str, file: str, host: Host) -> tuple[Description, Connector]:
    """A connector from a description. Raises BadDescription."""
    description = load(text, file)
    return description, RestConnector(description, host)
