"""A development chain that runs in a process of its own, and what a test may do to its time and its blocks."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from typing import Any, Final

from web3 import HTTPProvider
from web3.types import RPCEndpoint

RECEIPT_TIMEOUT_S: Final = 60.0


class ControlError(Exception):
    """A chain refused to be steered; the text is its own."""


@dataclass
class RunningChain:
    """A chain of ours or anvil's; it ends with this process.

    Attributes:
        url: where its JSON-RPC answers.
        process: the process, for tests that kill it.
    """

    url: str
    process: subprocess.Popen[str] = field(repr=False)

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one request; raises `ControlError`."""
        answer: Any = HTTPProvider(self.url).make_request(RPCEndpoint(method), params)
        if "result" not in answer:
            raise ControlError(f"{method}: {answer.get('error', {}).get('message', 'no answer')}")
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        """Makes blocks now, of what waits."""
        for _ in range(blocks):
            self.ask("evm_mine")

    def travel(self, seconds: int) -> None:
        """Makes a block this long after the newest one; the chain's clock goes on from there."""
        now = int(self.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        self.ask("evm_mine", hex(now + seconds))

    def snapshot(self) -> int:
        """Notes the present state; its number is for `revert`, once."""
        return int(self.ask("evm_snapshot"), 16)

    def revert(self, snapshot: int) -> None:
        """Goes back to a state, as if nothing had happened since; later snapshots are void, and so is this one.

        Raises:
            ControlError: there is no such snapshot.
        """
        if not self.ask("evm_revert", hex(snapshot)):
            raise ControlError(f"there is no snapshot {snapshot}")

    def receipt(self, transaction_hash: str) -> dict[str, Any]:
        """The receipt of a transaction, once it is mined; raises `ControlError` if it is not within a minute."""
        deadline = time.monotonic() + RECEIPT_TIMEOUT_S
        while time.monotonic() < deadline:
            found: dict[str, Any] | None = self.ask("eth_getTransactionReceipt", transaction_hash)
            if found is not None:
                return found
            time.sleep(0.01)
        raise ControlError(f"transaction {transaction_hash} was not mined within {RECEIPT_TIMEOUT_S:.0f} s")

    def fund(self, account: bytes, wei: int) -> None:
        """Pays an account from the faucet; it has the coins when the next block is there."""
        self.ask("dev_faucet", f"0x{account.hex()}", hex(wei))

    def stop(self) -> None:
        """Ends the process and waits for it; harmless if it has ended."""
        self.process.terminate()
        self.process.wait(timeout=10)
        self.close()

    def close(self) -> None:
        """Closes what leads to the process, which has ended."""
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
