"""The reader against a ledger in this process, in virtual time: what it asks for, and what it does in a reorg."""

import json
from collections import Counter

import pytest
import rlp
import trio
from eth_account import Account
from eth_utils.crypto import keccak

from contracts.bindings import (
    Attestation,
    Checkpoint,
    CheckpointAnchor,
    EcdsaQuorum,
    OperatorRegistry,
    SubnetRegistry,
    Transaction,
)
from contracts.devchain_ledger import Genesis, Ledger
from contracts.devchain_rpc import JsonRpc
from contracts.economy import Authority, LocalStakeSource, StakeVault
from contracts.terms import Terms
from p2pnode.chain.provider import HttpxProvider
from p2pnode.chain.reader import HEAD_AGE_S, MISSED_BLOCKS, PAGE, ChainReader
from p2pnode.errors import ChainError

ALICE = Account.from_key(b"\x02" * 32)
HERS = bytes.fromhex(ALICE.address[2:])
START = 1_700_000_000


class LocalProvider(HttpxProvider):
    """The real provider, but for the wire; counts what is asked."""

    def __init__(self, chain):
        super().__init__("http://local")
        self.chain = chain
        self.asked = Counter()
        self.calls = []

    async def _post(self, body):
        await trio.lowlevel.checkpoint()
        requests = json.loads(body)
        requests = requests if isinstance(requests, list) else [requests]
        self.asked.update(one["method"] for one in requests)
        self.calls += [one["params"][0]["data"] for one in requests if one["method"] == "eth_call"]
        return JsonRpc(self.chain.ledger, self.chain.ledger.submit).answer_bytes(body)


class Chain:
    """A ledger with one open subnet in which Alice computes and validates."""

    def __init__(self, chain_id=99):
        self.ledger = Ledger(Genesis(chain_id, START, b"\x01" * 32))
        self.ledger.submit(self.ledger.drip(HERS, 10**24))
        self.mine()
        authority = self.deploy(Authority.deployment(HERS))
        vault = self.deploy(StakeVault.deployment(bytes(20), 1, HERS, authority))
        source = self.deploy(LocalStakeSource.deployment([(vault, 10**18)], authority))
        self.subnets = SubnetRegistry(self.deploy(SubnetRegistry.deployment(authority)))
        where = self.subnets.address
        self.operators = OperatorRegistry(self.deploy(OperatorRegistry.deployment(where, source, vault, 1)))
        verifier = self.deploy(EcdsaQuorum.deployment())
        self.attestation = Attestation(self.deploy(Attestation.deployment(where, verifier, 1, 1000)))
        made = CheckpointAnchor.deployment(where, self.attestation.address, 1, 1, authority)
        self.anchor = CheckpointAnchor(self.deploy(made))
        self.send(self.subnets.found(Terms(HERS, self.operators.address, self.anchor.address, b"p", b"t")))
        self.send(self.subnets.open(1))
        self.send(self.operators.register(1, b"p" * 32, bytes(64), 7, 5))
        self.send(self.anchor.bond(1, 1))

    def mine(self, blocks=1):
        for _ in range(blocks):
            self.ledger.seal(self.ledger.head.timestamp + 1)

    def send(self, call):
        fields = {"type": 2, "chainId": self.ledger.chain_id, "nonce": self.ledger.nonce(HERS), "gas": 5_000_000}
        fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1}
        signed = ALICE.sign_transaction(fields | fees | {"to": call.to, "data": call.data, "value": call.value})
        self.ledger.submit(bytes(signed.raw_transaction))
        self.mine()

    def deploy(self, call: Transaction):
        created = keccak(rlp.encode([HERS, self.ledger.nonce(HERS)]))[12:]
        self.send(call)
        return created

    def checkpoint(self, height):
        self.send(self.anchor.propose(1, Checkpoint(height, height.to_bytes(32, "big"), bytes(32), b"d" * 32)))


@pytest.fixture
def chain():
    return Chain()


@pytest.fixture
async def reader(chain):
    made = ChainReader(LocalProvider(chain), chain.subnets.address, 1)
    await made.connect()
    yield made
    await made.aclose()


async def test_many_nodes_share_one_poll(reader, autojump_clock):
    await reader.operators()
    await reader.anchors(0)
    await trio.sleep(HEAD_AGE_S)
    reader.provider.asked.clear()

    async def node():
        await reader.head()
        await reader.operators()
        await reader.anchors(0)

    async with trio.open_nursery() as nursery:
        for _ in range(14):
            nursery.start_soon(node)
    assert reader.provider.asked == {"eth_getBlockByNumber": 1}


async def test_empty_blocks_are_not_worth_a_look_and_full_ones_are(chain, reader, autojump_clock):
    for _ in range(3):
        chain.mine()
        await trio.sleep(HEAD_AGE_S)
        assert (await reader.operators())[0].stake == 5
        assert await reader.anchors(0) == ()
    reader.provider.asked.clear()
    chain.mine()
    await trio.sleep(HEAD_AGE_S)
    await reader.anchors(0)
    assert reader.provider.asked["eth_call"] == 0
    chain.checkpoint(1)
    await trio.sleep(HEAD_AGE_S)
    assert [record.height for record in await reader.anchors(0)] == [1]
    await reader.operators()  # of whom that block's logs say nothing
    assert (reader.provider.asked["eth_call"], reader.provider.asked["eth_getLogs"]) == (0, 1)


