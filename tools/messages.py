"""Bring the Russian catalogue to what the program says now: `make messages`.

Texts nobody says any more go, new ones come in empty (and are named), all stand in the order of
the files that say them; so the same texts always make the same file, whoever wrote them first.
Other catalogues may be given whose translations are taken in where ours has none.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "hub" / "locale" / "ru" / "LC_MESSAGES" / "hub.po"


def main() -> int:
    """Write it. Exit 1 where a text has no translation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("also", nargs="*", type=Path, help="catalogues to take translations from")
    arguments = parser.parse_args()
    known = _read(CATALOGUE)
    translated = _translations(known)
    for other in arguments.also:
        translated = _translations(_read(other)) | translated
    said = Catalog(locale="ru")
    for file, _line, message_id, _comments, context in _said():
        said.add(message_id, locations=[(file, 0)], context=context)
    missing = []
    for message in said:
        if not message.id:
            continue
        message.string = translated.get(_key(message), message.string)
        if not _is_said(message):
            missing.append(message)
    header, _blank, _rest = CATALOGUE.read_bytes().partition(b"\n\n")
    with CATALOGUE.open("wb") as written:
        # One line a message, no line numbers and no dates: only texts that change make a
        # difference.
        written.write(header + b"\n\n")
        write_po(written, said, width=0, include_lineno=False, omit_header=True)
    with CATALOGUE.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, _read(CATALOGUE))
    for message in missing:
        print(f"not translated: {message.id!r}", file=sys.stderr)
    return 1 if missing else 0


def _said() -> list[tuple[str, int, str | tuple[str, ...], list[str], str | None]]:
    """Every text of the program, by file and then as they stand in it."""
    with (ROOT / "babel.cfg").open() as mapping:
        methods, options = parse_mapping_cfg(mapping)
    return sorted(
        extract_from_dir(ROOT, method_map=methods, options_map=options),
        key=lambda one: (one[0], one[1]),
    )


def _read(path: Path) -> Catalog:
    with path.open("rb") as source:
        return read_po(source, locale="ru")


def _translations(catalogue: Catalog) -> dict[object, object]:
    return {_key(one): one.string for one in catalogue if one.id and _is_said(one)}


def _is_said(message: Message) -> bool:
    """Whether the text has a translation, in every form it needs."""
    said = message.string
    return bool(said) if isinstance(said, str) else bool(said) and all(said)


def _key(message: Message) -> object:
    return message.context, message.id


if __name__ == "__main__":
    sys.exit(main())
