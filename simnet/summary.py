"""summary.json: a run in one page of numbers, for comparing runs by script."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

from simnet.history import History
from simnet.scenario import Scenario


def summarise(scenario: Scenario, history: History) -> dict[str, Any]:
    """The run's summary, JSON-able. Seconds are virtual where the backend is; `epsilon` is null without DP."""
    params = scenario.protocol()
    sent = history.bytes_sent()
    return {
        "task": scenario.task,
        "backend": scenario.backend,
        "scheme": params.scheme,
        "peers": scenario.peers,
        "rounds": scenario.rounds,
        "rounds_applied": len(history.applied),
        "abandoned": {record.height: record.abandoned for record in history.rounds.values() if record.abandoned},
        "cells": max((len(record.cells) for record in history.rounds.values()), default=0),
        "committee": {"n": params.committee, "t": params.threshold},
        "final_metrics": history.last_metrics,
        "wall_seconds": round(history.seconds, 3),
        "seconds_per_round_median": _median(median(record.seconds) for record in history.applied),
        "seconds_by_phase_median": phase_medians(history),
        "bytes_sent_per_peer_median": _median(size for node, size in sent.items() if node.startswith("peer-")),
        "bytes_by_kind": dict(history.bytes_by_kind().most_common()),
        "checkpoints": {"anchored": len(history.anchored), "finalised": len(history.finalised)},
        "attestations": len(history.attested),
        "sums_opened": history.sums_opened,
        "dropped": len(history.dropped),
        "epsilon": history.applied[-1].epsilon if history.applied else None,
        "peak_rss_bytes": sum(history.peak_rss.values()),
        "seed": scenario.seed,
        "params_digest": final_digest(history),
    }


def final_digest(history: History) -> str | None:
    """The digest of the last applied parameters that most nodes hold; None before the first round."""
    if not history.applied:
        return None
    return history.applied[-1].digests.most_common(1)[0][0]


def phase_medians(history: History) -> dict[str, float]:
    """The median over the rounds of the median node's seconds, by phase."""
    rounds = [record.phase_seconds() for record in history.rounds.values()]
    phases = dict.fromkeys(phase for record in rounds for phase in record)
    return {phase: median(record[phase] for record in rounds if phase in record) for phase in phases}


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None
