"""What was found of a header stands, also after a crash."""

from __future__ import annotations

from p2pnode.verdicts import STEP, SUMS, Verdicts
from protocols.effects import Journal
from protocols.types import Height
from protocols.verification.trace import Recomputed
from tests.protocols.verification.test_trace import header


def test_the_first_verdict_on_a_part_stands_and_comes_back_from_the_journal() -> None:
    verdicts, one, other = Verdicts(()), header(1), header(2)
    assert verdicts.of(one) == Recomputed(one, None, None)
    kept = [verdicts.note(one, SUMS, right=True), verdicts.note(one, STEP, right=False)]
    assert verdicts.note(one, SUMS, right=False) is None
    assert verdicts.of(one) == Recomputed(one, sums=True, step=False)
    assert verdicts.of(other) == Recomputed(other, None, None)
    records = [each for each in kept if each is not None]
    assert [each.height for each in records] == [1, 1]
    again = Verdicts([Journal("vote", Height(2), b"x", b"\1"), *records])
    assert again.of(one) == Recomputed(one, sums=True, step=False)
    assert again.note(one, STEP, right=True) is None
