"""Whatever a peer writes, and whatever it signs: read, or refused, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import HubError, Untrusted
from hub.protocol import jws
from tests.protocol.builders import ALPHA, BETA
from tools.fuzz import mutations, readers

READERS = readers.readers()
PAYLOADS = readers.payload_readers()
UNREAD = {"keys"}  # of a version that does not fit the change beside it


def _changed_bytes(data: bytes, most: int) -> bytes:
    return data[: len(data) // 2] + data[len(data) // 2 + 1 :]


@pytest.mark.parametrize("name", [name for name in READERS if name not in UNREAD])
def test_what_is_right_is_read_and_survives_being_written(name: str) -> None:
    read, seeds = READERS[name]
    for seed in seeds:
        if name != "spellings":
            read(seed)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    try:
        READERS[name][0](data)
    except HubError as error:
        assert str(error)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_nearly_right_is_read_or_refused(name: str, seed: int) -> None:
    read, seeds = READERS[name]
    try:
        read(mutations.mutated(seeds[seed % len(seeds)], 4000, seed, _changed_bytes))
    except HubError as error:
        assert str(error)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(PAYLOADS)))
def test_any_data_of_a_message_passes_its_schema_or_is_refused(seed: int, name: str) -> None:
    check, seeds = PAYLOADS[name]
    try:
        check(mutations.mutated(seeds[seed % len(seeds)], 4000, seed, _changed_bytes))
    except HubError as error:
        assert error.told


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_headers_of_a_call_are_believed_or_refused(seed: int) -> None:
    seeds = list(readers.header_seeds())
    try:
        readers.read_headers(mutations.mutated(seeds[seed % 2], 4000, seed, _changed_bytes))
    except Untrusted as error:
        assert str(error)


@settings(deadline=None)
@given(
    text=st.sampled_from(sorted(readers.GENUINE)),
    where=st.floats(0, 1, exclude_max=True),
    other=st.characters(),
)
def test_no_signed_text_bears_a_change_of_one_character(
    text: str, where: float, other: str
) -> None:
    at = int(where * len(text))
    changed = text[:at] + other + text[at + 1 :]
    if changed == text:
        return
    for typ in jws.Typ:
        for key in (ALPHA.msg.public, BETA.msg.public):
            with pytest.raises(Untrusted):
                jws.verify(changed, typ, key)
