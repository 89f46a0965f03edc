"""A disk that is full, and then is not: F8."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from pathlib import Path
from typing import Final

from tools.torture.nodes import Broken
from tools.torture.rig import Outcome, pair

_SIZE: Final = "64m"


def full(outcome: Outcome, root: Path, seed: int, count: int) -> None:
    """A's data directory lies on a small tmpfs that is filled at random moments and freed again."""
    chance = random.Random(seed)
    small = root / "small"
    small.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(small)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        outcome.impossible = f"no small tmpfs: {made.stderr.strip()}"
        return
    try:
        with pair(root / "pair", seed, data_of_a=small / "a") as two:
            filled = 0
            stop = threading.Event()

            def fill() -> None:
                nonlocal filled
                while filled < count and not stop.is_set():
                    time.sleep(chance.uniform(0.1, 1.0))
                    _fill(small / "filler", leave=chance.choice([0, 0, 1, 9, 70]) * 4096)
                    time.sleep(chance.uniform(0.3, 1.0))
                    (small / "filler").unlink()
                    filled += 1

            filler = threading.Thread(target=fill, daemon=True)
            filler.start()
            n = 0
            try:
                while filler.is_alive():
                    two.driver.round(n)
                    n += 1
            finally:
                stop.set()
                filler.join(10)
            if two.kills() or two.exits():
                raise Broken(f"it did not recover without a restart: {two.a.died}")
            outcome.figures["times_full"] = filled
            two.finish(outcome)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)


def _fill(path: Path, *, leave: int) -> None:
    """Take all the room there is but for so many bytes."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 14, 1 << 12):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
        file.flush()
        os.ftruncate(file.fileno(), max(0, file.tell() - leave))
