"""Runs the JavaScript peer in `peer/` and talks with it: a JSON command a line, a JSON answer a line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from contracts.build import node

FOLDER = Path(__file__).parent
ANSWER_S = 60.0


def install() -> None:
    """Installs what package-lock.json pins, unless it is there.

    Where npm cannot reach its registry the tests are skipped and say so; on a CI machine (`CI` set) they fail: there
    nobody would read it.
    """
    wanted = (FOLDER / "package-lock.json").read_bytes()
    stamp = FOLDER / "node_modules" / ".twopm-lock"
    if stamp.is_file() and stamp.read_bytes() == wanted:
        return
    npm = node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node()), str(npm), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = f"npm could not install js-libp2p, so no peer in another language was tried: {done.stderr.strip()}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    stamp.write_bytes(wanted)


class JavaScriptPeer:
    """One process of `peer/main.mjs`."""

    def __init__(self, process: trio.Process) -> None:
        self._process, self._rest = process, b""

    async def ask(self, command: str, **parameters: object) -> dict[str, Any]:
        """Runs one of its commands; what it throws fails the test."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(json.dumps({"command": command, **parameters}).encode() + b"\n")
        with trio.fail_after(ANSWER_S):
            answer: dict[str, Any] = json.loads(await self._line())
        assert "error" not in answer, answer["error"]
        return answer

    async def until(self, command: str, answer: dict[str, Any], **parameters: object) -> None:
        """Asks until it answers so."""
        with trio.fail_after(ANSWER_S):
            while await self.ask(command, **parameters) != answer:
                await trio.sleep(0.05)

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._rest:
            more = await self._process.stdout.receive_some()
            assert more, "the JavaScript peer ended; its errors stand above"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line


@asynccontextmanager
async def run_peer() -> AsyncIterator[JavaScriptPeer]:
    install()
    command = [str(node()), str(FOLDER / "peer" / "main.mjs")]
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield JavaScriptPeer(process)
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
