"""Steers the dev chain's time and blocks by the methods that anvil and hardhat have for it too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from contracts.devchain_rpc import number
from contracts.devchain_state import StateFile

TRAVEL_MAX_S: Final = 10 * 365 * 86400


class Controls:
    """When blocks come, and at what time. Not thread-safe: the server holds a lock.

    Args:
        state: the chain.
        clock: Unix seconds.
        at_once: whether each transaction gets a block of its own at once.

    Attributes:
        methods: of JSON-RPC: `evm_mine(at a time, if given)`, `evm_increaseTime(seconds)`, `evm_snapshot`,
            `evm_revert(number)`, `evm_setAutomine(bool)`.
    """

    def __init__(self, state: StateFile, clock: Callable[[], float], *, at_once: bool = False) -> None:
        self._state = state
        self._clock = clock
        self._at_once = at_once
        # A chain that had travelled goes on from where it was, also after a restart.
        self._ahead = max(0, state.ledger.head.timestamp - int(clock()))
        self.methods: dict[str, Callable[..., Any]] = {
            "evm_mine": self._mine_now,
            "evm_increaseTime": self._travel,
            "evm_snapshot": lambda: hex(self._state.snapshot()),
            "evm_revert": lambda which: self._state.revert(number(which)),
            "evm_setAutomine": self._set_at_once,
        }

    def submit(self, raw: bytes) -> bytes:
        """Takes a transaction."""
        transaction_hash = self._state.submit(raw)
        if self._at_once:
            self.mine()
        return transaction_hash

    def mine(self) -> None:
        """Makes the next block; timestamps run ahead of the clock if blocks come quicker than seconds."""
        self._state.seal(max(int(self._clock()) + self._ahead, self._state.ledger.head.timestamp + 1))

    def _mine_now(self, at: Any = None) -> str:
        if at is not None:
            self._travel(max(0, number(at) - self._state.ledger.head.timestamp))
        self.mine()
        return "0x0"

    def _travel(self, seconds: Any) -> int:
        by = number(seconds)
        if by > TRAVEL_MAX_S:
            raise ValueError(f"{by} seconds are too far; {TRAVEL_MAX_S} is the limit")
        gone = self._state.ledger.head.timestamp - int(self._clock())
        self._ahead = max(self._ahead, gone) + by
        return self._ahead

    def _set_at_once(self, wanted: Any) -> None:
        if not isinstance(wanted, bool):
            raise ValueError("true or false is needed")
        self._at_once = wanted
