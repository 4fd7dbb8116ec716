"""Tails against enumeration of all draws and against scipy; cells as the beacon deals them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from protocols.params import Params
from protocols.rounds.cells import draw_cells
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.rounds.suspects import seats
from protocols.security.draws import (
    binomial_tail,
    bits,
    cell_sizes,
    clean_cells,
    corrupt_committee,
    hypergeometric_tail,
    lonely_cell,
    lonely_epoch,
    worst,
)
from protocols.types import PeerKey, Role
from protocols.wire.messages import Spoiled, Suspects

SMALL = Params(k_min=3, dropouts=2)
ROLES = Role.DATA | Role.COMPUTE


@settings(deadline=None)
@given(st.integers(1, 10), st.data())
def test_the_tail_is_what_counting_all_draws_gives(population: int, data: st.DataObject) -> None:
    marked, drawn = data.draw(st.integers(0, population)), data.draw(st.integers(0, population))
    least = data.draw(st.integers(0, drawn + 1))
    draws = [sum(peer < marked for peer in draw) >= least for draw in combinations(range(population), drawn)]
    assert hypergeometric_tail(population, marked, drawn, least) == Fraction(sum(draws), len(draws))


@settings(deadline=None)
@given(st.integers(16, 2000), st.fractions(0, 1), st.integers(0, 17))
def test_and_what_scipy_says(population: int, share: Fraction, least: int) -> None:
    marked = int(share * population)
    ours = float(hypergeometric_tail(population, marked, 16, least))
    assert ours == pytest.approx(stats.hypergeom(population, marked, 16).sf(least - 1), rel=1e-7, abs=1e-12)
    assert float(binomial_tail(share, 16, least)) == pytest.approx(
        stats.binom(16, float(share)).sf(least - 1), abs=1e-9
    )


@given(st.integers(2, 8), st.integers(0, 8), st.integers(0, 300))
def test_cells_are_as_large_as_those_that_are_dealt(k_min: int, dropouts: int, extra: int) -> None:
    params = Params(k_min=k_min, dropouts=dropouts)
    peers = [PeerKey(number.to_bytes(32, "big")) for number in range(params.cell_min + extra)]
    dealt = draw_cells(b"beacon", peers, params.cell_min)
    assert sorted(map(len, dealt)) == sorted(cell_sizes(params, len(peers)))


def honest_in_the_worst_set(members: Sequence[bool], quorum: int) -> int:
    """The fewest honest in any set of a cell that may be opened; True is dishonest. By trying them all."""
    sets = (chosen for size in range(quorum, len(members) + 1) for chosen in combinations(members, size))
    return min(sum(not dishonest for dishonest in chosen) for chosen in sets)


@pytest.mark.parametrize("peers", [5, 7, 9])
@pytest.mark.parametrize("honest", [1, 2, 3])
@pytest.mark.parametrize("share", [Fraction(1, 4), Fraction(1, 3), Fraction(1, 2)])
def test_a_lonely_cell_by_trying_all_draws_and_all_choices_of_the_adversary(
    peers: int, honest: int, share: Fraction
) -> None:
    marked = int(share * peers)
    (size,) = cell_sizes(SMALL, peers)
    cells = [[peer < marked for peer in cell] for cell in combinations(range(peers), size)]
    lonely = [honest_in_the_worst_set(cell, SMALL.quorum(size)) < honest for cell in cells]
    assert lonely_cell(SMALL, peers, share, honest) == Fraction(sum(lonely), len(lonely))


def test_of_several_cells_the_bound_is_above_the_truth_and_close() -> None:
    """All ways to deal ten peers, three of them dishonest, into two cells of five."""
    dealt = [[peer < 3 for peer in cell] for cell in combinations(range(10), 5)]
    quorum = SMALL.quorum(5)
    alone = [quorum - sum(cell) < 2 or quorum - (3 - sum(cell)) < 2 for cell in dealt]
    truth = Fraction(sum(alone), len(alone))
    bound = lonely_cell(SMALL, 10, Fraction(3, 10), 2)
    assert truth <= bound <= 2 * truth


def test_who_spoils_a_cell_gains_further_draws_and_the_bound_counts_them() -> None:
    """Of 400 epochs of two cells of five, in the cells that are really dealt; peers 0 to 2 are dishonest."""
    params = SMALL.with_(committee=1, threshold=1, rounds_per_epoch=2)
    peers = [PeerKey(bytes([number]) * 32) for number in range(10)]
    suspected = Suspects((Spoiled(0, (peers[0],)),), ())

    def lonely(view: EpochView) -> bool:
        return any(params.quorum(len(cell)) == sum(peer[0] < 3 for peer in cell) for cell in view.cells)

    def epoch(number: int) -> tuple[bool, bool]:
        view = draw_epoch(1, 1, number, b"block", params, ((peer, ROLES) for peer in peers))
        return lonely(view), any(lonely(seats(view, height, suspected)) for height in view.heights)

    alone, mixed = np.mean([epoch(number) for number in range(400)], axis=0)
    once, often = (bound(params, 10, Fraction(3, 10), 1) for bound in (lonely_cell, lonely_epoch))
    assert alone == pytest.approx(float(once), abs=0.06)  # three deviations
    assert float(once) + 0.06 < mixed <= often == 3 * once


def test_clean_cells_and_committees() -> None:
    assert clean_cells(SMALL, 10, Fraction(0)) == 1
    assert clean_cells(SMALL, 10, Fraction(1, 10)) == Fraction(1, 2)
    assert corrupt_committee(7, 2, 7, Fraction(2, 7)) == 0
    assert corrupt_committee(7, 2, 7, Fraction(3, 7)) == 1
    assert corrupt_committee(1, 0, 10, Fraction(3, 10)) == Fraction(3, 10)


def test_bits_of_chances() -> None:
    assert (bits(Fraction(1)), bits(Fraction(1, 2**40)), bits(Fraction(0))) == (0, 40, inf)
    assert bits(Fraction(1, 10**400)) == pytest.approx(1328.77, abs=0.01)  # beyond any float


def test_the_worst_population_is_found() -> None:
    assert worst(lambda count: Fraction(1, abs(count - 7) + 1), range(3, 12)) == (1, 7)
