"""The suite every connector must pass, whatever it is made of and whatever desk is behind it.

It knows no test framework: `cases()` gives named coroutines that raise AssertionError. Whoever
runs it brings a `Rig`: a way to the desk, and `People`, who work over there and say what they
see. The faults are put between the connector and its transport, so the same cases run against a
simulator and against real software.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from connectors.conformance.promises import (
    a_file_cut_off_is_no_file,
    a_private_file_is_private_there_or_not_sent,
    a_ticket_comes_once,
    a_ticket_is_made_once,
    a_webhook_points_at_its_ticket,
    a_wrong_key_is_noticed,
    an_old_webhook_is_not_believed,
    an_unknown_status_is_shown_and_the_rest_goes_on,
    comments_come_with_their_privacy,
    errors_say_how_long_to_wait,
    every_status_we_tell_reads_back_the_same,
    nothing_is_lost_while_pages_turn,
    one_bad_ticket_waits_alone,
    our_comments_arrive,
    our_files_arrive_whole,
    the_check_finds_nothing_wrong,
    the_same_words_twice_are_two_comments,
    their_files_come_whole,
    their_statuses_are_understood,
    times_are_instants,
    two_changes_in_one_tick_both_come,
    what_is_deleted_is_gone,
    what_is_merged_says_where_it_is,
    what_is_so_already_is_not_written,
    what_was_there_before_is_not_news,
    what_we_resolved_and_they_reopened_is_open,
)
from connectors.conformance.rig import FAULTS, Fault, Hands, People, Rig, Seen, a_file, a_wish
from connectors.conformance.troubles import DEEDS, TROUBLES, a_poll_through, one_fault
from connectors.contract import DeskError

__all__ = [
    "FAULTS",
    "Fault",
    "Hands",
    "People",
    "Rig",
    "Seen",
    "a_file",
    "a_wish",
    "cases",
    "fault_cases",
    "run",
]

_CASES: Final[tuple[tuple[Callable[[Rig], Awaitable[None]], str, str], ...]] = (
    (the_check_finds_nothing_wrong, "", ""),
    (a_wrong_key_is_noticed, "fetch", ""),
    (a_ticket_comes_once, "pull", ""),
    (what_was_there_before_is_not_news, "pull", ""),
    (comments_come_with_their_privacy, "fetch", "reply"),
    (their_statuses_are_understood, "fetch", "move"),
    (an_unknown_status_is_shown_and_the_rest_goes_on, "fetch", "strange"),
    (their_files_come_whole, "fetch", "file"),
    (a_file_cut_off_is_no_file, "fetch", "file"),
    (a_ticket_is_made_once, "find", ""),
    (our_comments_arrive, "fetch", ""),
    (the_same_words_twice_are_two_comments, "fetch", ""),
    (our_files_arrive_whole, "attach", ""),
    (a_private_file_is_private_there_or_not_sent, "attach", ""),
    (every_status_we_tell_reads_back_the_same, "set_status", ""),
    (what_we_resolved_and_they_reopened_is_open, "set_status", "move"),
    (what_is_so_already_is_not_written, "set_status", ""),
    (nothing_is_lost_while_pages_turn, "pull", "reply"),
    (two_changes_in_one_tick_both_come, "pull", "reply"),
    (what_is_deleted_is_gone, "fetch", "delete"),
    (what_is_merged_says_where_it_is, "fetch", "merge"),
    (one_bad_ticket_waits_alone, "pull", "spoil"),
    (a_webhook_points_at_its_ticket, "webhooks", "hook"),
    (an_old_webhook_is_not_believed, "webhooks", "dated"),
    (times_are_instants, "fetch", ""),
    (errors_say_how_long_to_wait, "pull", ""),
)
"""Case, the connector's capability it needs, what people over there must be able to do."""


def cases(rig: Rig) -> Iterator[tuple[str, Callable[[Rig], Awaitable[None]]]]:
    """Every case that applies to this desk; a case that does not apply is not run."""
    for case, needs, people in _CASES:
        if _applies(rig, needs, people):
            yield case.__name__, case


def _applies(rig: Rig, needs: str, people: str) -> bool:
    able = not needs or getattr(rig.connector().capabilities, needs)
    return able and (not people or people in rig.people.can)


def fault_cases(rig: Rig) -> Iterator[tuple[str, Callable[[Rig], Awaitable[Any]]]]:
    """Every deed with every fault, and what goes wrong between requests."""
    capable = rig.connector().capabilities
    for deed, (needs, _) in DEEDS.items():
        if not getattr(capable, needs):
            continue
        for fault in FAULTS:
            yield f"{deed}-{fault.name}", _bound(deed, fault)
    if capable.pull:
        for fault in FAULTS:
            yield f"poll-{fault.name}", _poll_bound(fault)
    for name, case, needs, people in TROUBLES:
        if _applies(rig, needs, people):
            yield name, case


def _bound(deed: str, fault: Fault) -> Callable[[Rig], Awaitable[int]]:
    return lambda rig: one_fault(rig, deed, fault)


def _poll_bound(fault: Fault) -> Callable[[Rig], Awaitable[int]]:
    return lambda rig: a_poll_through(rig, fault)


def run(rig_of: Callable[[], Rig]) -> dict[str, str]:
    """All cases, each on a fresh rig; name to what went wrong, empty where nothing did."""

    async def one(case: Callable[[Rig], Awaitable[Any]]) -> str:
        try:
            await case(rig_of())
        except (AssertionError, DeskError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    probe = rig_of()
    every = [*cases(probe), *fault_cases(probe)]
    return {name: asyncio.run(one(case)) for name, case in every}