async def test_a_change_in_a_block_that_was_missed_is_seen(chain, reader, autojump_clock):
    chain.checkpoint(1)
    chain.mine(5)
    await trio.sleep(HEAD_AGE_S)
    assert [record.height for record in await reader.anchors(0)] == [1]


async def test_blocks_that_were_missed_are_looked_at_one_by_one(chain, reader, autojump_clock):
    await reader.operators()
    reader.provider.asked.clear()
    chain.mine(5)
    await trio.sleep(HEAD_AGE_S)
    await reader.operators()
    assert reader.provider.asked["eth_call"] == 0
    chain.mine(MISSED_BLOCKS + 1)
    await trio.sleep(HEAD_AGE_S)
    await reader.operators()
    assert reader.provider.asked["eth_call"] == 1


async def test_of_operators_that_join_only_the_new_ones_are_read_of_changes_all(chain, reader, autojump_clock):
    """While hundreds register, each block would else have every process read all of them again."""

    async def look():
        reader.provider.calls.clear()
        await trio.sleep(HEAD_AGE_S)
        stays = [(record.address, bool(record.left_block), record.stake) for record in await reader.operators()]
        first = [start for start in range(3) if page(start) in reader.provider.calls]
        return stays, first

    def page(start):
        return f"0x{chain.operators.operators(1, start, PAGE).data.hex()}"

    assert await look() == ([(HERS, False, 5)], [0])
    chain.send(chain.operators.deregister(1))
    assert await look() == ([(HERS, True, 5)], [0])
    chain.send(chain.operators.register(1, b"q" * 32, bytes(64), 7, 5))
    assert await look() == ([(HERS, True, 5), (HERS, False, 10)], [1])
    chain.send(StakeVault(await reader.ask(chain.operators.vault())).deposit(HERS, HERS, 2, value=2))
    chain.send(chain.operators.refresh(1, [HERS]))
    assert await look() == ([(HERS, True, 5), (HERS, False, 12)], [0])


async def test_while_only_the_subnet_is_asked_for_operators_are_not_read(chain, reader, autojump_clock):
    reader.provider.asked.clear()
    chain.mine(MISSED_BLOCKS + 1)
    await trio.sleep(HEAD_AGE_S)
    assert (await reader.subnet()).subnet_id == 1
    assert reader.provider.asked["eth_getLogs"] == reader.provider.asked["eth_call"] == 0


async def test_blocks_by_number_are_asked_for_once(chain, reader):
    block = await reader.block(2)
    assert (block.number, block.timestamp, block.hash) == (2, START + 2, chain.ledger.header(2).hash)
    reader.provider.asked.clear()
    assert await reader.block(2) == block
    assert not reader.provider.asked
    with pytest.raises(ChainError, match="there is no block 1000 yet"):
        await reader.block(1000)


async def test_logs_are_read_once(chain, reader, autojump_clock):
    for height in range(1, 6):
        chain.checkpoint(height)
    await trio.sleep(HEAD_AGE_S)
    before = await reader.anchors(0)
    assert [record.height for record in before] == [1, 2, 3, 4, 5]
    assert reader._scanned == chain.ledger.head.block_number
    chain.checkpoint(6)
    asked = []
    ask = reader.provider.ask

    async def noting(method, *arguments):
        asked.append((method, arguments))
        return await ask(method, *arguments)

    reader.provider.ask = noting
    await trio.sleep(HEAD_AGE_S)
    assert [record.height for record in await reader.anchors(0)] == [1, 2, 3, 4, 5, 6]
    (wanted,) = (arguments[0] for method, arguments in asked if method == "eth_getLogs")
    assert wanted["fromBlock"] == wanted["toBlock"] == hex(chain.ledger.head.block_number)


async def test_long_ranges_of_logs_are_read_in_parts(chain, reader, autojump_clock, monkeypatch):
    monkeypatch.setattr("p2pnode.chain.reader.LOG_BLOCKS", 3)
    chain.checkpoint(1)
    chain.mine(20)
    chain.checkpoint(2)
    await trio.sleep(HEAD_AGE_S)
    assert [record.height for record in await reader.anchors(0)] == [1, 2]
    assert reader.provider.asked["eth_getLogs"] > 6


@pytest.mark.parametrize("lead", [0, 1, 7])
async def test_a_reorg_is_rolled_back(chain, reader, autojump_clock, lead):
    chain.checkpoint(1)
    await trio.sleep(HEAD_AGE_S)
    assert [record.height for record in await reader.anchors(0)] == [1]
    old = await reader.block(chain.ledger.head.block_number)
    other = Chain()
    other.checkpoint(2)
    other.ledger.submit(other.ledger.drip(b"\x05" * 20, 1))
    other.mine(1 + lead)
    chain.ledger = other.ledger
    await trio.sleep(HEAD_AGE_S)
    assert [record.height for record in await reader.anchors(0)] == [2]
    assert (await reader.block(old.number)).hash == other.ledger.header(old.number).hash != old.hash


async def test_another_chain_behind_the_same_url_is_refused(chain, reader, autojump_clock):
    chain.ledger = Chain(chain_id=98).ledger
    chain.mine()
    await trio.sleep(HEAD_AGE_S)
    with pytest.raises(ChainError, match="another chain answers at http://local than before"):
        await reader.head()
