"""Sending, against a node that misbehaves on purpose; virtual time."""

from itertools import pairwise

import pytest
import trio
from eth_account import Account

from contracts.bindings import Transaction
from p2pnode.chain.provider import ChainUnreachableError, HttpxProvider, RpcError
from p2pnode.chain.sender import NONCE_ATTEMPTS, RefusedError, Sender, refusal
from p2pnode.errors import ChainError
from protocols.types import Secret

CALL = Transaction(b"\x01" * 20, b"data", 5)
KEY = Secret(b"\x02" * 32)


class Node(HttpxProvider):
    """Mines what it is sent, after failing as often and in the way that a test says."""

    def __init__(self, **trouble):
        super().__init__("http://node")
        self.nonce = 7
        self.trouble = {name: list(errors) for name, errors in trouble.items()}
        self.sent = []
        self.status = "0x1"

    async def ask(self, method, *params):
        errors = self.trouble.get(method)
        if errors:
            error = errors.pop(0)
            if isinstance(error, Exception):
                raise error
            return error
        if method == "eth_sendRawTransaction":
            self.sent.append(params[0])
        answers = {
            "eth_estimateGas": "0x5208",
            "eth_maxPriorityFeePerGas": "0x1",
            "eth_getBlockByNumber": {"baseFeePerGas": "0x7", "number": "0x5"},
            "eth_blockNumber": "0x5",
            "eth_getTransactionCount": hex(self.nonce),
            "eth_getTransactionReceipt": {"status": self.status, "blockNumber": "0x9", "transactionHash": "0x77"},
        }
        return answers.get(method)

    async def ask_all(self, questions):
        return [await self.ask(method, *params) for method, params in questions]


def refused(reason):
    return RpcError("eth_sendRawTransaction", reason, None)


async def test_nonces_count_up_without_asking_again(autojump_clock):
    node = Node()
    sender = Sender(node, 99, KEY)
    await sender.send(CALL)
    node.nonce = 0  # a node that lags behind
    await sender.send(CALL)
    assert [nonce_of(raw) for raw in node.sent] == [7, 8]
    assert Account.recover_transaction(node.sent[0]) == Account.from_key(KEY.reveal()).address


def nonce_of(raw):
    from eth_account.typed_transactions import TypedTransaction
    from hexbytes import HexBytes

    return TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["nonce"]


async def test_a_used_nonce_is_fetched_anew_but_not_forever(autojump_clock):
    node = Node(eth_sendRawTransaction=[refused("nonce too low")])
    await Sender(node, 99, KEY).send(CALL)
    assert len(node.sent) == 1
    stubborn = Node(eth_sendRawTransaction=[refused("nonce too low")] * NONCE_ATTEMPTS)
    with pytest.raises(ChainError, match="nonce too low"):
        await Sender(stubborn, 99, KEY).send(CALL)


async def test_other_refusals_are_told_at_once(autojump_clock):
    node = Node(eth_sendRawTransaction=[refused("insufficient funds")])
    with pytest.raises(ChainError, match="insufficient funds"):
        await Sender(node, 99, KEY).send(CALL)
    assert node.sent == []


async def test_a_chain_that_goes_away_and_comes_back_is_waited_for(autojump_clock):
    gone = ChainUnreachableError("gone")
    node = Node(eth_getTransactionReceipt=[gone] * 20 + [None] * 50)
    await Sender(node, 99, KEY).send(CALL)
    assert len(node.sent) >= 2, "it is sent again: the chain may have forgotten it"
    assert len(set(node.sent)) == 1


async def test_what_is_never_mined_is_given_up_with_words(autojump_clock):
    node = Node(eth_getTransactionReceipt=[None] * 10_000)
    with pytest.raises(
        ChainError,
        match=r"not mined within 180 s for \S+ gwei of gas; is the chain at http://node making",
    ):
        await Sender(node, 99, KEY).send(CALL)


async def test_a_failed_transaction_tells_the_contract_s_reason(autojump_clock):
    data = bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big")
    node = Node(eth_call=[RpcError("eth_call", "execution reverted", data)])
    node.status = "0x0"
    with pytest.raises(RefusedError, match="the contract refused: Panic: 17"):
        await Sender(node, 99, KEY).send(CALL)
    with pytest.raises(ChainError, match="for want of gas"):
        await Sender(node, 99, KEY).send(CALL)


async def test_what_stays_unmined_while_blocks_come_pays_more_up_to_a_limit(autojump_clock, monkeypatch):
    monkeypatch.setattr("p2pnode.chain.sender.RECEIPT_TIMEOUT_S", 3600.0)
    monkeypatch.setattr("p2pnode.chain.sender.FEE_MAX_WEI", 100)
    node = Node(eth_getTransactionReceipt=[None] * 10_000)
    blocks = iter(range(10, 10_000))
    ask = node.ask

    async def moving(method, *params):
        if method == "eth_getBlockByNumber":
            return {"baseFeePerGas": "0x7", "number": "0x9"}
        if method == "eth_blockNumber":
            return hex(next(blocks))
        return await ask(method, *params)

    node.ask = moving
    sender = Sender(node, 99, KEY)
    with trio.move_on_after(3000):
        await sender.send(CALL)
    fees = [fee_of(raw) for raw in dict.fromkeys(node.sent)]
    assert all(4 * later[0] >= 5 * earlier[0] and later[1] > earlier[1] for earlier, later in pairwise(fees))
    assert len({nonce_of(raw) for raw in node.sent}) == 1
    assert 80 < fees[-1][0] <= 100, "it pays no more than the limit"


async def test_while_no_blocks_come_nothing_more_is_paid(autojump_clock):
    node = Node(eth_getTransactionReceipt=[None] * 10_000)
    with pytest.raises(ChainError, match="not mined"):
        await Sender(node, 99, KEY).send(CALL)
    assert len(set(node.sent)) == 1


def fee_of(raw):
    from eth_account.typed_transactions import TypedTransaction
    from hexbytes import HexBytes

    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]


async def test_after_a_reorg_what_has_no_place_is_sent_again_as_it_was(autojump_clock):
    node = Node()
    sender = Sender(node, 99, KEY)
    for _ in range(3):
        await sender.send(CALL)
    assert [nonce_of(raw) for raw in node.sent] == [7, 8, 9]
    node.nonce, before = 8, list(node.sent)  # the branch has the first of them
    await sender.send_again()
    assert node.sent == [*before, *before[1:]]
    await sender.settle()
    assert node.sent == [*before, *before[1:], *before[1:]], "with each block, until they have their place"
    await sender.send(CALL)
    assert nonce_of(node.sent[-1]) == 10, "no nonce is given twice, whatever the chain has forgotten"
    node.nonce, sent = 10, len(node.sent)
    await sender.settle()
    await sender.settle()
    assert len(node.sent) == sent


def test_an_error_without_data_keeps_the_chain_s_own_words():
    error = refused("execution reverted: odd")
    assert refusal(error) is error
