"""Ethereum's JSON-RPC over the dev chain's ledger: the methods that wallets, web3 and this node use.

Shapes are those of the execution API specification (https://ethereum.github.io/execution-apis/).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from eth.abc import BlockAPI, BlockHeaderAPI, LogAPI, ReceiptAPI, SignedTransactionAPI
from eth_bloom.bloom import BloomFilter
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rlp import encode as rlp_encode  # type: ignore[import-untyped]  # rlp ships no types

from contracts.devchain_ledger import GAS_LIMIT, TIP_WEI, Call, Ledger, RefusedError, RevertedError

Json: TypeAlias = Any  # JSON is untyped until a parser below has looked at it
MAX_LOG_BLOCKS: Final = 10_000
MAX_BRACKETS: Final = 2048
"""Bounds the nesting: py-evm lifts Python's recursion limit so far that deep JSON would overflow the C stack."""

PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
REFUSED, REVERTED = -32000, 3


class InvalidParamsError(Exception):
    """A parameter of a request is missing or malformed; the text names it."""


class JsonRpc:
    """Answers requests. Not thread-safe: the server holds a lock.

    Args:
        ledger: the chain.
        submit: takes a raw transaction, returns its hash (the server logs it on the way to the ledger).
        more: further methods, as the server's that steer its time; their `ValueError` is a parameter's.
    """

    def __init__(
        self, ledger: Ledger, submit: Callable[[bytes], bytes], more: Mapping[str, Callable[..., Json]] | None = None
    ) -> None:
        self._ledger = ledger
        self._submit = submit
        self._methods: dict[str, Callable[..., Json]] = {
            "web3_clientVersion": lambda: "2pm-devchain/py-evm",
            "net_version": lambda: str(ledger.chain_id),
            "eth_chainId": lambda: hex(ledger.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": list,
            "eth_blockNumber": lambda: hex(ledger.head.block_number),
            "eth_gasPrice": lambda: hex(ledger.head_base_fee + TIP_WEI),
            "eth_maxPriorityFeePerGas": lambda: hex(TIP_WEI),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBalance": lambda who, at="latest": hex(ledger.balance(_address(who), self._at(at))),
            "eth_getCode": lambda who, at="latest": _hex(ledger.code(_address(who), self._at(at))),
            "eth_getTransactionCount": self._transaction_count,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
            "eth_call": lambda call, at="latest": _hex(ledger.call(_call(call), self._at(at))),
            "eth_estimateGas": lambda call, _at="latest": hex(ledger.estimate_gas(_call(call))),
            "eth_sendRawTransaction": lambda raw: _hex(self._submit(_bytes(raw))),
            "dev_faucet": lambda who, amount: _hex(self._submit(ledger.drip(_address(who), number(amount)))),
            **(more or {}),
        }

    def answer_bytes(self, body: bytes) -> bytes:
        """The encoded response to an encoded request or batch."""
        if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
            return json.dumps(_error(None, INVALID_REQUEST, "too many objects in one request")).encode()
        try:
            request = json.loads(body)
        except ValueError as error:
            return json.dumps(_error(None, PARSE_ERROR, f"not JSON: {error}")).encode()
        return json.dumps(self.answer(request)).encode()

    def answer(self, request: Json) -> Json:
        """The response to one decoded request or batch; whatever the request is, it never raises."""
        if isinstance(request, list) and request:
            return [self.answer(one) for one in request]
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _error(None, INVALID_REQUEST, "a request is an object with a method")
        params = request.get("params", [])
        method = self._methods.get(request["method"])
        if method is None or not isinstance(params, list):
            return _error(request.get("id"), UNKNOWN_METHOD, f"the dev chain has no method {request['method'][:64]}")
        try:
            return {"jsonrpc": "2.0", "id": request.get("id"), "result": method(*params)}
        except RevertedError as error:
            return _error(request.get("id"), REVERTED, f"execution reverted: {error}", _hex(error.data))
        except RefusedError as error:
            return _error(request.get("id"), REFUSED, str(error))
        except (InvalidParamsError, TypeError, ValueError) as error:
            return _error(request.get("id"), INVALID_PARAMS, f"{request['method']}: {error}")

    def _at(self, tag: Json) -> BlockHeaderAPI:
        """The header that a block number, tag or {"blockNumber": ...} names; the dev chain is final at once."""
        if isinstance(tag, Mapping):
            tag = tag.get("blockNumber")
        if tag in ("latest", "pending", "safe", "finalized"):
            return self._ledger.head
        header = self._ledger.header(0 if tag == "earliest" else number(tag))
        if header is None:
            raise RefusedError(f"there is no block {tag}; the head is {self._ledger.head.block_number}")
        return header

    def _block_by_number(self, tag: Json, full: bool = False) -> Json:
        try:
            number = self._at(tag).block_number
        except RefusedError:
            return None
        return _block(self._ledger.block(number), full)

    def _block_by_hash(self, block_hash: Json, full: bool = False) -> Json:
        return _block(self._ledger.block_by_hash(_bytes(block_hash)), full)

    def _transaction_count(self, who: Json, tag: Json = "latest") -> Json:
        return hex(self._ledger.nonce(_address(who), pending=tag == "pending", at=self._at(tag)))

    def _transaction(self, transaction_hash: Json) -> Json:
        mined = self._ledger.find(_bytes(transaction_hash))
        return mined and _transaction(mined.block, mined.index, mined.transaction)

    def _receipt(self, transaction_hash: Json) -> Json:
        mined = self._ledger.find(_bytes(transaction_hash))
        return mined and _receipt(mined.block, mined.index, self._ledger.receipts(mined.block))

    def _logs(self, query: Json) -> Json:
        if not isinstance(query, Mapping):
            raise InvalidParamsError("the filter must be an object")
        first = self._at(query.get("fromBlock", "latest")).block_number
        last = self._at(query.get("toBlock", "latest")).block_number
        if last - first >= MAX_LOG_BLOCKS:
            raise RefusedError(f"at most {MAX_LOG_BLOCKS} blocks in one range")
        wanted = query.get("address", [])
        addresses = [_address(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
        topics = query.get("topics", [])
        found: list[Json] = []
        for number in range(first, last + 1):
            header = self._ledger.header(number)
            bloom = BloomFilter(header.bloom if header else 0)
            if header is None or header.bloom == 0 or (addresses and not any(one in bloom for one in addresses)):
                continue
            block = self._ledger.block(number)
            assert block is not None, "its header is there"
            found += [
                log
                for index, receipt in enumerate(_receipt_all(block, self._ledger.receipts(block)))
                for log in receipt["logs"]
                if (not addresses or _bytes(log["address"]) in addresses) and _topics_match(log["topics"], topics)
            ]
        return found


def _error(request_id: Json, code: int, message: str, data: str | None = None) -> Json:
    error: dict[str, Json] = {"code": code, "message": message}
    return {"jsonrpc": "2.0", "id": request_id, "error": error if data is None else error | {"data": data}}


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _bytes(value: Json) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass  # told below, together with what is no string at all
    raise InvalidParamsError(f"{str(value)[:80]!r} is not 0x and hex digits")


def _address(value: Json) -> bytes:
    address = _bytes(value)
    if len(address) != 20:
        raise InvalidParamsError(f"{value[:80]!r} is not an address of 20 bytes")
    return address


def number(value: Json) -> int:
    try:
        number = int(value, 16) if isinstance(value, str) and value.startswith("0x") else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**256:
        raise InvalidParamsError(f"{str(value)[:80]!r} is not a quantity")
    return number


def _call(value: Json) -> Call:
    if not isinstance(value, Mapping):
        raise InvalidParamsError("the call must be an object")
    return Call(
        to=_address(value["to"]) if value.get("to") else b"",
        data=_bytes(value.get("data", value.get("input", "0x"))),
        value=number(value.get("value", 0)),
        sender=_address(value.get("from", "0x" + "00" * 20)),
        gas=min(number(value.get("gas", GAS_LIMIT)), GAS_LIMIT),
    )


def _topics_match(topics: Sequence[str], wanted: Json) -> bool:
    return len(wanted) <= len(topics) and all(
        want is None or topic in (want if isinstance(want, list) else [want])
        for topic, want in zip(topics, wanted, strict=False)
    )


def _block(block: BlockAPI | None, full: bool) -> Json:
    if block is None:
        return None
    header = block.header
    listed = [
        _transaction(block, index, one) if full else _hex(one.hash) for index, one in enumerate(block.transactions)
    ]
    return {
        "number": hex(header.block_number),
        "hash": _hex(header.hash),
        "parentHash": _hex(header.parent_hash),
        "sha3Uncles": _hex(header.uncles_hash),
        "logsBloom": _hex(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": _hex(header.transaction_root),
        "stateRoot": _hex(header.state_root),
        "receiptsRoot": _hex(header.receipt_root),
        "miner": to_checksum_address(header.coinbase),
        "difficulty": hex(header.difficulty),
        "nonce": _hex(header.nonce),
        "mixHash": _hex(header.mix_hash),
        "extraData": _hex(header.extra_data),
        "size": hex(len(rlp_encode(block))),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "baseFeePerGas": hex(header.base_fee_per_gas or 0),
        "timestamp": hex(header.timestamp),
        "transactions": listed,
        "uncles": [],
    }


def _transaction(block: BlockAPI, index: int, transaction: SignedTransactionAPI) -> Json:
    return {
        "type": hex(transaction.type_id or 0),
        "hash": _hex(transaction.hash),
        "blockHash": _hex(block.hash),
        "blockNumber": hex(block.number),
        "transactionIndex": hex(index),
        "chainId": hex(transaction.chain_id or 0),
        "nonce": hex(transaction.nonce),
        "from": to_checksum_address(transaction.sender),
        "to": to_checksum_address(transaction.to) if transaction.to else None,
        "value": hex(transaction.value),
        "gas": hex(transaction.gas),
        "maxFeePerGas": hex(transaction.max_fee_per_gas),
        "maxPriorityFeePerGas": hex(transaction.max_priority_fee_per_gas),
        "gasPrice": hex(_effective_price(block, transaction)),
        "input": _hex(transaction.data),
        "r": hex(transaction.r),
        "s": hex(transaction.s),
        "v": hex(transaction.y_parity),
    }


def _effective_price(block: BlockAPI, transaction: SignedTransactionAPI) -> int:
    base = block.header.base_fee_per_gas or 0
    return min(transaction.max_fee_per_gas, base + transaction.max_priority_fee_per_gas)


def _receipt_all(block: BlockAPI, receipts: Sequence[ReceiptAPI]) -> list[Json]:
    return [_receipt(block, index, receipts) for index in range(len(receipts))]


def _receipt(block: BlockAPI, index: int, receipts: Sequence[ReceiptAPI]) -> Json:
    transaction, receipt = block.transactions[index], receipts[index]
    before = receipts[index - 1].gas_used if index else 0
    first_log = sum(len(earlier.logs) for earlier in receipts[:index])
    place = {
        "transactionHash": _hex(transaction.hash),
        "transactionIndex": hex(index),
        "blockHash": _hex(block.hash),
        "blockNumber": hex(block.number),
    }
    created = keccak(rlp_encode([transaction.sender, transaction.nonce]))[12:]
    return place | {
        "type": hex(transaction.type_id or 0),
        "from": to_checksum_address(transaction.sender),
        "to": to_checksum_address(transaction.to) if transaction.to else None,
        "contractAddress": None if transaction.to else to_checksum_address(created),
        "status": hex(receipt.state_root == b"\x01"),
        "gasUsed": hex(receipt.gas_used - before),
        "cumulativeGasUsed": hex(receipt.gas_used),
        "effectiveGasPrice": hex(_effective_price(block, transaction)),
        "logsBloom": _hex(receipt.bloom.to_bytes(256, "big")),
        "logs": [place | _log(log, first_log + position) for position, log in enumerate(receipt.logs)],
    }


def _log(log: LogAPI, index: int) -> dict[str, Json]:
    return {
        "logIndex": hex(index),
        "address": to_checksum_address(log.address),
        "topics": [_hex(topic.to_bytes(32, "big")) for topic in log.topics],
        "data": _hex(log.data),
        "removed": False,
    }
