"""Power cuts: F2. What was acknowledged is on the disk, whatever was only in memory is gone.

Node A lies on an ext4 image, the image on an XFS with shared extents. A cut: the process is
stopped in its tracks, the image is copied in one step (`cp --reflink`), the process is killed,
and the copy takes the place of the image. Whatever the kernel had not been made to write yet is
not in the copy. What this cannot show is a drive that lies about its own cache.

The control runs the same rig with `synchronous=OFF`. It must lose: else the rig proves nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.torture.child import Program
from tools.torture.nodes import Broken, Node
from tools.torture.rig import Outcome, pair

_SOON: Final = (0.05, 0.9)  # seconds of work before a cut
_LATER: Final = (1.5, 3.0)
_NEEDED: Final = ("losetup", "mount", "umount", "mkfs.ext4", "mkfs.xfs", "cp")


class Impossible(Exception):  # noqa: N818 - what is so
    """What this machine cannot do, and why."""


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(f"{' '.join(command)}: {done.stderr.strip()}")


class Disk:
    """A file system whose power can be cut."""

    def __init__(self, root: Path) -> None:
        self.mounted = root / "disk"
        self._below = root / "xfs"
        self._image = self._below / "disk.img"
        self._copy = self._below / "cut.img"

    @contextlib.contextmanager
    def ready(self, root: Path) -> Iterator[None]:
        """Made and mounted, and gone at the end. Raises Impossible."""
        missing = [one for one in _NEEDED if shutil.which(one) is None]
        if os.geteuid() != 0 or missing:
            raise Impossible(f"it takes root and {', '.join(missing) or 'loop devices'}")
        try:
            for folder in (self._below, self.mounted):
                folder.mkdir(parents=True, exist_ok=True)
            _sparse(root / "xfs.img", 2 << 30)
            _do("mkfs.xfs", "-q", "-m", "reflink=1", str(root / "xfs.img"))
            _do("mount", "-o", "loop", str(root / "xfs.img"), str(self._below))
            _sparse(self._image, 256 << 20)
            _do("mkfs.ext4", "-q", "-F", str(self._image))
            _do("cp", "--reflink=always", str(self._image), str(self._copy))
            _do("mount", "-o", "loop", str(self._image), str(self.mounted))
        except Broken as error:
            self._away()
            raise Impossible(str(error)) from error
        try:
            yield
        finally:
            self._away()

    def _away(self) -> None:
        for folder in (self.mounted, self._below):
            for how in ((), ("-l",)):
                done = subprocess.run(
                    ["umount", *how, str(folder)], capture_output=True, check=False
                )
                if done.returncode == 0:
                    break

    def cut(self, node: Node) -> None:
        """Cut the power under this node. It is stopped afterwards, its disk as after the cut."""
        # Its keeper may be between two processes.
        while not (pid := node.pid):
            time.sleep(0.01)
        os.kill(pid, signal.SIGSTOP)
        while not _stopped(pid):
            time.sleep(0.001)
        _do("cp", "--reflink=always", str(self._image), str(self._copy))
        node.stop(at_once=True)
        _do("umount", str(self.mounted))
        self._copy.replace(self._image)
        _do("mount", "-o", "loop", str(self._image), str(self.mounted))


def _stopped(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    return state in {"T", "Z", "X"}


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def cuts(outcome: Outcome, root: Path, seed: int, count: int) -> None:
    """Two companies at work; A's power is cut again and again, and it starts from what is left."""
    chance = random.Random(seed)
    disk = Disk(root)
    root.mkdir(parents=True, exist_ok=True)
    try:
        with (
            disk.ready(root),
            pair(root / "pair", seed, data_of_a=disk.mounted / "a") as two,
        ):
            working = threading.Event()
            failed: list[BaseException] = []

            def work() -> None:
                n = 0
                try:
                    while not working.is_set():
                        two.driver.round(n)
                        n += 1
                except BaseException as error:  # noqa: BLE001 - handed to the section
                    failed.append(error)

            driver = threading.Thread(target=work, daemon=True)
            driver.start()
            done = 0
            while done < count and not failed:
                # Mostly in the midst of a start; now and then there is time to get somewhere.
                time.sleep(chance.uniform(*(_SOON if chance.random() < 0.8 else _LATER)))
                disk.cut(two.a)
                two.a.start()
                two.a.until_ready()
                done += 1
            working.set()
            driver.join(180)
            outcome.figures |= {"cuts": done}
            if failed:
                raise Broken(f"after {done} cuts: {failed[0]}")
            two.finish(outcome)
    except Impossible as error:
        outcome.impossible = str(error)


def control(outcome: Outcome, root: Path, seed: int, count: int) -> None:
    """The same with a node that does not wait for its disk: it must lose."""
    chance = random.Random(seed)
    disk = Disk(root)
    root.mkdir(parents=True, exist_ok=True)
    acknowledged = lost = broken = 0
    try:
        with disk.ready(root):
            node = Node("A", disk.mounted / "a", root / "log", program=Program.UNSAFE)
            node.found()
            os.sync()
            for _ in range(count):
                node.start()
                node.until_ready()
                told = [title for n in range(60) if (title := _ticket(node, n))]
                time.sleep(chance.uniform(0.0, 0.2))
                disk.cut(node)
                acknowledged += len(told)
                held = _held(node)
                broken += held is None
                lost += len(told) if held is None else len(set(told) - held)
                if held is None:
                    break
    except Impossible as error:
        outcome.impossible = str(error)
        return
    outcome.figures |= {
        "cuts": count, "acknowledged": acknowledged, "lost": lost, "unreadable": broken
    }  # fmt: skip
    if not lost:
        outcome.problems.append("the rig loses nothing that was never synced: it proves nothing")


def _ticket(node: Node, n: int) -> str | None:
    title = f"{n} {uuid.uuid4().hex}"
    body = f'{{"title": "{title}"}}'.encode()
    status, _ = node.request("POST", "/api/v1/tickets", body, {"Content-Type": "application/json"})
    return title if status == 201 else None


def _held(node: Node) -> set[str] | None:
    """Titles that are on the disk; None where the database cannot be read any more."""
    import sqlite3

    try:
        with contextlib.closing(sqlite3.connect(node.data / "hub.db")) as connection:
            return {title for (title,) in connection.execute("SELECT title FROM tickets")}
    except sqlite3.Error:
        return None
