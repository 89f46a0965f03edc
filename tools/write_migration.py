"""Write the migration that is not released yet: what the tables have beyond the last released one.

`python -m tools.write_migration` replaces the file of the newest revision; `--new "Title"`
begins the next one. The file says exactly what Alembic found. What must happen to the rows goes
into a function `_rows()` at its end: it is kept, and called behind the changes of shape.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from hub.storage import migrate
from hub.storage.database import sqlite_engine

_ROWS = "def _rows("
VERSIONS = Path(migrate.__file__).parent / "migrations" / "versions"


def main() -> int:
    """Write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--new", metavar="TITLE", help="begin the next revision")
    arguments = parser.parse_args()
    newest = max(VERSIONS.glob("[0-9]*.py"))
    rows = ""
    if arguments.new:
        number, title = f"{int(newest.name[:4]) + 1:04}", arguments.new
    else:
        number = newest.name[:4]
        old = newest.read_text()
        title = old.split('"""')[1].splitlines()[0].rstrip(".")
        rows = old[old.index(_ROWS) :] if _ROWS in old else ""
        newest.unlink()
    with tempfile.TemporaryDirectory() as folder:
        engine = sqlite_engine(Path(folder) / "hub.db")
        with engine.connect() as connection:
            config = migrate._config(connection)
            command.upgrade(config, "head")
            command.revision(config, message=title, autogenerate=True, rev_id=number)
    written = next(VERSIONS.glob(f"{number}_*.py"))
    text = re.sub(r"^ *# ### .*\n", "", written.read_text(), flags=re.MULTILINE)
    # As SQLite spells truth; PostgreSQL takes no number for it.
    text = text.replace('sa.text("0")', "sa.false()").replace('sa.text("1")', "sa.true()")
    text = text.replace("sa.text('0')", "sa.false()").replace("sa.text('1')", "sa.true()")
    if rows:
        text = text.replace("\n\n\ndef downgrade", "\n    _rows()\n\n\ndef downgrade")
        text = f"{text.rstrip()}\n\n\n{rows}"
    written.write_text(text)
    for what in (["format", "--quiet"], ["check", "--fix", "--quiet"]):
        subprocess.run([sys.executable, "-m", "ruff", *what, written], check=False)
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
