"""The production node in virtual time: whole runs, in one thread, from one seed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from simnet.events import Event
from simnet.history import History, history_of
from simnet.outcome import Outcome
from simnet.scenario import make_scenario
from simnet.world import run_virtual

SMALL = {"task": "breast_cancer", "peers": 8, "rounds": 2, "backend": "virtual"}
DEADLINES = {"submit_s": 8, "agree_s": 8, "open_s": 8}


def simulated(**changes: Any) -> tuple[Outcome, History]:
    events: list[Event] = []
    outcome = run_virtual(make_scenario(SMALL, changes), events.append)
    history = history_of(events)
    assert not history.unexpected
    return outcome, history


def test_everybody_ends_with_the_same_model() -> None:
    outcome, history = simulated()
    assert len(outcome.digests) == 12
    assert len(set(outcome.digests.values())) == 1
    assert history.finalised == {0, 1}
    assert history.sums_opened == 2
    assert not history.dropped
    assert history.last_metrics["accuracy"] > 0.9


def test_encrypted_and_plaintext_runs_end_alike() -> None:
    encrypted, _ = simulated()
    plain, _ = simulated(plaintext=True)
    assert set(encrypted.digests.values()) == set(plain.digests.values())


_REPLAY = """
import sys
from simnet.scenario import make_scenario
from simnet.world import run_virtual
from tests.simnet.test_world import SMALL
run_virtual(make_scenario(SMALL, {"seed": int(sys.argv[1])}), lambda event: print(event.line()))
"""


def _replay(seed: int, hash_seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", _REPLAY, str(seed)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=200).stdout


def test_same_seed_same_events_byte_for_byte() -> None:
    """In two processes with other hash seeds, so that no order of a set or an address can hide in the result."""
    first, second = _replay(7, hash_seed=1), _replay(7, hash_seed=2)
    assert first.splitlines() == second.splitlines()
    assert len(first.splitlines()) > 100


def test_contributors_that_vanish_mid_round_are_left_out() -> None:
    fault = {"kind": "vanish", "at_height": 1, "after": "train", "peers": [6, 7]}
    outcome, history = simulated(rounds=3, peers=10, params={**DEADLINES}, faults=[fault])
    assert len(set(outcome.digests.values())) == 1
    assert not {"peer-06", "peer-07"} & set(outcome.digests)
    assert [record.height for record in history.applied] == [0, 1, 2]


def test_silent_committee_members_do_not_stop_a_round() -> None:
    fault = {"kind": "silent", "at_height": 1, "peers": ["committee-0", "committee-3"]}
    outcome, history = simulated(peers=12, params={**DEADLINES}, faults=[fault])
    assert [record.height for record in history.applied] == [0, 1]
    assert len(set(outcome.digests.values())) == 1


def test_below_the_threshold_the_round_is_abandoned_with_its_reason() -> None:
    fault = {"kind": "silent", "at_height": 1, "seconds": 40, "peers": [f"committee-{place}" for place in range(3)]}
    outcome, history = simulated(peers=12, rounds=3, params={**DEADLINES}, faults=[fault])
    reasons = {record.height: record.abandoned for record in history.rounds.values() if record.abandoned}
    assert 1 in reasons
    assert reasons[1]
    assert len(set(outcome.digests.values())) == 1
    assert history.applied[-1].height == 2


def test_a_peer_that_crashed_goes_on_from_its_disk() -> None:
    fault = {"kind": "restart", "at_height": 1, "after": "train", "seconds": 2, "peers": [3]}
    outcome, _history = simulated(rounds=4, params={**DEADLINES}, faults=[fault])
    assert len(outcome.digests) == 12
    assert len(set(outcome.digests.values())) == 1


def test_dishonest_peers_of_a_scenario_do_not_change_what_the_others_agree_on() -> None:
    adversaries = [{"kind": "wrong-shares", "peers": [1]}, {"kind": "starve-a-member", "peers": [6]}]
    outcome, history = simulated(task="simnet.tiny", peers=10, compute=7, params={**DEADLINES}, adversaries=adversaries)
    assert [record.height for record in history.applied] == [0, 1]
    honest = {name: digest for name, digest in outcome.digests.items() if name not in ("peer-01", "peer-06")}
    assert len(honest) >= 8
    assert len(set(honest.values())) == 1
    assert history.refused["protocol"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["testnet", "paranoid"])
def test_presets_for_strangers_train_in_their_own_committees_and_cells(preset: str) -> None:
    outcome, history = simulated(task="digits", peers=32, preset=preset)
    assert len(set(outcome.digests.values())) == 1
    assert history.sums_opened == 4, "two cells of sixteen in each of two rounds"
    assert history.finalised == {0, 1}


@pytest.mark.slow
def test_digits_reaches_its_accuracy() -> None:
    outcome, history = simulated(task="digits", peers=24, rounds=10)
    assert history.last_metrics["accuracy"] >= 0.95
    assert len(set(outcome.digests.values())) == 1
    assert history.finalised == set(range(10))


def test_spector_comes_to_the_coefficients_of_the_pooled_data() -> None:
    """statsmodels' own: Logit on the whole data set."""
    _, history = simulated(task="spector", peers=3, rounds=8, params={"k_min": 3, "dropouts": 0})
    expected = {"GPA": 2.82611, "TUCE": 0.09516, "PSI": 2.37869, "const": -13.02135}
    assert {name: history.last_metrics[name] for name in expected} == pytest.approx(expected, abs=1e-4)
