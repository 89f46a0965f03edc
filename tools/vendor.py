"""Bring the front end's libraries into the repository, and check that they are what we took.

`python -m tools.vendor` fetches the packages named here with npm, writes the files we serve into
`hub/console/static/vendor/` and what they are (version, licence, SHA-256) into `VENDOR.json`
beside them. `python -m tools.vendor --check` only compares; it needs no network. Nothing is
changed in the files but the last line that names a source map we do not serve.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

VENDOR: Final = Path(__file__).resolve().parents[1] / "hub" / "console" / "static" / "vendor"
LIST: Final = VENDOR / "VENDOR.json"

PACKAGES: Final = {
    "htmx.org": (
        "4.0.1",
        "0BSD",
        {
            "dist/htmx.min.js": "htmx.min.js",
            "dist/ext/hx-sse.min.js": "hx-sse.min.js",
            "LICENSE": "htmx.LICENSE",
        },
    ),
    "@tabler/core": (
        "1.6.1",
        "MIT",
        {
            "dist/css/tabler.min.css": "tabler.min.css",
            "dist/js/tabler.min.js": "tabler.min.js",
        },
    ),
    "@tabler/icons": ("3.51.0", "MIT", {"LICENSE": "tabler.LICENSE"}),
}
"""Version, licence, and which file of the package goes where."""

_BOUNDS: Final = 'stroke="none" d="M0 0h24'  # an invisible square around each drawing

ICONS: Final = """
activity adjustments affiliate alarm alert-circle alert-triangle archive arrow-back arrow-back-up
arrow-forward arrow-left arrow-narrow-right arrow-right arrow-up bell bell-off bolt book bookmark
brand-telegram briefcase building calendar camera chart-bar check checklist checks chevron-down
chevron-left chevron-right chevron-up circle circle-check circle-dashed circle-dot circle-x
clipboard clock clock-hour-4 clock-pause cloud columns copy dashboard database device-desktop
device-floppy device-mobile dots dots-vertical download edit external-link eye eye-off file file-
text filter fingerprint flag flame folder forms hash headset help heart heartbeat history home
hourglass id inbox info-circle key keyboard language layout-kanban link link-off list lock lock-
open login logout mail map-pin menu-2 message message-2 message-circle messages mood-smile moon
network note notes outbound paperclip pencil phone photo player-pause player-play player-skip-
forward plug plus point power printer progress qrcode question-mark rating-12-plus receipt refresh
repeat reload robot rotate route ruler scale search send server settings share shield shield-check
shield-lock sitemap sort-ascending sort-descending star star-filled stopwatch sun table tag
template thumb-down thumb-up ticket tool tools trash truck unlink upload user user-check user-
circle user-minus user-plus users users-group video wallet webhook world x
""".split()  # noqa: SIM905 - names read better in rows
"""The drawings we use, by Tabler's names."""


def main() -> int:
    """Fetch or check. Exit 1 where something is not what the list says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; no network")
    if not parser.parse_args().check:
        fetch()
    wrong = differences()
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def fetch() -> None:
    """Write every file and the list of them."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    said = []
    for name, (version, licence, wanted) in PACKAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--silent", f"{name}@{version}"]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            archive = next(Path(folder).glob("*.tgz"))
            with tarfile.open(archive) as package:
                files = {
                    place: _served(place, _read(package, inside))
                    for inside, place in wanted.items()
                }
                if name == "@tabler/icons":
                    files["icons.json"] = _icons(package)
        for place, content in files.items():
            (VENDOR / place).write_bytes(content)
        sums = {place: sha256(content).hexdigest() for place, content in sorted(files.items())}
        said.append({"name": name, "version": version, "licence": licence, "files": sums})
    LIST.write_text(json.dumps(said, indent=2) + "\n")


def differences() -> list[str]:
    """What is not as the list says, a line each."""
    listed = {
        place: digest
        for one in json.loads(LIST.read_text())
        for place, digest in one["files"].items()
    }
    there = {path.name for path in VENDOR.iterdir() if path.is_file()} - {LIST.name}
    wrong = [f"not in {LIST.name}: {name}" for name in sorted(there - listed.keys())]
    for place, digest in listed.items():
        path = VENDOR / place
        if not path.exists():
            wrong.append(f"missing: {place}")
        elif sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"changed: {place}")
    pinned = {name: (version, licence) for name, (version, licence, _) in PACKAGES.items()}
    taken = {one["name"]: (one["version"], one["licence"]) for one in json.loads(LIST.read_text())}
    if pinned != taken:
        wrong.append(f"{LIST.name} names other versions than this program: run it")
    return wrong


def _read(package: tarfile.TarFile, inside: str) -> bytes:
    found = package.extractfile(f"package/{inside}")
    assert found is not None, inside
    return found.read()


def _served(place: str, content: bytes) -> bytes:
    if not place.endswith((".js", ".css")):
        return content
    return re.sub(rb"\n?(//|/\*)# sourceMappingURL=\S+( \*/)?\s*$", b"", content) + b"\n"


def _icons(package: tarfile.TarFile) -> bytes:
    """What stands within each drawing, by its name."""
    drawn = {}
    for name in sorted(set(ICONS)):
        style, base = ("filled", name[:-7]) if name.endswith("-filled") else ("outline", name)
        svg = _read(package, f"icons/{style}/{base}.svg").decode()
        inner = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
        lines = [line.strip() for line in inner.splitlines() if _BOUNDS not in line]
        drawn[name] = "".join(lines)
    return (json.dumps(drawn, indent=0, sort_keys=True) + "\n").encode()


if __name__ == "__main__":
    sys.exit(main())
