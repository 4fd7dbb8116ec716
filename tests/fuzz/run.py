"""Coverage-guided fuzzing (atheris, libFuzzer) of every decoder of outside bytes.

    python -m tests.fuzz.run --seconds 3600        # each target in a process of its own, one after another
    python -m tests.fuzz.run --only envelope,yamux --seconds 60

What it finds is written to tests/fuzz/findings/<target>/, where the tests replay it for ever: commit it with the cure.
The corpus grows in .fuzz/, which is not kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FINDINGS: Final = ROOT / "tests" / "fuzz" / "findings"
INSTRUMENTED: Final = ["protocols", "p2pnode", "libp2p.pubsub", "multiaddr"]
INPUT_S, MEMORY_MIB = 5, 2048
"""More for one input is a finding too."""
ALL: Final = "all"


def fuzz_one(name: str, seconds: int, corpus: Path) -> None:
    """Ends the process: with 0 where nothing was found."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz.seeds import Vectors
        from tests.fuzz.targets import TARGETS

    vectors, names = Vectors(), sorted(TARGETS)
    corpus.mkdir(parents=True, exist_ok=True)
    chosen = names if name == ALL else [name]
    for each in chosen:
        place = bytes([names.index(each)]) if name == ALL else b""
        for number, seed in enumerate(TARGETS[each].seeds(vectors)):
            (corpus / f"seed-{each}-{number}").write_bytes(place + seed)
    findings = FINDINGS / name
    findings.mkdir(parents=True, exist_ok=True)
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={max(TARGETS[each].most for each in chosen) + 1}",
        f"-timeout={INPUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={findings}/",
        "-print_final_stats=1",
        "-verbosity=1",
    ]

    def one(data: bytes) -> None:
        if name != ALL:
            TARGETS[name].run(data)
        elif data:
            TARGETS[names[data[0] % len(names)]].run(data[1:])

    atheris.Setup([sys.argv[0], *arguments, str(corpus)], one)
    atheris.Fuzz()


SHORT_BELOW_S = 900


def fuzz(names: list[str], seconds: int, corpus: Path) -> dict[str, tuple[int, str]]:
    """Runs targets one after another: each one's exit status, and the end of what it said."""
    results = {}
    for name in names:
        command = [sys.executable, "-m", "tests.fuzz.run", "--one", name, "--seconds", str(seconds)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [*command, "--corpus", str(corpus / name)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        results[name] = done.returncode, "\n".join((done.stdout + done.stderr).splitlines()[-40:])
        for empty in FINDINGS.glob("*"):
            if not any(empty.iterdir()):
                empty.rmdir()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="in all")
    parser.add_argument("--only", help="targets, separated by commas")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, default=ROOT / ".fuzz")
    arguments = parser.parse_args()
    if arguments.one:
        fuzz_one(arguments.one, arguments.seconds, arguments.corpus)
        return
    from tests.fuzz.targets import TARGETS

    # A process takes up to half a minute to start: in a short run all targets share one.
    short = [ALL] if arguments.seconds < SHORT_BELOW_S else sorted(TARGETS)
    names = arguments.only.split(",") if arguments.only else short
    failed = []
    each = max(1, arguments.seconds // len(names))
    for name in names:
        status, said = fuzz([name], each, arguments.corpus)[name]
        runs = next((line.split()[-1] for line in said.splitlines() if "number_of_executed_units" in line), "?")
        print(f"{name:16} {'found nothing' if status == 0 else 'FOUND'} in {each} s, {runs} inputs", flush=True)
        if status != 0:
            failed.append(name)
            print(said, flush=True)
    sys.exit(f"findings in {', '.join(failed)}: see {FINDINGS}" if failed else 0)


if __name__ == "__main__":
    main()
