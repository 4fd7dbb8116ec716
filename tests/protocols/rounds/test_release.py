"""The rule of one set. Attempts to get around it with what it leads to: tests/security/test_release_rule.py."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from protocols.effects import Journal
from protocols.errors import RemoteError
from protocols.rounds.release import KIND, ReleaseRule, WrongShares, set_digest
from protocols.types import Digest, Height, PeerKey
from protocols.wire.messages import CellSet, Contribution
from tests.protocols.playbook import VIEW, a_view

K_MIN = 3
CONTRIBUTIONS = [Contribution(PeerKey(bytes([number]) * 32), Digest(bytes([number]) * 32)) for number in range(6)]
OTHER_MANIFEST = Contribution(CONTRIBUTIONS[3].contributor, Digest(b"other manifest".ljust(32)))
cell_sets = st.builds(CellSet, st.integers(0, 1), st.lists(st.sampled_from(CONTRIBUTIONS), max_size=5).map(tuple))
heights = st.integers(0, 1).map(Height)


def a_set(*numbers: int, cell: int = 0) -> CellSet:
    return CellSet(cell, tuple(CONTRIBUTIONS[number] for number in numbers))


def test_what_is_journalled_names_height_cell_and_set() -> None:
    journal = ReleaseRule(K_MIN).permit(Height(7), a_set(0, 1, 2, cell=1))
    assert journal == Journal(KIND, Height(7), b"\0\1", set_digest(a_set(0, 1, 2, cell=1)))


def test_the_same_again_is_harmless_and_other_rounds_and_cells_are_their_own() -> None:
    rule_ = ReleaseRule(K_MIN)
    assert rule_.permit(Height(0), a_set(0, 1, 2)) == rule_.permit(Height(0), a_set(0, 1, 2))
    assert rule_.permit(Height(1), a_set(0, 1, 2, 3)) != rule_.permit(Height(0), a_set(0, 1, 4, cell=1))


@pytest.mark.parametrize(
    ("cell_set", "complaint"),
    [
        (a_set(0, 1), "a sum of 2 is never opened; k_min 3"),
        (a_set(), "a sum of 0 is never opened"),
        (a_set(0, 1, 1), "stands twice"),
        (a_set(0, 1, 2), "has released for another set in round 0"),
        (a_set(0, 1, 2, 3, 4), "has released for another set in round 0"),
        (
            CellSet(0, (*a_set(0, 1, 2).contributions, Contribution(CONTRIBUTIONS[3].contributor, Digest(bytes(32))))),
            "has",
        ),
    ],
)
def test_what_is_refused_and_why(cell_set: CellSet, complaint: str) -> None:
    rule_ = ReleaseRule(K_MIN)
    rule_.permit(Height(0), a_set(0, 1, 2, 3))
    with pytest.raises(RemoteError, match=complaint):
        rule_.permit(Height(0), cell_set)


def test_one_contributor_twice_under_two_manifests_does_not_make_up_the_number() -> None:
    twice = Contribution(CONTRIBUTIONS[0].contributor, Digest(b"x" * 32))
    with pytest.raises(RemoteError, match="stands twice"):
        ReleaseRule(K_MIN).permit(Height(0), CellSet(0, (*a_set(0, 1).contributions, twice)))


def test_records_of_other_kinds_are_not_releases() -> None:
    other = Journal("vote", Height(0), b"\0\0", bytes(32))
    ReleaseRule(K_MIN, [other]).permit(Height(0), a_set(0, 1, 2))


def test_a_refused_set_takes_nobodys_place() -> None:
    rule_ = ReleaseRule(K_MIN)
    with pytest.raises(RemoteError):
        rule_.permit(Height(0), a_set(0, 1))
    rule_.permit(Height(0), a_set(0, 1, 2))


class AnyLife(RuleBasedStateMachine):
    """Whatever is asked, in whatever order, with restarts between: one set for each height and cell, of k_min or more.

    A restart before the journal's write loses the record; then nothing was sent either.
    """

    def __init__(self) -> None:
        super().__init__()
        self.journal: list[Journal] = []
        self.sent: dict[tuple[int, int], set[CellSet]] = {}
        self.rule = ReleaseRule(K_MIN)

    @rule(height=heights, cell_set=cell_sets)
    def ask(self, height: Height, cell_set: CellSet) -> None:
        try:
            record = self.rule.permit(height, cell_set)
        except RemoteError:
            return
        self.journal.append(record)
        self.sent.setdefault((height, cell_set.cell), set()).add(cell_set)

    @rule(height=heights, cell_set=cell_sets)
    def crash_before_the_write(self, height: Height, cell_set: CellSet) -> None:
        try:
            self.rule.permit(height, cell_set)
        except RemoteError:
            return
        self.restart()

    @rule()
    def restart(self) -> None:
        self.rule = ReleaseRule(K_MIN, self.journal)

    @invariant()
    def one_set_of_enough(self) -> None:
        for sets in self.sent.values():
            (only,) = sets
            assert len({each.contributor for each in only.contributions}) >= K_MIN


TestAnyLife = AnyLife.TestCase


def test_wrong_shares_exclude_for_their_epoch_but_never_below_the_threshold() -> None:
    found = WrongShares()
    found.note(0, [2])
    assert found.excluded(VIEW) == {2}
    assert found.excluded(a_view(epoch=1)) == frozenset()
    found.note(0, [3])
    assert found.excluded(VIEW) == frozenset(), "two of four remain, and it takes three"
    found.note(5, [1])
    assert found.excluded(VIEW) == frozenset()
