"""Static analysis of the contracts: `python -m contracts.audit` runs slither and solhint, each in a folder of its own.

It fails on whatever slither calls high or medium, on a check of slither's that docs/contracts-security.md does not
answer, and on anything that solhint says. slither (which needs another web3 than we do) gets an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from contracts import forge
from contracts.build import FOLDER, SETTINGS, SOURCES, BuildError, node, npm, standard_json

LINTERS: Final = FOLDER / "linters"
ANSWERS: Final = FOLDER.parent / "docs" / "contracts-security.md"
WORK: Final = "node_modules/.twopm-audit"
SEVERE: Final = frozenset({"High", "Medium"})
PARTS: Final = {"object": "", "sourceMap": "", "linkReferences": {}}


def problems(findings: Iterable[Mapping[str, Any]], answered: frozenset[str]) -> list[str]:
    """What must be mended or answered, of slither's findings (`results.detectors` of its JSON)."""
    found = []
    for one in findings:
        about = str(one["description"]).strip().splitlines()[0]
        if one["impact"] in SEVERE:
            found.append(f"{one['impact']}: {one['check']}: {about}")
        elif one["check"] not in answered:
            found.append(f"not answered in docs/contracts-security.md: {one['check']}: {about}")
    return found


def answers(text: str) -> frozenset[str]:
    """The checks that the document's table of answers names: rows that begin with a check's name in backticks."""
    _, _, table = text.partition("## What slither and solhint say")
    return frozenset(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE))


def slither() -> list[dict[str, Any]]:
    """Slither's findings in our own sources; raises `BuildError`."""
    tool = _environment() / "bin" / "slither"
    _build_info()
    report = FOLDER / WORK / "slither.json"
    report.unlink(missing_ok=True)
    options = ("--ignore-compile", "--foundry-build-info-directory", f"{WORK}/build-info")
    line = [str(tool), ".", *options, "--filter-paths", "node_modules", "--json", str(report)]
    path = os.pathsep.join((str(Path(forge.command()[0]).parent), os.environ["PATH"]))
    done = _run(line, FOLDER, {**os.environ, "PATH": path})
    if not report.is_file():
        raise BuildError(f"slither failed:\n{done.stderr[-3000:]}")
    results = json.loads(report.read_text())["results"]
    return list(results.get("detectors", []))


def solhint() -> list[str]:
    """What solhint says of our own sources, a line each; raises `BuildError`."""
    npm(LINTERS)
    files = [str(file.relative_to(FOLDER)) for file in sorted(SOURCES.rglob("*.sol"))]
    tool = LINTERS / "node_modules" / "solhint" / "solhint.js"
    options = ("--config", str(LINTERS / "solhint.json"), "--noPoster", "--disc", "--formatter", "unix")
    done = _run([str(node()), str(tool), *options, *files], FOLDER, dict(os.environ))
    if done.stderr.strip():
        raise BuildError(f"solhint failed:\n{done.stderr[-3000:]}")
    return [line for line in done.stdout.splitlines() if re.match(r"\S+\.sol:\d+:", line)]


def _environment() -> Path:
    """Slither's own environment, as contracts/linters/requirements.txt pins it; it stands below node_modules."""
    wanted = (LINTERS / "requirements.txt").read_bytes()
    where = FOLDER / WORK / "slither"
    stamp = where / ".installed"
    if not stamp.is_file() or stamp.read_bytes() != wanted:
        venv.create(where, clear=True, with_pip=True)
        pip = [str(where / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = _run([*pip, "--require-hashes", "-r", "requirements.txt"], LINTERS, dict(os.environ))
        if done.returncode:
            raise BuildError(f"slither cannot be installed:\n{done.stderr[-3000:]}")
        stamp.write_bytes(wanted)
    return where


def _build_info() -> None:
    """What slither reads in place of a compilation of its own: syntax trees and interfaces; it looks at no bytecode."""
    settings = {"evmVersion": SETTINGS["evmVersion"], "outputSelection": {"*": {"": ["ast"], "*": ["abi"]}}}
    request, answer = standard_json(settings)
    for contract in (one for file in answer["contracts"].values() for one in file.values()):
        contract["evm"] = {"bytecode": PARTS, "deployedBytecode": PARTS, "methodIdentifiers": {}}
        contract |= {"userdoc": {}, "devdoc": {}, "metadata": "{}"}
    version = json.loads((FOLDER / "package-lock.json").read_text())["packages"]["node_modules/solc"]["version"]
    folder = FOLDER / WORK / "build-info"
    folder.mkdir(parents=True, exist_ok=True)
    content = {"id": "audit", "solcVersion": version, "solcLongVersion": version, "input": request, "output": answer}
    (folder / "audit.json").write_text(json.dumps(content))


def _run(line: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # the pinned tools


def main() -> int:
    """The command line; returns the exit code."""
    try:
        findings = slither()
        wrong = problems(findings, answers(ANSWERS.read_text()))
        said = solhint()
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for line in (*wrong, *said):
        sys.stderr.write(f"{line}\n")
    severe = sum(one["impact"] in SEVERE for one in findings)
    sys.stdout.write(
        f"slither: {severe} high or medium, {len(findings) - severe} others, {len(wrong)} to mend or answer; "
        f"solhint: {len(said)}\n"
    )
    return 1 if wrong or said else 0


if __name__ == "__main__":
    sys.exit(main())
