"""Random adversaries in virtual time, up to the assumed shares: f of n members, a third of the contributors, one
aggregator of two. Honest peers agree, no rule of who can read what is broken, every round ends within its bound.

A world that breaks a rule is named by its seed: `simnet trials --seed SEED --rounds 10` runs it again.
"""

from collections.abc import Iterable

import pytest

from simnet.trial import REAL_EVERY, ROUNDS, Verdict, run_trial, run_trials


def check(verdicts: Iterable[Verdict], rounds: int) -> list[Verdict]:
    """All rules held in so many rounds, one world in twenty with the real encryption; returns the verdicts."""
    found = list(verdicts)
    broken = [str(verdict) for verdict in found if verdict.violations]
    assert not broken, "\n".join(broken)
    assert sum(verdict.rounds for verdict in found) >= rounds
    assert sum(verdict.real for verdict in found) == len(found) // REAL_EVERY
    return found


@pytest.mark.parametrize("seed", range(5))
def test_ten_of_fifty_rounds(seed: int) -> None:
    check([run_trial(seed)], ROUNDS)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_thousand_rounds() -> None:
    """What liars can stop is a round, now and then; most are completed all the same."""
    verdicts = check(run_trials(range(200), ROUNDS), 2000)
    assert sum(verdict.applied for verdict in verdicts) > 1000
