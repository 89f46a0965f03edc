"""Files that never change: styles, programs and drawings, under addresses made of their content.

Everything is read and compressed once, when the node begins to serve; an address names the
digest of what it gives, so a browser keeps it for a year.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from markupsafe import Markup

STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    content_type: str
    plain: bytes
    packed: bytes  # gzip
    digest: str


class Assets:
    """Every file of `static/`, by its path there."""

    def __init__(self, root: Path = STATIC) -> None:
        self._found = {
            path.relative_to(root).as_posix(): _read(path)
            for path in sorted(root.rglob("*"))
            if path.suffix in _TYPES
        }
        self._icons: dict[str, str] = json.loads((root / "vendor" / "icons.json").read_text())
        self._drawn: dict[tuple[str, str], Markup] = {}  # a list shows each a hundred times

    def path(self, name: str) -> str:
        """The address of this file's content."""
        return f"/static/{self._found[name].digest}/{name}"

    def find(self, digest: str, name: str) -> Asset | None:
        """The file, if it is still what the address says."""
        found = self._found.get(name)
        return found if found is not None and found.digest == digest else None

    def icon(self, name: str, kind: str = "") -> Markup:
        """A drawing that says nothing by itself: the word stands beside it.

        `kind` comes from a template, so there are few of them.
        """
        drawn = self._drawn.get((name, kind))
        if drawn is None:
            drawn = self._drawn[name, kind] = self._draw(name, kind)
        return drawn

    def _draw(self, name: str, kind: str) -> Markup:
        fill = ("currentColor", "none") if name.endswith("-filled") else ("none", "currentColor")
        # What stands in it came with the release and was checked against its list.
        inner = Markup(self._icons[name])  # noqa: S704
        return Markup(
            '<svg class="icon {}" width="24" height="24" viewBox="0 0 24 24" fill="{}" stroke="{}"'
            ' stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"'
            ' focusable="false">{}</svg>'
        ).format(kind, *fill, inner)


def _read(path: Path) -> Asset:
    plain = path.read_bytes()
    return Asset(
        _TYPES[path.suffix],
        plain,
        gzip.compress(plain, 9, mtime=0),
        sha256(plain).hexdigest()[:16],
    )
