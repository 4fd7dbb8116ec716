"""What encryption costs: the same simnet run with one-time keys and with --plaintext, in turn, on this machine.

python benchmarks/encrypted.py [--task digits] [--peers 24] [--rounds 10] [--repeat 2] [--json FILE]

Reports the median seconds per round of both, their ratio, and the time by phase; asserts that both runs end with the
very same parameters.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SCHEMES = {"one-time-key": [], "plaintext": ["--plaintext"]}


def run(arguments: argparse.Namespace, flags: list[str]) -> dict[str, Any]:
    """One simnet run; its summary."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "run")
        command = [
            str(Path(sys.executable).with_name("simnet")),
            "run",
            "--task",
            arguments.task,
            "--peers",
            str(arguments.peers),
        ]
        command += ["--rounds", str(arguments.rounds), "--seed", "0", "--out", str(out), *flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        summary: dict[str, Any] = json.loads(Path(out, "summary.json").read_text())
        return summary


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both schemes in turn, `repeat` times."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMES}
    for _ in range(arguments.repeat):
        for name, flags in SCHEMES.items():
            runs[name].append(run(arguments, flags))
    digests = {summary["params_digest"] for summaries in runs.values() for summary in summaries}
    assert len(digests) == 1, f"encrypted and plaintext runs ended with different parameters: {digests}"
    seconds = {
        name: statistics.median(summary["seconds_per_round_median"] for summary in summaries)
        for name, summaries in runs.items()
    }
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "task": arguments.task,
        "peers": arguments.peers,
        "rounds": arguments.rounds,
        "params_digest": digests.pop(),
        "seconds_per_round_median": seconds,
        "ratio": seconds["one-time-key"] / seconds["plaintext"],
        "seconds_by_phase_median": {name: summaries[-1]["seconds_by_phase_median"] for name, summaries in runs.items()},
        "bytes_sent_per_peer_median": {
            name: summaries[-1]["bytes_sent_per_peer_median"] for name, summaries in runs.items()
        },
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="digits")
    parser.add_argument("--peers", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    report = json.dumps(measure(arguments), indent=2)
    print(report)
    if arguments.json:
        arguments.json.write_text(report + "\n")


if __name__ == "__main__":
    main()
