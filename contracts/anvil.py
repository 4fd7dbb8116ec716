"""Foundry's anvil, for tests that need what our own dev chain has not: a mempool, reorgs, another EVM.

It comes from npm like forge, pinned in package-lock.json.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from contracts.build import FOLDER, BuildError, install
from contracts.running import RunningChain

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0
LISTENING: Final = re.compile(r"Listening on 127\.0\.0\.1:(\d+)")
# anvil does not end with who started it: somebody beside it waits for the end of its input and ends it.
KEEPER: Final = """exec 3<&0
"$@" 3<&- </dev/null & child=$!
{ cat <&3; kill "$child"; } >/dev/null 2>&1 & keeper=$!
wait "$child"
kill "$keeper"
"""


class AnvilError(Exception):
    """anvil does not start; the text is its own."""


class Anvil(RunningChain):
    """anvil in a process of its own; with its methods beside those of every chain."""

    def fund(self, account: bytes, wei: int) -> None:
        """Gives coins out of nowhere, at once."""
        who = f"0x{account.hex()}"
        self.ask("anvil_setBalance", who, hex(int(self.ask("eth_getBalance", who, "latest"), 16) + wei))

    def reorg(self, depth: int) -> None:
        """Replaces the newest blocks by as many empty ones; their transactions are forgotten."""
        self.ask("anvil_reorg", depth, [])

    def stop(self) -> None:
        """Ends it in order: it writes its state first."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=STOP_TIMEOUT_S)
        self.close()

    def kill(self) -> None:
        """Ends it at once, as a crash does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=STOP_TIMEOUT_S)
        self.close()


def binary() -> Path:
    """The executable; raises `BuildError` if npm has none for this platform."""
    install()
    for found in (FOLDER / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*"):
        return found
    raise BuildError("npm has no anvil for this platform: tests on it cannot run here")


def start(*, port: int = 0, chain_id: int = 31337, state: Path | None = None, mining: bool = True) -> Anvil:
    """Starts it and waits until it answers.

    Args:
        port: on loopback; 0 takes a free one.
        chain_id: of the chain.
        state: where it keeps its state from an orderly stop to the next start.
        mining: whether each transaction gets a block at once; if not, they wait for `mine`.

    Raises:
        BuildError: there is none for this platform.
        AnvilError: it does not start.
    """
    line = [str(binary()), "--port", str(port), "--chain-id", str(chain_id), "--hardfork", "prague", "--accounts", "0"]
    line += [] if state is None else ["--state", str(state)]
    line += [] if mining else ["--no-mining"]
    line = ["/bin/sh", "-c", KEEPER, "anvil", *line]
    process = subprocess.Popen(  # noqa: S603  # the pinned anvil
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    watchdog = threading.Timer(START_TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
    watchdog.start()
    assert process.stdout is not None
    said = []
    for text in process.stdout:
        said.append(text)
        listening = LISTENING.search(text)
        if listening:
            watchdog.cancel()
            threading.Thread(target=_drain, args=(process,), daemon=True).start()
            return Anvil(f"http://127.0.0.1:{listening[1]}", process)
    watchdog.cancel()
    process.wait(timeout=STOP_TIMEOUT_S)
    raise AnvilError("".join(said).strip()[-500:] or "anvil did not start")


@contextlib.contextmanager
def anvil(*, port: int = 0, chain_id: int = 31337, state: Path | None = None, mining: bool = True) -> Iterator[Anvil]:
    """`start`, and `stop` at the end."""
    chain = start(port=port, chain_id=chain_id, state=state, mining=mining)
    try:
        yield chain
    finally:
        if chain.process.poll() is None:
            chain.stop()


def _drain(process: subprocess.Popen[str]) -> None:
    """It logs every request: a full pipe would stop it."""
    assert process.stdout is not None
    with contextlib.suppress(ValueError):  # closed while it was read
        for _ in process.stdout:
            pass
