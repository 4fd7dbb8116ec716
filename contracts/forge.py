"""Runs the contracts' own tests: `python -m contracts.forge test`, or any other arguments of forge.

forge comes from npm, pinned in package-lock.json like the compiler; what both make stays in node_modules.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from contracts.build import FOLDER, BuildError, install, node

SOLC: Final = FOLDER / "node_modules" / ".twopm-solc"
# forge asks for the version in the words of the native compiler. solc.js cannot read a pipe that is not full yet, and
# exits before a pipe has taken more than 64 KiB: it reads and writes files.
WRAPPER: Final = """#!/bin/sh
solc() {{ {node} {solc} "$@"; }}
if [ "$1" = --version ]; then echo "Version: $(solc --version)"; exit; fi
files=$(mktemp -d) || exit 1
trap 'rm -r "$files"' EXIT
cat > "$files/in" && solc --standard-json < "$files/in" > "$files/out" && sed -n '/^{{/,$p' "$files/out"
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs forge in `contracts/`; its output is captured, its exit code is in the result.

    Raises:
        BuildError: forge or the compiler cannot be installed.
    """
    line = command(*arguments)
    return subprocess.run(line, cwd=FOLDER, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603  # the pinned forge


def command(*arguments: str) -> list[str]:
    """The command line, once everything it needs is installed; raises `BuildError`."""
    install()
    text = WRAPPER.format(node=node(), solc=FOLDER / "node_modules" / "solc" / "solc.js")
    if not SOLC.is_file() or SOLC.read_text() != text:
        SOLC.write_text(text)
        SOLC.chmod(0o755)
    for binary in (FOLDER / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge*"):
        return [str(binary), *arguments]
    raise BuildError("npm has no forge for this platform: the contracts' own tests cannot run here")


def environment() -> dict[str, str]:
    """Forge's environment: with our compiler."""
    return {**os.environ, "FOUNDRY_SOLC": str(SOLC)}


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns forge's exit code."""
    try:
        line = command(*(sys.argv[1:] if arguments is None else arguments))
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return subprocess.run(line, cwd=FOLDER, env=environment(), check=False).returncode  # noqa: S603  # the pinned forge


if __name__ == "__main__":
    sys.exit(main())
