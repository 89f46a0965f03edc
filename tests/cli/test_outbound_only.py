"""Two processes, of which nobody can call one: it calls, and the work goes both ways."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Node, found, free_port, hub

PHOTO = bytes(range(256)) * 6_000  # a part and a half


class Served:
    """One node in a process of its own."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hub", "serve", "--data", str(node.data), "--json"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "HUB_LANG": "en", "HUB_LIMITS__RETRY_CAP_S": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        assert b"{" in self._process.stdout.readline()  # it says that it listens

    def stop(self) -> float:
        """End it as an operator does; how many seconds that took."""
        began = time.monotonic()
        self._process.terminate()
        assert self._process.wait(20) == 0
        self._process.stdout.close()  # type: ignore[union-attr]
        return time.monotonic() - began

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(20)
        self._process.stdout.close()  # type: ignore[union-attr]


def _hidden(data: Path, name: str) -> Node:
    url = f"http://127.0.0.1:{free_port()}"
    node = Node(name, data, url)
    node("init", "--name", name, "--url", url, "--outbound-only")
    return node


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Node, Node, dict[str, Served]]]:
    plus, south = found(tmp_path / "a", "Сервис Плюс"), _hidden(tmp_path / "b", "Мастер-Юг")
    served = {"plus": Served(plus), "south": Served(south)}
    yield plus, south, served
    for one in served.values():
        one.kill()


def test_a_company_behind_a_router_takes_part_like_any_other(
    two: tuple[Node, Node, dict[str, Served]], tmp_path: Path
) -> None:
    plus, south, served = two
    refused = south("link", "invite", "Сервис Плюс", fails=4)
    assert refused["code"] == "outbound_only"
    code = plus("link", "invite", "Мастер-Юг")["code"]
    assert south("link", "accept", code, "--yes")["state"] == "active"
    with pytest.raises(urllib.error.HTTPError) as nothing:  # it listens to its own people alone
        urllib.request.urlopen(f"{south.url}/.well-known/txp")
    assert nothing.value.code == 404

    ours = plus("ticket", "new", "--title", "Не печатает чек")["number"]
    plus("ticket", "handoff", ours, "--to", "Мастер-Юг")
    (theirs,) = south.until(("ticket", "list"), lambda t: len(t["tickets"]) == 1)["tickets"]
    south("ticket", "accept", theirs["number"])
    plus.in_state(ours, "accepted")
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PHOTO)
    south("ticket", "attach", theirs["number"], str(photo))
    plus.ticket(ours, lambda t: [f["state"] for f in t["attachments"]] == ["available"])

    # Both are started anew, one killed: nothing is lost and nothing comes twice.
    served["plus"].kill()
    south("ticket", "comment", theirs["number"], "Едем", "--public")
    served["plus"] = Served(plus)
    plus.ticket(ours, lambda t: [c["body"] for c in t["comments"]] == ["Едем"])
    assert served["south"].stop() < 15  # it does not wait for the answer it waits for
    plus("ticket", "comment", ours, "Ждём", "--public")
    served["south"] = Served(south)
    south.ticket(theirs["number"], lambda t: [c["body"] for c in t["comments"]] == ["Едем", "Ждём"])
    plus.at_rest()
    south.at_rest()

    link = plus("link", "show", "Мастер-Юг")
    assert (link["collects"], link["health"]) == (True, "healthy")
    assert link["collected_at"] is not None
    said = hub("doctor", data=plus.data)
    assert "cannot be called; it collected" in said.out
    assert "None: partners do not call this node" in hub("doctor", data=south.data).out
    assert served["plus"].stop() < 15  # nor for the call that waits at its door
