"""What a round costs beside what others offer: 16 clients on one machine, the 2NN of McMahan et al. on MNIST.

    python benchmarks/round.py MNIST.npz --envs FOLDER [--clients 16] [--rounds 6] [--rows 600] [--json FILE]

Ours runs over real sockets with its chain and validators (5 of 7), encrypted and with --plaintext; beside it Flower's
simulation, plain and with SecAgg+ in which every client shares with all, and NVFlare's simulator with its homomorphic
encryption. Each of the others has an environment of its own under --envs, which is made if it is not there; one that
cannot be made is reported as missing. All train the same network one epoch on the same number of rows in batches of 10.
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

import numpy as np

BASELINES = Path(__file__).parent / "baselines"
PACKAGES = {"flower": ["flwr[simulation]", "jax"], "nvflare": ["nvflare", "tenseal", "jax"]}
OTHERS = {
    "flower plain": ("flower", "flower.py", ["plain"]),
    "flower secagg+": ("flower", "flower.py", ["secagg"]),
    "nvflare encrypted": ("nvflare", "nvflare_rounds.py", []),
}
KEPT = ("seconds_per_round_median", "seconds_by_phase_median", "params_digest", "bytes_sent_per_peer_median")
BIN = Path(sys.executable).parent


def smaller(source: Path, rows: int, folder: Path) -> Path:
    """The first rows of the archive's training part."""
    with np.load(source) as data:
        parts = {name: data[name][:rows] if "train" in name else data[name] for name in data.files}
    target = folder / "mnist.npz"
    np.savez(target, **parts)
    return target


def ours(data: Path, arguments: argparse.Namespace, out: Path, flags: list[str]) -> dict[str, Any]:
    """One simnet run; its summary."""
    command = [str(BIN / "simnet"), "run", "--task", "mnist", "--option", f"data={data}", "--seed", "0"]
    command += ["--peers", str(arguments.clients), "--rounds", str(arguments.rounds), "--out", str(out), *flags]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def environment(folder: Path, name: str) -> Path:
    """The Python of a baseline's own environment; CalledProcessError where it cannot be made."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        subprocess.run([str(BIN / "uv"), "venv", "-q", "-p", sys.executable, str(folder / name)], check=True)
        subprocess.run([str(BIN / "uv"), "pip", "install", "-q", "--python", str(python), *PACKAGES[name]], check=True)
    return python


def other(name: str, data: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """A baseline's seconds a round, the first of which also compiles and is left out; or why there are none."""
    where, script, flags = OTHERS[name]
    try:
        python = environment(arguments.envs, where)
        command = [
            str(python),
            str(BASELINES / script),
            str(data),
            str(arguments.clients),
            str(arguments.rounds),
            *flags,
        ]
        run = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    except (subprocess.SubprocessError, OSError) as error:
        return {"missing": str(error)}
    seconds = json.loads(run.stdout.strip().splitlines()[-1])[1:]
    return {"seconds_per_round_median": statistics.median(seconds)}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All of them in turn."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        data = smaller(arguments.data, arguments.rows * arguments.clients, Path(name))
        for system, flags in {"2pm": [], "2pm --plaintext": ["--plaintext"]}.items():
            summary = ours(data, arguments, Path(name, system), flags)
            kept = (
                "seconds_per_round_median",
                "seconds_by_phase_median",
                "params_digest",
                "bytes_sent_per_peer_median",
            )
            results[system] = {key: summary[key] for key in kept}
        for system in OTHERS:
            results[system] = other(system, data, arguments)
    digests = {results[system]["params_digest"] for system in ("2pm", "2pm --plaintext")}
    assert len(digests) == 1, f"encrypted and plaintext runs ended with different parameters: {digests}"
    encrypted = results["2pm"]["seconds_per_round_median"]
    known = {system: each["seconds_per_round_median"] for system, each in results.items() if "missing" not in each}
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "clients": arguments.clients,
        "rows_per_client": arguments.rows,
        "systems": results,
        "ours_to_theirs": {system: encrypted / seconds for system, seconds in known.items() if system != "2pm"},
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--envs", type=Path, required=True)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    report = json.dumps(measure(arguments), indent=2)
    print(report)
    if arguments.json:
        arguments.json.write_text(report + "\n")


if __name__ == "__main__":
    main()
