"""The conformance suite against real software, installed and started here.

`sh tools/install_desks.sh`, then `python -m pytest -m slow tests/connectors/real`; the first run
fetches what is not Debian's. HUB_REAL_DESKS names the folder they stay in; with HUB_REQUIRE_DESKS a
desk that does not start is a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from connectors import conformance
from tests.connectors.real.people import (
    Colleagues,
    DjangoHelpdesk,
    Redmine,
    RequestTracker,
    Roundup,
)
from tests.connectors.real.starting import free_port, started

FAULTS = frozenset({"create-trouble_after_it", "comment-answer_is_cut",
                    "attach-gateway_gives_up_after_it", "change-no_answer_after_it",
                    "poll-trouble_before_it", "poll-our_clock_an_hour_ahead",
                    "poll-restart_between_pages", "hook-twice", "hook-out_of_order"})  # fmt: skip
"""The rest is asked of the simulators: how often a real desk can be asked is a matter of time."""

Start = Callable[[], Colleagues]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500), pytest.mark.one_database]


@pytest.fixture(scope="module")
def roundup() -> Iterator[Start]:
    with started("roundup", "/desk/rest/data/issue") as (base, folder):
        yield lambda: Roundup(f"{base}/desk", folder)


@pytest.fixture(scope="module")
def helpdesk() -> Iterator[Start]:
    with started("django-helpdesk", "/api/tickets/") as (base, folder):
        yield lambda: DjangoHelpdesk(base, folder)


@pytest.fixture(scope="module")
def redmine() -> Iterator[Start]:
    with started("redmine", "/users/current.json") as (base, folder):
        yield lambda: Redmine(base, folder)


@pytest.fixture(scope="module")
def request_tracker() -> Iterator[Start]:
    port = free_port()
    with started("request-tracker", "/REST/2.0/rt", port) as (base, folder):
        yield lambda: RequestTracker(base, folder, port)


async def _kept(start: Start) -> None:
    rig = start().rig()
    every = [*conformance.cases(rig)]
    every += [(name, case) for name, case in conformance.fault_cases(rig) if name in FAULTS]
    broken = []
    for name, case in every:
        try:
            await case(start().rig())
        except AssertionError as error:
            broken.append(f"{name}: {error}")
    assert not broken, "\n".join(broken)
    assert len(every) > 20


async def test_roundup_itself_keeps_every_promise_through_us(roundup) -> None:
    await _kept(roundup)


async def test_django_helpdesk_itself_keeps_every_promise_through_us(helpdesk) -> None:
    await _kept(helpdesk)


async def test_redmine_itself_keeps_every_promise_through_us(redmine) -> None:
    await _kept(redmine)


async def test_request_tracker_itself_keeps_every_promise_through_us(request_tracker) -> None:
    await _kept(request_tracker)
