"""Signs, sends and awaits transactions of one account."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import trio

from contracts.bindings import Transaction
from contracts.errors import revert
from contracts.events import Event, event
from p2pnode.chain.keystore import operator_address
from p2pnode.chain.provider import ChainUnreachableError, HttpxProvider, RpcError, blob, quantity
from p2pnode.chain.roles import account_of
from p2pnode.errors import ChainError
from protocols.types import Secret

RECEIPT_TIMEOUT_S: Final = 120.0
POLL_S: Final = 0.3
RESEND_S: Final = 10.0
NONCE_ATTEMPTS: Final = 3
GAS_MARGIN: Final = 1.2
"""Estimates are of the state before the block; small changes by others' transactions fit in here."""


class RefusedError(ChainError):
    """A contract refused a call.

    Attributes:
        name: the contract's custom error, or empty.
    """

    def __init__(self, name: str, words: str) -> None:
        super().__init__(f"the contract refused: {words}")
        self.name = name


def refusal(error: RpcError) -> ChainError:
    """The error that people read: the contract's reason, if it gave one; otherwise the chain's own words."""
    if error.data is None:
        return error
    found = revert(error.data)
    return RefusedError(found.name, found.words)


class Sender:
    """One account's transactions, with a nonce each. Use one for each account: it holds the lock."""

    def __init__(self, provider: HttpxProvider, chain_id: int, key: Secret) -> None:
        self.address = operator_address(key)
        self._provider = provider
        self._chain_id = chain_id
        self.account = account_of(key)
        self._lock = trio.Lock()
        self._nonce: int | None = None

    async def send(self, transaction: Transaction) -> tuple[Event, ...]:
        """Sends and waits until it is mined; many may be under way at once.

        Returns:
            The events that it caused.

        Raises:
            RefusedError: a contract refused, with its reason.
            ChainError: no funds, no answer, or not mined in time.
        """
        call = self._call(transaction)
        gas, tip, base = await self._prices(call)
        fields = {
            "type": 2,
            "chainId": self._chain_id,
            "to": transaction.to,
            "data": transaction.data,
            "value": transaction.value,
            "gas": gas + transaction.extra_gas,
            "maxFeePerGas": 2 * base + tip,
            "maxPriorityFeePerGas": tip,
        }
        raw, transaction_hash = await self._submit(fields)
        receipt = await self._receipt(raw, transaction_hash)
        if quantity(receipt.get("status")) != 1:
            await self._explain(call, receipt)
        logs = receipt.get("logs") or []
        events = (event([blob(topic) for topic in log["topics"]], blob(log["data"])) for log in logs)
        return tuple(found for found in events if found is not None)

    async def quote(self, transaction: Transaction) -> int:
        """What a transaction may cost in gas at most, in wei, at the present base fee.

        Raises:
            RefusedError: a contract would refuse it, with its reason.
        """
        gas, tip, base = await self._prices(self._call(transaction))
        return (gas + transaction.extra_gas) * (base + tip)

    def _call(self, transaction: Transaction) -> dict[str, Any]:
        return {
            "from": self.account.address,
            "to": f"0x{transaction.to.hex()}",
            "data": f"0x{transaction.data.hex()}",
            "value": hex(transaction.value),
        }

    async def _prices(self, call: Mapping[str, Any]) -> tuple[int, int, int]:
        """Gas, tip and base fee; fails here, for nothing, if the call would."""
        try:
            gas, tip, head = await self._provider.ask_all(
                [
                    ("eth_estimateGas", (call,)),
                    ("eth_maxPriorityFeePerGas", ()),
                    ("eth_getBlockByNumber", ("latest", False)),
                ]
            )
        except RpcError as error:
            raise refusal(error) from error
        return math.ceil(quantity(gas) * GAS_MARGIN), quantity(tip), quantity(head.get("baseFeePerGas", "0x0"))

    async def _submit(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Signs with the next nonce and sends; a nonce that somebody else with this key has used is fetched anew."""
        async with self._lock:
            for attempt in range(NONCE_ATTEMPTS):
                nonce = await self._next_nonce()
                signed = self.account.sign_transaction({**fields, "nonce": nonce})
                raw = f"0x{signed.raw_transaction.hex()}"
                try:
                    await self._provider.ask("eth_sendRawTransaction", raw)
                except RpcError as error:
                    self._nonce = None
                    if "nonce" not in error.reason.lower() or attempt == NONCE_ATTEMPTS - 1:
                        raise refusal(error) from error
                except BaseException:
                    self._nonce = None  # whether it arrived is unknown: ask the chain next time
                    raise
                else:
                    self._nonce = nonce + 1
                    return raw, f"0x{signed.hash.hex()}"
        raise AssertionError("the last attempt returns or raises")

    async def _next_nonce(self) -> int:
        if self._nonce is None:
            self._nonce = quantity(await self._provider.ask("eth_getTransactionCount", self.account.address, "pending"))
        return self._nonce

    async def _receipt(self, raw: str, transaction_hash: str) -> Mapping[str, Any]:
        """Polls, resending now and then: a chain that restarts may forget what it had not mined."""
        resend_at = trio.current_time() + RESEND_S
        with trio.move_on_after(RECEIPT_TIMEOUT_S):
            while True:
                await trio.sleep(POLL_S)
                try:
                    found = await self._provider.ask("eth_getTransactionReceipt", transaction_hash)
                    if found is None and trio.current_time() > resend_at:
                        resend_at = trio.current_time() + RESEND_S
                        await self._resend(raw)
                except ChainUnreachableError:
                    continue  # it may come back until the time is over
                if isinstance(found, dict):
                    return found
        self._nonce = None
        raise ChainError(
            f"transaction {transaction_hash} was not mined within {RECEIPT_TIMEOUT_S:.0f} s; is the chain at"
            f" {self._provider.url} making blocks?"
        )

    async def _resend(self, raw: str) -> None:
        try:
            await self._provider.ask("eth_sendRawTransaction", raw)
        except RpcError:
            return  # the chain knows it or will never take it: the receipt or the deadline tells

    async def _explain(self, call: Mapping[str, Any], receipt: Mapping[str, Any]) -> None:
        """Asks why a mined transaction failed by calling again on the state that it met."""
        try:
            await self._provider.ask("eth_call", call, receipt.get("blockNumber"))
        except RpcError as error:
            raise refusal(error) from error
        raise ChainError(f"transaction {receipt.get('transactionHash')} failed, most likely for want of gas")
