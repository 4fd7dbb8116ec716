from __future__ import annotations

from itertools import combinations
from math import ceil, sqrt

import pytest

from protocols.errors import LocalError
from protocols.privacy.noise import LARGEST
from protocols.privacy.promise import Privacy


def privacy(**changes: float) -> Privacy:
    values = {"noise_multiplier": 4.0, "clip": 0.5, "delta": 1e-5, "budget": 0.0, "withheld": 0.2}
    return Privacy(**{**values, **changes})


@pytest.mark.parametrize(("members", "quorum", "withheld"), [(8, 5, 0.2), (8, 6, 0.25), (9, 7, 0.3), (6, 6, 0.5)])
def test_carriers_by_trying_every_set_and_every_choice_of_who_leaves_noise_out(
    members: int, quorum: int, withheld: float
) -> None:
    """Whoever they are, as many of every admissible set as are promised add theirs."""
    silent = ceil(withheld * members)
    sets = [set(chosen) for size in range(quorum, members + 1) for chosen in combinations(range(members), size)]
    left = min(len(chosen - set(range(silent))) for chosen in sets)  # by symmetry these stand for any
    assert privacy(withheld=withheld).carriers(members, quorum) == left


def test_the_carriers_shares_make_up_the_whole() -> None:
    promise = privacy()
    assert promise.sigma == 2
    assert promise.member_sigma(8, 5) == 2 / sqrt(3)
    assert promise.member_sigma(16, 13) * sqrt(promise.carriers(16, 13)) == pytest.approx(2)
    assert promise.largest_noise >= LARGEST * promise.member_sigma(8, 4)


def test_a_cell_in_which_one_alone_would_carry_it_is_refused() -> None:
    with pytest.raises(LocalError, match="if 2 leave their noise out, 1 of 2 are left"):
        privacy().carriers(8, 3)


def test_a_grid_too_coarse_for_a_sixteenth_of_the_noise_is_refused() -> None:
    privacy().check_step(2 / 16)
    with pytest.raises(LocalError, match=r"noise of 2\.0 in 16 parts is below 4 steps of the grid"):
        privacy().check_step(2 / 15)


@pytest.mark.parametrize(
    "changes",
    [
        {"noise_multiplier": 0},
        {"noise_multiplier": float("nan")},
        {"clip": 0},
        {"delta": 0},
        {"delta": 1},
        {"budget": -1},
        {"withheld": 1},
        {"withheld": -0.1},
    ],
)
def test_what_promises_nothing_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(LocalError, match="privacy: "):
        privacy(**changes)


def test_a_budget_that_does_not_last_for_a_round_is_refused() -> None:
    with pytest.raises(LocalError, match=r"budget 0\.5 does not last for one round, which costs 1\.0"):
        privacy(budget=0.5)


def test_a_header_counts_every_height_and_never_exceeds_the_budget() -> None:
    endless, limited = privacy(), privacy(budget=3.0)
    assert [endless.header_epsilon_micro(height) for height in (0, 9)] == [endless.epsilon_micro(1), 3_617_100]
    assert limited.header_epsilon_micro(2) == endless.header_epsilon_micro(2)
    assert limited.epsilon_micro(limited.rounds) == limited.header_epsilon_micro(10**6) <= 3_000_000
    assert limited.epsilon_micro(limited.rounds + 1) > 3_000_000
