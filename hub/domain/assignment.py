"""What our own people note on a ticket, beside what may be disclosed. None of it ever leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from hub.errors import Refused

TAG_MAX: Final = 64
TAGS_MAX: Final = 20


class DueSource(StrEnum):
    """Where the deadline of a ticket comes from."""

    PERSON = "person"  # one of our people set it
    PRINCIPAL = "principal"  # it came with the hand-off
    RULE = "rule"  # computed from a commitment


class VisitStage(StrEnum):
    """How far the engineer is."""

    PLANNED = "planned"
    ON_WAY = "on_way"
    ON_SITE = "on_site"
    DONE = "done"


NEXT_STAGE: Final = {
    VisitStage.PLANNED: VisitStage.ON_WAY,
    VisitStage.ON_WAY: VisitStage.ON_SITE,
    VisitStage.ON_SITE: VisitStage.DONE,
}
"""What the big button does."""


class LinkKind(StrEnum):
    """How two tickets of ours belong together."""

    RELATED = "related"
    DUPLICATE = "duplicate"  # of the other


@dataclass(frozen=True, slots=True)
class Assignment:
    """Whose it is here, for whom, and when."""

    team_id: str | None = None
    due_source: DueSource | None = None
    customer_id: str | None = None
    site_id: str | None = None
    asset_id: str | None = None
    visit_at: datetime | None = None
    visit_stage: VisitStage | None = None


def tidy_tags(tags: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The tags as they are kept: trimmed, lower case, each once. Raises Refused(tag_invalid)."""
    found = sorted({" ".join(one.casefold().split()) for one in tags} - {""})
    if len(found) > TAGS_MAX or any(len(one) > TAG_MAX or "," in one for one in found):
        raise Refused(
            "tag_invalid",
            "A ticket has at most {most} tags of {limit} characters, without commas.",
            most=TAGS_MAX,
            limit=TAG_MAX,
        )
    return tuple(found)
