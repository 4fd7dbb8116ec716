from typing import Any

import pytest

from protocols.errors import LocalError
from simnet.scenario import make_scenario
from simnet.trial import SHAPES, run_trial, trial_scenario


def test_a_trial_follows_from_its_number() -> None:
    assert trial_scenario(3) == trial_scenario(3)
    assert len({repr(trial_scenario(seed).adversaries) for seed in range(30)}) > 10


@pytest.mark.parametrize("seed", range(40))
def test_no_more_are_dishonest_than_is_assumed(seed: int) -> None:
    scenario = trial_scenario(seed)
    params, (adversary,) = scenario.protocol(), scenario.adversaries
    members = [name for name in adversary.names() if int(name[-2:]) < params.committee]
    assert scenario.compute == params.committee
    assert len(members) == params.committee - params.threshold
    assert len(members) < 2 * params.threshold - params.committee + 1
    assert len(adversary.peers) <= max(len(members), scenario.peers // 3)
    drawn = {"peers": scenario.peers, **{name: getattr(params, name) for name in SHAPES[0] if name != "peers"}}
    assert drawn in SHAPES


@pytest.mark.parametrize("real", [False, True])
def test_a_short_trial_ends_with_all_rules_held(real: bool) -> None:
    verdict = run_trial(1, rounds=2, real=real)
    assert str(verdict) == f"trial 1{' (real encryption)' if real else ''}: all rules held"
    assert (verdict.rounds, verdict.real) == (2, real)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"adversaries": [{"kind": "evil", "peers": [1]}]}, "unknown kind of adversary 'evil'"),
        ({"adversaries": [{"kind": "late", "peers": ["validator-0"]}]}, "names 'validator-0', which is no data peer"),
        ({"adversaries": [{"kind": "late", "peers": [1]}], "backend": "real"}, "virtual time only"),
        ({"compute": 3}, "cannot fill a committee of 7"),
    ],
)
def test_what_is_wrong_with_adversaries_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(LocalError, match=words):
        make_scenario({"backend": "virtual"}, values)
