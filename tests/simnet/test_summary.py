import json

from simnet.history import history_of
from simnet.scenario import make_scenario
from simnet.summary import summarise
from tests.simnet.recorded import recorded

SCENARIO = make_scenario({"task": "digits", "peers": 3, "k_min": 2, "dropouts": 1, "rounds": 3, "seed": 5})


def test_summary_of_a_recorded_run() -> None:
    summary = summarise(SCENARIO, history_of(recorded()))
    expected = {
        "task": "digits",
        "peers": 3,
        "rounds": 3,
        "rounds_applied": 2,
        "abandoned": {1: "fewer than 2 contributors"},
        "cells": 1,
        "committee": {"n": 7, "t": 5},
        "final_metrics": {"accuracy": 0.75, "loss": 0.5},
        "wall_seconds": 9,
        "seconds_per_round_median": 1.0,
        "seconds_by_phase_median": {"train": 0.25, "open": 0.75},
        "bytes_sent_per_peer_median": 3000,
        "bytes_by_kind": {"chunk": 8100},
        "checkpoints": {"anchored": 2, "finalised": 2},
        "attestations": 2,
        "sums_opened": 2,
        "dropped": 1,
        "epsilon": None,
        "seed": 5,
        "params_digest": "d2" * 32,
    }
    assert expected.items() <= summary.items()
    json.dumps(summary)


def test_summary_before_anything_happened() -> None:
    summary = summarise(SCENARIO, history_of([]))
    assert (summary["params_digest"], summary["seconds_per_round_median"], summary["rounds_applied"]) == (None, None, 0)
