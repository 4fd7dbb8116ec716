from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from p2pnode.chain.roles import account_of
from p2pnode.chain.statements import Kind, OperatorStatements, Statement, sign
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord
from protocols.types import NO_DIGEST, Address, Digest, PeerKey, Role, Secret
from protocols.verification.contradiction import contradiction
from protocols.verification.proofs import Stated
from simnet.ledger import CHAIN_ID, Ledger, VirtualChain
from simnet.memory import GENESIS

HEADER, CHILD, PARAMS = (Digest(bytes([number]) * 32) for number in (1, 2, 3))


def address(number: int) -> Address:
    return Address(bytes([number]) * 20)


def peer(number: int) -> PeerKey:
    return PeerKey(bytes([number]) * 32)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(1, address(0), b"params", b"task")


async def registered(ledger: Ledger, number: int, roles: Role, stake: int = 10) -> VirtualChain:
    chain = VirtualChain(ledger, address(number))
    await chain.register(peer(number), b"proof", roles, stake)
    return chain


async def test_blocks_come_every_second_and_stay(autojump_clock: MockClock, ledger: Ledger) -> None:
    chain = VirtualChain(ledger, address(0))
    await trio.sleep(3.5)
    head = await chain.head()
    assert (head.number, head.timestamp) == (3, GENESIS + 3)
    await trio.sleep(1)
    assert await chain.block(3) == head
    with pytest.raises(ChainError, match="does not exist yet"):
        await chain.block(99)


async def test_founder_opens_once(autojump_clock: MockClock, ledger: Ledger) -> None:
    founder = VirtualChain(ledger, address(0))
    with pytest.raises(ChainError, match="founder"):
        await VirtualChain(ledger, address(1)).open()
    await founder.open()
    assert (await founder.subnet()).opened_block == (await founder.head()).number
    with pytest.raises(ChainError, match="open already"):
        await founder.open()


async def test_registration_is_unique_and_can_end(autojump_clock: MockClock, ledger: Ledger) -> None:
    chain = await registered(ledger, 1, Role.DATA)
    with pytest.raises(ChainError, match="registered already"):
        await chain.register(peer(9), b"proof", Role.DATA, 10)
    await VirtualChain(ledger, address(2)).register(peer(1), b"proof", Role.DATA, 10)  # readers check whose proof holds
    await chain.leave()
    record, _ = await chain.operators()
    assert 0 < record.joined_block < record.left_block
    with pytest.raises(ChainError, match="not registered"):
        await chain.leave()


async def opened(ledger: Ledger) -> tuple[VirtualChain, list[VirtualChain]]:
    """A computing operator, and three validators with a stake of 3 each, in an open subnet."""
    validators = [await registered(ledger, number, Role.VALIDATOR, 3) for number in (1, 2, 3)]
    proposer = await registered(ledger, 7, Role.DATA | Role.COMPUTE, 1000)
    await VirtualChain(ledger, address(0)).open()
    return proposer, validators


async def anchored(proposer: VirtualChain, height: int, header: Digest, parent: Digest) -> AnchorRecord:
    await proposer.anchor(height, header, parent, PARAMS)
    return next(one for one in await proposer.anchors(0) if one.header_digest == header)


async def test_two_thirds_of_the_validators_stake_finalise(autojump_clock: MockClock, ledger: Ledger) -> None:
    proposer, validators = await opened(ledger)
    found = await anchored(proposer, 0, HEADER, NO_DIGEST)
    await proposer.anchor(0, HEADER, NO_DIGEST, PARAMS)
    await validators[0].attest(found, 0)
    assert not (await proposer.anchors(0))[0].finalised
    await validators[1].attest(found, 0)
    (record,) = await proposer.anchors(0)
    assert (record.finalised, record.proposer) == (True, address(7))
    assert record.quorum_block == ledger.number > record.block_number
    assert await proposer.anchors(1) == ()


async def test_a_final_checkpoint_takes_its_ancestors_along(autojump_clock: MockClock, ledger: Ledger) -> None:
    proposer, validators = await opened(ledger)
    first = await anchored(proposer, 0, HEADER, NO_DIGEST)
    second = await anchored(proposer, 2, CHILD, first.key)
    for validator in validators[:2]:
        await validator.attest(second, 0)
    assert [(item.height, item.finalised) for item in await proposer.anchors(0)] == [(0, True), (2, True)]
    with pytest.raises(ChainError, match="not above"):
        await proposer.anchor(1, PARAMS, first.key, PARAMS)
    with pytest.raises(ChainError, match="parent"):
        await proposer.anchor(3, PARAMS, NO_DIGEST, PARAMS)


async def test_a_squatter_with_the_same_header_stops_nobody(autojump_clock: MockClock, ledger: Ledger) -> None:
    proposer, validators = await opened(ledger)
    await proposer.anchor(0, HEADER, NO_DIGEST, CHILD)
    await proposer.anchor(0, HEADER, NO_DIGEST, PARAMS)
    wrong, right = await proposer.anchors(0)
    for validator in validators[:2]:
        await validator.attest(right, 0)
    assert [one.finalised for one in await proposer.anchors(0)] == [False, True]
    assert wrong.key != right.key


async def test_who_may_propose_and_attest_what(autojump_clock: MockClock, ledger: Ledger) -> None:
    proposer, (validator, *_) = await opened(ledger)
    with pytest.raises(ChainError, match="cannot propose"):
        await validator.anchor(0, HEADER, NO_DIGEST, PARAMS)
    found = await anchored(proposer, 0, HEADER, NO_DIGEST)
    late = await registered(ledger, 9, Role.VALIDATOR)
    for chain, record, words in [
        (proposer, found, "cannot attest"),
        (validator, replace(found, key=CHILD), "no such checkpoint"),
        (late, found, "joined after"),
    ]:
        with pytest.raises(ChainError, match=words):
            await chain.attest(record, 0)
    await validator.attest(found, 0)
    with pytest.raises(ChainError, match="already"):
        await validator.attest(found, 0)


async def test_the_court_of_this_world_convicts_who_contradicts_itself_and_nobody_else(ledger: Ledger) -> None:
    key = account_of(Secret(b"\x07" * 32))
    operator, registry = Address(bytes.fromhex(key.address[2:])), ledger.subnet.operators
    one = Statement(Kind.AGGREGATE, 1, 0, 3, 2, b"v" * 32)
    other = replace(one, value=b"w" * 32)
    pair = [
        (Stated(int(each.kind), 1, 0, 3, 2, each.value), sign(key, each, CHAIN_ID, registry)) for each in (one, other)
    ]
    found = contradiction(operator, *pair)
    assert found is not None
    statements = OperatorStatements(key, CHAIN_ID, registry)
    assert [ledger.convict(found, statements) for _ in range(2)] == [True, False]
    for wrong in (
        replace(found, operator=address(9)),
        replace(found, second=found.first, second_signature=found.first_signature),
        replace(found, second_signature=found.first_signature),
    ):
        with pytest.raises(ChainError, match="the court refuses"):
            ledger.convict(wrong, statements)
    assert ledger.offences == {("equivocation", operator, 3, 2)}
