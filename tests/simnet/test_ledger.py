import pytest
import trio
from trio.testing import MockClock

from p2pnode.errors import ChainError
from protocols.types import Address, Digest, PeerKey, Role
from simnet.ledger import Ledger, VirtualChain
from simnet.memory import GENESIS

HEADER, PARENT, PARAMS = (Digest(bytes([number]) * 32) for number in (1, 2, 3))


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
    with pytest.raises(ChainError, match="another operator"):
        await VirtualChain(ledger, address(2)).register(peer(1), b"proof", Role.DATA, 10)
    await chain.leave()
    (record,) = await chain.operators()
    assert 0 < record.joined_block < record.left_block
    with pytest.raises(ChainError, match="not registered"):
        await chain.leave()


async def test_two_thirds_of_the_validators_stake_finalise(autojump_clock: MockClock, ledger: Ledger) -> None:
    validators = [await registered(ledger, number, Role.VALIDATOR, stake) for number, stake in enumerate((3, 3, 3), 1)]
    proposer = await registered(ledger, 7, Role.DATA, 1000)
    await proposer.anchor(0, HEADER, PARENT, PARAMS)
    await validators[0].anchor(0, HEADER, PARENT, PARAMS)
    with pytest.raises(ChainError, match="another checkpoint"):
        await proposer.anchor(0, PARENT, PARENT, PARAMS)
    await validators[0].attest(0, HEADER)
    assert not (await proposer.anchors(0))[0].finalised
    await validators[1].attest(0, HEADER)
    (record,) = await proposer.anchors(0)
    assert (record.finalised, record.attested_stake, record.proposer) == (True, 6, address(7))
    assert await proposer.anchors(1) == ()


async def test_who_may_attest_what(autojump_clock: MockClock, ledger: Ledger) -> None:
    proposer, validator = await registered(ledger, 1, Role.DATA), await registered(ledger, 2, Role.VALIDATOR)
    await proposer.anchor(0, HEADER, PARENT, PARAMS)
    with pytest.raises(ChainError, match="no validator"):
        await proposer.attest(0, HEADER)
    with pytest.raises(ChainError, match="no such checkpoint"):
        await validator.attest(0, PARENT)
    await validator.attest(0, HEADER)
    with pytest.raises(ChainError, match="already"):
        await validator.attest(0, HEADER)
