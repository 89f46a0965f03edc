"""The conformance suite against real software, installed and started here.

`python -m pytest -m slow tests/connectors/real`; the first run fetches packages. HUB_REAL_DESKS names
the folder they stay in.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors import conformance
from tests.connectors.real.people import Colleagues, DjangoHelpdesk, Roundup

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("HUB_REAL_DESKS", Path(tempfile.gettempdir()) / "hub-real-desks"))
FAULTS = ("create-trouble_after_it", "create-no_answer_after_it", "comment-trouble_after_it",
          "comment-answer_is_cut", "attach-gateway_gives_up_after_it", "change-no_answer_after_it",
          "poll-trouble_before_it")  # fmt: skip

Start = Callable[[], Colleagues]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.one_database]


@contextmanager
def _started(name: str, script: str, path: str) -> Iterator[str]:
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        ["sh", str(HERE / script), str(folder), str(port)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"NOT TESTED AGAINST {name}: {done.stderr[-300:]}")
    try:
        _answers(f"http://127.0.0.1:{port}{path}")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(int((folder / "pid").read_text()), signal.SIGTERM)


def _answers(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError:
            return  # it is there and wants to know who asks
        except OSError:
            assert time.monotonic() < until, f"{url} does not answer"
            time.sleep(0.2)
        else:
            return


@pytest.fixture(scope="module")
def roundup() -> Iterator[Start]:
    with _started("roundup", "roundup_up.sh", "/desk/rest/data/issue") as base:
        yield lambda: Roundup(f"{base}/desk", FOLDER / "roundup")


@pytest.fixture(scope="module")
def helpdesk() -> Iterator[Start]:
    with _started("django-helpdesk", "django_helpdesk_up.sh", "/api/tickets/") as base:
        yield lambda: DjangoHelpdesk(base, FOLDER / "django-helpdesk")


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
