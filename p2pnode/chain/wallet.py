"""One account at a chain, for people who spend: what a step would cost, and its result."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import trio

from contracts.abi import AbiError
from contracts.bindings import Transaction, View
from contracts.events import Event
from p2pnode.chain.provider import HttpxProvider, RpcError, blob, quantity
from p2pnode.chain.sender import RefusedError, Sender, refusal
from p2pnode.errors import ChainError
from p2pnode.files import explained
from protocols.errors import LocalError
from protocols.hashing import tagged
from protocols.types import Address, Secret

T = TypeVar("T")

UNIT: Final = 10**18


def shown(amount: int) -> str:
    """An amount in the smallest unit for people, exact."""
    whole, rest = divmod(amount, UNIT)
    return f"{whole}.{rest:018}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Step:
    """A transaction, and in words what it does."""

    words: str
    transaction: Transaction


class Places:
    """Where the contracts stand, as the deployment file that contracts/deploy.py wrote tells.

    Attributes:
        chain_id: of the chain on which they stand.
        genesis: the hash of its first block, 32 bytes; a dev chain that was started anew has another. Empty: unknown.
    """

    def __init__(self, file: Path) -> None:
        try:
            with explained("read", file):
                self._known: Mapping[str, object] = json.loads(file.read_bytes())
            self.chain_id = int(str(self._known["chain_id"]))
            self.genesis = bytes.fromhex(str(self._known.get("genesis", "")))
        except (ValueError, KeyError, TypeError) as error:
            raise LocalError(f"{file} is no deployment file: {error!r}") from error
        self._file = file

    def __getitem__(self, name: str) -> Address:
        """The address of a contract; raises `LocalError` if the deployment has none."""
        try:
            return Address(bytes.fromhex(str(self._known[name])))
        except (KeyError, ValueError) as error:
            raise LocalError(f"{self._file} names no {name}; deploy it with `--dao`, or name another file") from error

    def get(self, name: str) -> Address | None:
        """The address of a contract that a deployment without the DAO lacks."""
        return self[name] if name in self._known else None


class Wallet:
    """What one account can ask and do."""

    def __init__(self, provider: HttpxProvider, chain_id: int, key: Secret) -> None:
        self._provider = provider
        self._sender = Sender(provider, chain_id, key)
        self.address = self._sender.address

    async def ask(self, view: View[T]) -> T:
        """A contract's answer; raises `ChainError` with the contract's words."""
        call = {"from": f"0x{self.address.hex()}", "to": f"0x{view.to.hex()}", "data": f"0x{view.data.hex()}"}
        try:
            return view.decode(blob(await self._provider.ask("eth_call", call, "latest")))
        except RpcError as error:
            raise refusal(error) from error
        except AbiError as error:
            raise ChainError(f"at 0x{view.to.hex()} stands no such contract of 2PM: {error}") from error

    def sign(self, digest: bytes) -> bytes:
        """The account's signature of 32 bytes that say what is signed: r, s and v, 65 bytes."""
        return bytes(self._sender.account.unsafe_sign_hash(digest).signature)  # type: ignore[arg-type]  # any 32 bytes

    def secret(self, purpose: str) -> Secret:
        """32 bytes that follow from the account's key, for this purpose alone."""
        return Secret(tagged(purpose, bytes(self._sender.account.key)))

    async def balance(self) -> int:
        """What the account holds, in wei."""
        return quantity(await self._provider.ask("eth_getBalance", f"0x{self.address.hex()}", "latest"))

    async def now(self) -> int:
        """The head's time, Unix seconds."""
        head = await self._provider.ask("eth_getBlockByNumber", "latest", False)
        return quantity(head.get("timestamp")) if isinstance(head, dict) else 0

    async def costs(self, steps: list[Step]) -> list[int | None]:
        """The gas of each step at most, in wei; None where it shows only once the steps before it are done.

        Raises:
            RefusedError: a contract would refuse the first step.
        """
        found: list[int | None] = [await self._sender.quote(step.transaction) for step in steps[:1]]
        for step in steps[1:]:
            try:
                found.append(await self._sender.quote(step.transaction))
            except RefusedError:
                found.append(None)
        return found

    async def carry_out(self, step: Step) -> tuple[Event, ...]:
        """Sends a step and waits until it is mined; raises `ChainError`."""
        return await self._sender.send(step.transaction)


@contextlib.asynccontextmanager
async def open_wallet(url: str, key: Secret, chain_id: int, genesis: bytes = b"") -> AsyncIterator[Wallet]:
    """A wallet on the chain with this id, and with this genesis if it is given.

    Raises:
        ChainError: no chain answers at `url`, or another one does.
    """
    provider = HttpxProvider(url)
    try:
        found = quantity(await provider.ask("eth_chainId"))
        if found != chain_id:
            raise ChainError(f"chain {found} answers at {url}, but the contracts stand on chain {chain_id}")
        first = await provider.ask("eth_getBlockByNumber", "0x0", False) if genesis else None
        if genesis and (not isinstance(first, dict) or blob(first.get("hash")) != genesis):
            reason = "than the one on which the contracts stand: was it started anew?"
            raise ChainError(f"another chain with the number {chain_id} answers at {url} {reason}")
        yield Wallet(provider, chain_id, key)
    finally:
        with trio.CancelScope(shield=True):
            await provider.aclose()
