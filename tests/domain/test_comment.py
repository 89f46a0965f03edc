"""Who may read a comment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hub.domain.comment import (
    Comment,
    Role,
    Visibility,
    check_body,
    may_reach_client,
    may_travel,
)
from hub.errors import Refused
from hub.ids import CommentId
from tests.domain.builders import an_author, an_id


def test_only_public_travels() -> None:
    assert [one for one in Visibility if may_travel(one)] == [Visibility.PUBLIC]


def test_everything_but_internal_reaches_the_client() -> None:
    assert {one for one in Visibility if may_reach_client(one)} == {
        Visibility.PUBLIC,
        Visibility.CLIENT,
    }


def test_a_comment_is_internal_unless_said_otherwise() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    comment = Comment(CommentId(an_id("cmt")), an_author(), "x", at)
    assert comment.visibility is Visibility.INTERNAL


def test_a_role_that_only_the_peer_knows_is_an_agent() -> None:
    assert Role.told("requester") is Role.REQUESTER
    assert Role.told("chief of staff at Hidden Ltd") is Role.AGENT


@pytest.mark.parametrize(
    ("body", "code"),
    [(" \n", "comment_empty"), ("x" * 20_001, "text_too_long"), ("\udc00", "text_invalid")],
)
def test_a_comment_that_could_not_travel_is_refused_at_once(body: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        check_body(body)
    assert refusal.value.code == code


def test_files_may_come_without_a_word() -> None:
    check_body("", with_files=True)
