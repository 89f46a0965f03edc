"""The torture's own parts: a line that breaks as it says, a checker that sees what is wrong."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.torture import check
from tools.torture.driver import Api, Case, Ledger, Said, Sent
from tools.torture.nodes import Node, free_port
from tools.torture.proxy import Fault, Proxy

_SAID = bytes(range(200))


@pytest.fixture
def line() -> Iterator[Proxy]:
    """A proxy before a server that says everything back."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                one, _ = server.accept()
            except OSError:
                return
            with one:
                while got := one.recv(65536):
                    one.sendall(got)

    threading.Thread(target=serve, daemon=True).start()
    proxy = Proxy(free_port(), server.getsockname()[1], seed=1, rate=0.0)
    yield proxy
    proxy.close()
    server.close()


def _echo(proxy: Proxy, fault: Fault, at: int = 0) -> bytes:
    """What comes back of what is said, as far as anything does."""
    proxy.next_ones([(fault, at)])
    got = b""
    with socket.create_connection(("127.0.0.1", proxy._port), timeout=10) as one:
        try:
            one.sendall(_SAID)
            while len(got) < len(_SAID) and (more := one.recv(65536)):
                got += more
        except ConnectionError:
            pass
    return got


def test_a_line_without_a_fault_changes_nothing(line: Proxy) -> None:
    assert _echo(line, Fault.NONE) == _SAID


@pytest.mark.parametrize("fault", [Fault.FLIPPED_REQUEST, Fault.FLIPPED_REPLY])
def test_one_bit_is_another(line: Proxy, fault: Fault) -> None:
    got = int.from_bytes(_echo(line, fault, 77))
    assert (got ^ int.from_bytes(_SAID)).bit_count() == 1


@pytest.mark.parametrize("fault", [Fault.LOST_REPLY, Fault.REFUSED])
def test_no_answer_comes(line: Proxy, fault: Fault) -> None:
    assert _echo(line, fault) == b""
    assert line.suffered[fault] == 1


@pytest.mark.parametrize("at", [0, 1, 199])
def test_an_answer_is_cut_at_the_byte(line: Proxy, at: int) -> None:
    assert _SAID[:at].startswith(_echo(line, Fault.CUT_REPLY, at))


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api(Node("A", tmp_path, tmp_path / "log"), Ledger())
    monkeypatch.setattr(made, "download", lambda _ticket, _name: b"x")
    return made


def _case() -> Case:
    digest = hashlib.sha256(b"x").hexdigest()
    return Case(
        "printer",
        "T-1",
        handoff="hnd",
        steps=["offered", "accepted"],
        said=[Said("A", "c1", "mine", True), Said("B", "c2", "theirs", False)],
        sent=[Sent("A", "photo", digest)],
    )


def _view(case: Case) -> dict[str, Any]:
    return {
        "number": "T-1",
        "description": "",
        "comments": [{"body": "mine", "redacted": False}],
        "attachments": [
            {"name": one.name, "sha256": one.sha256, "state": "available"} for one in case.sent
        ],
        "handoffs": [{"id": "hnd", "state": "accepted", "rating": None}],
        "history": [
            {"before": None, "after": "offered"},
            {"before": "offered", "after": "accepted"},
            {"before": "accepted", "after": "accepted"},
        ],
    }


def test_what_is_as_acknowledged_is_no_problem(api: Api) -> None:
    assert check._held(api, _view(_case()), _case()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"comments": []},
        {"comments": [{"body": "mine", "redacted": False}] * 2},
        {"comments": [{"body": one, "redacted": False} for one in ("mine", "theirs")]},
        {"comments": [{"body": one, "redacted": False} for one in ("mine", "ghost")]},
        {"comments": [{"body": "mine", "redacted": False}, {"body": "", "redacted": True}]},
        {"attachments": []},
        {"handoffs": [{"id": "hnd", "state": "offered", "rating": None}]},
        {"history": [{"before": None, "after": "offered"}]},
    ],
    ids=["lost", "doubled", "leaked", "from nowhere", "taken back", "no file", "state", "step"],
)
def test_what_is_lost_doubled_or_leaked_is_found(api: Api, wrong: dict[str, Any]) -> None:
    assert check._held(api, _view(_case()) | wrong, _case())
