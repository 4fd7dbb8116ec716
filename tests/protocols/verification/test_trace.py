"""Rows of states: the same for all who recomputed the same, and parted for good where they did not."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from protocols import merkle
from protocols.errors import LocalError
from protocols.hashing import tagged
from protocols.types import NO_DIGEST, Digest, Height
from protocols.verification.trace import Recomputed, Trace, states
from protocols.wire.messages import CellResult, Header
from tests.protocols.playbook import VIEW

FIRST, LAST = Digest(b"f" * 32), Digest(b"l" * 32)


def header(height: int) -> Header:
    cells = (CellResult(0, 4, tagged("sum", height), tagged("key", height)),)
    return Header(VIEW.slot(Height(height)), NO_DIGEST, tagged("params", height), NO_DIGEST, NO_DIGEST, cells, None)


def rounds(*verdicts: bool | None) -> list[Recomputed]:
    """Two verdicts a round."""
    pairs = zip(verdicts[::2], verdicts[1::2], strict=True)
    return [Recomputed(header(number), *each) for number, each in enumerate(pairs)]


RIGHT = states(FIRST, LAST, rounds(True, True, True, True), 4)


def test_a_right_row_leads_from_the_first_state_to_the_last_by_states_of_its_own() -> None:
    assert (RIGHT[0], RIGHT[-1], len(RIGHT)) == (FIRST, LAST, 5)
    assert len(set(RIGHT)) == 5
    assert states(FIRST, LAST, rounds(True, True, True, True), 4) == RIGHT
    other = states(Digest(b"g" * 32), LAST, rounds(True, True, True, True), 4)
    assert not set(other[:-1]) & set(RIGHT[:-1]), "another checkpoint has other states"


@pytest.mark.parametrize("step", range(4))
def test_what_was_found_otherwise_parts_the_row_there_and_for_good(step: int) -> None:
    verdicts: list[bool | None] = [True] * 4
    verdicts[step] = False
    row = states(FIRST, LAST, rounds(*verdicts), 4)
    assert row[: step + 1] == RIGHT[: step + 1]
    assert None not in row
    assert not set(row[step + 1 :]) & set(RIGHT)
    verdicts[step] = None
    unknown = states(FIRST, LAST, rounds(*verdicts), 4)
    assert unknown == (*RIGHT[: step + 1], *[None] * (4 - step))


def test_what_is_no_certified_checkpoint_or_has_another_length_is_otherwise_from_the_first_step() -> None:
    for row in (states(FIRST, LAST, None, 4), states(FIRST, LAST, rounds(True, True), 4)):
        assert row[0] == FIRST
        assert None not in row
        assert not set(row[1:]) & set(RIGHT)
    assert len(states(FIRST, LAST, rounds(True, True), 1)) == 2


def test_a_proposer_shows_each_state_between_as_the_game_reads_it() -> None:
    trace = Trace(FIRST, LAST, [header(0), header(1)])
    assert (trace.states, trace.steps) == (RIGHT, 4)
    for step in (1, 2, 3):
        leaf = Digest(hashlib.sha256(b"\0" + step.to_bytes(4, "big") + trace.states[step]).digest())
        assert merkle.verify(trace.root, leaf, step - 1, 3, trace.proof(step))
    for step in (0, 4):
        with pytest.raises(LocalError):
            trace.proof(step)
    other = replace(header(1), total=Digest(b"t" * 32))
    assert Trace(FIRST, LAST, [header(0), other]).root != trace.root
