"""Every broken letter of the public corpora goes through the real intake: nothing stops, nobody is answered."""

from __future__ import annotations

import pytest

from tests.corpora import corpus
from tests.mail.conftest import Desk


@pytest.mark.one_database
async def test_every_letter_of_the_corpora_is_done_or_held_with_its_bytes_and_no_program_is_answered(
    desk: Desk,
):
    files = [
        path
        for name in (("set-of-emails", "maildir"), ("mail-parser-malformed", "resources"))
        for path in sorted(corpus(*name).rglob("*"))
        if path.is_file()
    ]
    stored = {await desk.stores(path.read_bytes()): path for path in files}
    await desk.works()
    for letter_id, path in stored.items():
        letter = await desk.letter(letter_id)
        assert letter.state in {"done", "held"}, path.name
        assert letter.attempts == 1, (path.name, letter.last_error)
        with desk.hub.blobs.open(letter.sha256) as source:
            assert source.read() == path.read_bytes()
    answered = {str(one.letter["To"]) for one in desk.sent}
    automatic = [
        p
        for i, p in stored.items()
        if "set-of-emails" in str(p) and p.parent.name in {"dos", "err"}
    ]
    assert len(automatic) > 100
    by_bounces = [
        post
        for post in await desk.posts()
        for letter_id in stored
        if stored[letter_id] in automatic
        and (await desk.letter(letter_id)).ticket_id == post.ticket_id
    ]
    assert by_bounces == [], answered
