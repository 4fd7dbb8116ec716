"""How coarse a grid may be: accuracy on digits, and bytes of an update, by bits a value, with and without feedback.

    python benchmarks/grids.py [--peers 24] [--rounds 10] [--seeds 3] [--json FILE]

Peers train and step as nodes do; encryption, which is exact, is left out. Bytes are those of one update of a million
such values, with the dealing's 0.14 MB left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from p2pnode.data.splits import split_iid
from p2pnode.learner import Learner
from p2pnode.learning.task import Task, load_task
from protocols.effects import Head
from protocols.encryption.layout import uniform
from protocols.types import Digest, PeerKey
from protocols.updates.totals import add_cells

GRIDS: list[dict[str, Any]] = [
    {},
    {"value_bits": 12},
    {"value_bits": 8},
    {"value_bits": 8, "feedback": 1},
    {"value_bits": 8, "peak": 0.5},
    {"value_bits": 8, "peak": 0.5, "feedback": 1},
    {"value_bits": 6, "peak": 0.5},
    {"value_bits": 6, "peak": 0.5, "feedback": 1},
    {"value_bits": 4, "peak": 0.5},
    {"value_bits": 4, "peak": 0.5, "feedback": 1},
]
CHUNK_BYTES = 47_104


def accuracies(task: Task, peers: int, rounds: int, seed: int) -> list[float]:
    """Held-out accuracy after each round."""
    data = task.dataset()
    shares = [data.train.take(rows) for rows in split_iid(len(data.train), peers, seed=seed)]
    learners = [Learner(task, seed, PeerKey(bytes([1 + number]) * 32), share) for number, share in enumerate(shares)]
    reached = []
    for height in range(rounds):
        total = sum(learner.train(learner.model, height) for learner in learners)
        model = learners[0].step(learners[0].model, add_cells([(total, peers)]))
        for learner in learners:
            learner.remember(model)
            learner.adopt(Head(height + 1, Digest(bytes([height + 1]) * 32), model.digest), None)
        reached.append(learners[0].metrics(model, data.held_out)["accuracy"])
    return reached


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for grid in GRIDS:
        runs = [
            accuracies(load_task("digits", grid), arguments.peers, arguments.rounds, seed)
            for seed in range(arguments.seeds)
        ]
        chunks = uniform(1_000_000, grid.get("value_bits", 16)).ciphertexts
        halfway = statistics.mean(run[arguments.rounds // 2 - 1] for run in runs)
        final = statistics.mean(run[-1] for run in runs)
        rows.append({"grid": grid, "halfway": halfway, "final": final, "bytes_per_million": chunks * CHUNK_BYTES})
        print(rows[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
