"""An Ethereum chain for development that needs pip alone: py-evm behind JSON-RPC on loopback, in a process of its own.

    python -m contracts.devchain --port 8545 --state chain.jsonl

Everything it accepts is appended to the state file; a restart, also after kill -9, replays the file and comes to the
same block hashes. Its chain id is random unless given, and anybody may draw from its faucet:
`dev_faucet(address, wei)`. Its time and its blocks can be steered as anvil's (`contracts/devchain_controls.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from contracts.devchain_controls import Controls
from contracts.devchain_rpc import JsonRpc
from contracts.devchain_state import DevChainError, StateFile
from contracts.running import RunningChain

MAX_REQUEST_BYTES: Final = 1 << 20
START_TIMEOUT_S: Final = 120.0
"""A long state file takes about 1 ms a block to replay."""


# -- the server --------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """JSON-RPC over HTTP; a thread per connection, one request at a time inside the ledger."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, state: StateFile, port: int, *, at_once: bool = False) -> None:
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            raise DevChainError(f"port {port} cannot be used: {error.strerror}; name another with --port") from error
        self._controls = Controls(state, time.time, at_once=at_once)
        self._rpc = JsonRpc(state.ledger, self._controls.submit, self._controls.methods)
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, body: bytes) -> bytes:
        with self._lock:
            return self._rpc.answer_bytes(body)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent about clients that went away; nobody may be reading our standard error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def mine(self, block_seconds: float) -> None:
        """Seals a block every `block_seconds`, forever; with 0 it leaves that to the transactions."""
        while not block_seconds:
            time.sleep(3600)
        while True:
            time.sleep(block_seconds - time.time() % block_seconds)
            with self._lock:
                self._controls.mine()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: in two, Nagle's algorithm costs 40 ms a request
    timeout = 60.0
    server: Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_REQUEST_BYTES:
            self.send_error(413 if length.isdigit() else 411)
            return
        body = self.server.answer(self.rfile.read(int(length)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: a poll a second and node is no news."""


def serve(port: int, state: Path, block_seconds: float, chain_id: int | None, *, attached: bool = False) -> None:
    """Runs a dev chain until it is interrupted; prints its URL first. If `attached`, it ends with its standard input.

    Raises:
        DevChainError: the port or the state file cannot be used.
    """
    with Server(StateFile(state, chain_id), port, at_once=not block_seconds) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        if attached:
            threading.Thread(target=_end_with_input, daemon=True).start()
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        server.mine(block_seconds)


def _end_with_input() -> None:
    """A chain that a test or simnet started must not outlive it, even if it is killed: that closes our input."""
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


# -- as a subprocess ---------------------------------------------------------------------------------------------------


class DevChain(RunningChain):
    """A dev chain in a process of its own, that ends with this one."""


def start(state: Path, *, port: int = 0, block_seconds: float = 1.0, chain_id: int | None = None) -> DevChain:
    """Starts a dev chain, new or from its state file, and waits until it answers.

    Args:
        state: its state file, made if it is missing.
        port: on loopback; 0 takes a free one.
        block_seconds: time between blocks; 0 makes one for each transaction.
        chain_id: None takes the file's, or a random one for a new file.

    Raises:
        DevChainError: with what the process said.
    """
    command = [sys.executable, "-m", "contracts.devchain", "--port", str(port), "--state", str(state)]
    command += ["--block-seconds", str(block_seconds), "--attached"]
    command += [] if chain_id is None else ["--chain-id", str(chain_id)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)  # noqa: S603  # our own module
    assert process.stdout is not None
    assert process.stderr is not None
    watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
    watchdog.start()
    url = process.stdout.readline().strip()
    watchdog.cancel()
    if not url:
        said = process.stderr.read().strip()
        process.wait(timeout=10)
        raise DevChainError(said or f"the dev chain did not start within {START_TIMEOUT_S:.0f} s")
    return DevChain(url, process)


@contextlib.contextmanager
def devchain(
    state: Path, *, port: int = 0, block_seconds: float = 1.0, chain_id: int | None = None
) -> Iterator[DevChain]:
    """`start`, and `stop` at the end."""
    chain = start(state, port=port, block_seconds=block_seconds, chain_id=chain_id)
    try:
        yield chain
    finally:
        chain.stop()


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m contracts.devchain", description=__doc__)
    parser.add_argument("--port", type=int, default=8545, help="on 127.0.0.1; 0 takes a free one (default 8545)")
    parser.add_argument("--state", type=Path, required=True, help="the state file, made if it is missing")
    parser.add_argument("--block-seconds", type=float, default=1.0, help="between blocks (default 1); 0: on demand")
    parser.add_argument("--chain-id", type=int, help="of a new chain; random if left out")
    parser.add_argument("--attached", action="store_true", help="end when standard input ends")
    options = parser.parse_args(arguments)
    try:
        serve(options.port, options.state, options.block_seconds, options.chain_id, attached=options.attached)
    except DevChainError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
