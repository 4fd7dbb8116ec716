from __future__ import annotations

import pytest

from protocols.agreement.acceptance import (
    fullest_list,
    is_well_formed,
    lacking,
    leaves_out,
    missed_by,
    shortfall,
    without,
)
from protocols.types import Digest, Height
from protocols.wire.messages import CellSet, Contribution, SetList
from tests.protocols.playbook import CELLS, ROUND, VIEW

HELD = {cell: frozenset(Contribution(peer.key, Digest(peer.key)) for peer in peers) for cell, peers in enumerate(CELLS)}


def names(cell: int, count: int = 4) -> list[Digest]:
    return [Digest(peer.key) for peer in CELLS[cell][:count]]


def test_the_fullest_list_holds_every_cell_with_its_quorum_in_order() -> None:
    sets = fullest_list(HELD, VIEW, ROUND)
    assert sets is not None
    assert is_well_formed(sets, VIEW, ROUND)
    assert {each.cell: frozenset(each.contributions) for each in sets.cells} == HELD
    short = fullest_list(without(HELD, names(0, 2)), VIEW, ROUND)
    assert short is not None
    assert [each.cell for each in short.cells] == [1]
    assert fullest_list(without(HELD, names(0, 2) + names(1, 2)), VIEW, ROUND) is None


def test_why_there_is_none_is_said_for_people() -> None:
    few = without(HELD, names(0, 2) + names(1))
    assert shortfall(few, VIEW) == "too few contributions (cell 0: 2 of at least 3, cell 1: 0 of at least 3)"
    assert shortfall({}, VIEW) == "too few contributions (none)"


def a_list(held: dict[int, frozenset[Contribution]]) -> SetList:
    cells = [CellSet(cell, tuple(sorted(each, key=lambda one: one.contributor))) for cell, each in held.items()]
    return SetList(VIEW.slot(ROUND), tuple(cells))


def test_another_round_is_another_question() -> None:
    assert is_well_formed(a_list(HELD), VIEW, ROUND)
    assert not is_well_formed(a_list(HELD), VIEW, Height(ROUND + 1))


def test_what_is_lacking_is_told_by_manifest() -> None:
    assert lacking(a_list(HELD), HELD) == frozenset()
    assert lacking(a_list(HELD), without(HELD, names(1, 2))) == set(names(1, 2))
    assert lacking(a_list(HELD), {0: HELD[0]}) == set(names(1))


@pytest.mark.parametrize(
    ("listed", "due", "left_out"),
    [
        (HELD, HELD, False),
        (HELD, {}, False),
        (without(HELD, names(0, 1)), HELD, True),
        (without(HELD, names(0, 1)), without(HELD, names(0, 1)), False),
        ({0: HELD[0]}, HELD, True),
        ({0: HELD[0]}, {0: HELD[0]}, False),
        ({0: HELD[0]}, without(HELD, names(1, 2)), False),  # cell 1 had no quorum here
        (without(HELD, names(1, 1)), without(HELD, names(1, 2)), False),
        (without(HELD, [names(1)[3]]), without(HELD, names(1, 2)), True),  # it was listed, so whoever was there counts
    ],
)
def test_what_is_due_must_be_in_the_list(
    listed: dict[int, frozenset[Contribution]], due: dict[int, frozenset[Contribution]], left_out: bool
) -> None:
    assert leaves_out(a_list(listed), due, VIEW) == left_out


def test_so_many_members_must_miss_a_manifest() -> None:
    one, two, three = names(0, 3)
    missing = {1: frozenset({one, two}), 2: frozenset({two, three}), 3: frozenset({two})}
    assert missed_by(missing, 1) == {one, two, three}
    assert missed_by(missing, 2) == missed_by(missing, 3) == {two}
    assert missed_by(missing, 4) == missed_by({}, 1) == frozenset()
