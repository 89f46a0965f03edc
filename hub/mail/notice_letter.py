"""The letter that tells one of our people what waits for them: which kinds, which tickets, where.

Nothing that anybody said is in it: whoever reads it in passing learns numbers and titles.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from hub.actions import correspondence, notices
from hub.actions.context import Hub
from hub.i18n import N_, gettext, ngettext, reading_in
from hub.mail.compose import Draft, as_html
from hub.mail.mailboxes import Mailbox

if TYPE_CHECKING:
    from hub.storage.agents import Agent
    from hub.storage.posts import Post


KINDS: Final = {
    "assigned": N_("Tickets that became yours"),
    "acceptance": N_("Offers that wait for an answer"),
    "replies": N_("New replies"),
    "deadline": N_("Deadlines that are near or over"),
    "returned": N_("Work that came back"),
    "rating": N_("Finished work that waits for a judgement"),
    "alarm": N_("Something on the node needs a person"),
}


def draft(hub: Hub, post: Post, agent: Agent, mailbox: Mailbox) -> Draft:
    """The letter, in the reader's language."""
    language = agent.language or hub.account.language
    lines, more = post.facts["lines"], int(post.facts["more"])
    with reading_in(language):
        count = len(lines) + more
        subject = ngettext("{count} thing waits for you", "{count} things wait for you", count)
        paragraphs = [
            "\n".join([gettext(KINDS[kind]), *(_line(hub, *one[1:]) for one in some)])
            for kind, some in groupby(sorted(lines, key=_kind), _kind)
        ]
        if more:
            left = ngettext("… and {count} more.", "… and {count} more.", more)
            paragraphs.append(left.format(count=more))
        footer = _footer(hub, agent.id, post.facts["kinds"])
    return Draft(
        sender=mailbox.address,
        sender_name=mailbox.name or hub.account.name,
        recipient=agent.email,
        subject=subject.format(count=count),
        text="\n\n".join([*paragraphs, f"-- \n{footer}"]) + "\n",
        html=as_html(paragraphs, "", footer, language),
        message_id=post.message_id,
        at=post.made_at,
        reply_to=mailbox.address,
        automatic=True,
        unsubscribe=_leaving(hub, agent.id, post.facts["kinds"]),
        mark=correspondence.mark(hub),
        hops=1,
    )


def _kind(line: list[str]) -> str:
    return line[0]


def _line(hub: Hub, number: str, title: str) -> str:
    path = f"tickets/{number}" if number else "settings/health"
    where = f"{hub.account.base_url}/{path}" if hub.account.base_url else ""
    return f"  {number} {title} {where}".rstrip()


def _leaving(hub: Hub, agent_id: str, kinds: list[str]) -> str:
    if not hub.account.base_url:
        return ""  # nobody can call us: it is switched off in the settings
    return f"{hub.account.base_url}/n/{notices.leaving(hub, agent_id, kinds)}"


def _footer(hub: Hub, agent_id: str, kinds: list[str]) -> str:
    told = [
        gettext("What {company} tells you by letter, and when, is chosen in your settings.").format(
            company=hub.account.name
        )
    ]
    if hub.account.base_url:
        told.append(gettext("No more letters about one of these:"))
        told += [f"{gettext(KINDS[one])}: {_leaving(hub, agent_id, [one])}" for one in kinds]
    return "\n".join(told)
