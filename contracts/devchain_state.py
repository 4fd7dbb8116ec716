"""The dev chain's state file: what it accepted, in order, so that a restart comes to the same block hashes."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from contracts.devchain_ledger import Genesis, Ledger, RefusedError


class DevChainError(Exception):
    """The dev chain cannot start or go on; the text says why and what to do."""


class StateFile:
    """The log of a dev chain, one JSON object a line: the genesis, then transactions and blocks as they came.

    A block's line is on the disk before anybody can see the block. One process at a time holds the file.
    """

    def __init__(self, path: Path, chain_id: int | None) -> None:
        try:
            self._file: BinaryIO = path.open("a+b")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DevChainError(f"{path} is in use by another dev chain; stop that one or name another file") from error
        except OSError as error:
            raise DevChainError(f"the state file {path} cannot be written: {error.strerror}") from error
        self._path = path
        self.ledger = self._replay(chain_id)

    def submit(self, raw: bytes) -> bytes:
        """Logs and takes a transaction; raises `RefusedError`."""
        transaction_hash = self.ledger.submit(raw)
        self._append({"tx": raw.hex()})
        return transaction_hash

    def seal(self, timestamp: int) -> None:
        """Makes the next block and logs it durably."""
        header = self.ledger.seal(timestamp)
        self._append({"block": timestamp, "hash": header.hash.hex()}, durable=True)

    def snapshot(self) -> int:
        """Notes the present state and logs that; returns its number."""
        number = self.ledger.snapshot()
        self._append({"snapshot": number}, durable=True)
        return number

    def revert(self, number: int) -> bool:
        """Goes back to a noted state and logs that; whether there was such a one."""
        done = self.ledger.revert(number)
        if done:
            self._append({"revert": number}, durable=True)
        return done

    def _append(self, entry: dict[str, Any], *, durable: bool = False) -> None:
        try:
            self._file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            # The ledger is ahead of its file now and could not be replayed: nobody may see it any more.
            sys.stderr.write(f"the state file {self._path} cannot be written: {error.strerror}; the dev chain stops\n")
            os._exit(1)

    def _replay(self, chain_id: int | None) -> Ledger:
        lines = self._whole_lines()
        if not lines:
            return self._begin(chain_id)
        number = 1
        try:
            entry = json.loads(lines[0])
            ledger = Ledger(Genesis(entry["chain_id"], entry["genesis"], bytes.fromhex(entry["faucet_key"])))
            for line in lines[1:]:
                number += 1
                _replay_entry(ledger, json.loads(line))
        except (ValueError, KeyError, TypeError, RefusedError) as error:
            damage = f"{self._path}, line {number}, is damaged: {error}"
            raise DevChainError(f"{damage}; restore it or start a new chain") from error
        if chain_id not in (None, ledger.chain_id):
            raise DevChainError(f"{self._path} holds chain {ledger.chain_id}, not {chain_id}")
        return ledger

    def _whole_lines(self) -> list[bytes]:
        """All lines; the torn last one of a crash is cut off, since nobody was told of it."""
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        self._file.truncate(whole)
        return content[:whole].splitlines()

    def _begin(self, chain_id: int | None) -> Ledger:
        # Up to 2^31, so that every wallet and tool can hold it; from 2^20, so that it is no public chain's.
        chosen = chain_id if chain_id is not None else (1 << 20) + secrets.randbelow((1 << 31) - (1 << 20))
        genesis = Genesis(chosen, int(time.time()) - 1, secrets.token_bytes(32))
        entry = {"chain_id": chosen, "genesis": genesis.timestamp, "faucet_key": genesis.faucet_key.hex()}
        self._append(entry, durable=True)
        return Ledger(genesis)


def _replay_entry(ledger: Ledger, entry: dict[str, Any]) -> None:
    if "tx" in entry:
        ledger.submit(bytes.fromhex(entry["tx"]))
        return
    if "snapshot" in entry or "revert" in entry:
        number = int(entry.get("snapshot", entry.get("revert", 0)))
        if not (ledger.snapshot() == number if "snapshot" in entry else ledger.revert(number)):
            raise ValueError(f"snapshot {number} does not come out")
        return
    header = ledger.seal(entry["block"])
    if header.hash.hex() != entry["hash"]:
        raise ValueError(f"block {header.block_number} comes out with another hash")
