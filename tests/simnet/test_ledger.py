import pytest
import trio
from trio.testing import MockClock

from p2pnode.errors import ChainError
from protocols.types import NO_DIGEST, Address, Digest, PeerKey, Role
from simnet.ledger import Ledger, VirtualChain
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


async def test_two_thirds_of_the_validators_stake_finalise(autojump_clock: MockClock, ledger: Ledger) -> None:
    proposer, validators = await opened(ledger)
    await proposer.anchor(0, HEADER, NO_DIGEST, PARAMS)
    await proposer.anchor(0, HEADER, NO_DIGEST, PARAMS)
    await validators[0].attest(0, HEADER)
    assert not (await proposer.anchors(0))[0].finalised
    await validators[1].attest(0, HEADER)
    (record,) = await proposer.anchors(0)
    assert (record.finalised, record.attested_stake, record.proposer) == (True, 6, address(7))
    assert await proposer.anchors(1) == ()


async def test_a_final_checkpoint_takes_its_ancestors_along(autojump_clock: MockClock, ledger: Ledger) -> None:
    proposer, validators = await opened(ledger)
    await proposer.anchor(0, HEADER, NO_DIGEST, PARAMS)
    await proposer.anchor(2, CHILD, HEADER, PARAMS)
    for validator in validators[:2]:
        await validator.attest(2, CHILD)
    assert [(item.height, item.finalised) for item in await proposer.anchors(0)] == [(0, True), (2, True)]
    with pytest.raises(ChainError, match="not above"):
        await proposer.anchor(1, PARAMS, HEADER, PARAMS)
    with pytest.raises(ChainError, match="parent"):
        await proposer.anchor(3, PARAMS, NO_DIGEST, PARAMS)


async def test_who_may_propose_and_attest_what(autojump_clock: MockClock, ledger: Ledger) -> None:
    proposer, (validator, *_) = await opened(ledger)
    with pytest.raises(ChainError, match="cannot propose"):
        await validator.anchor(0, HEADER, NO_DIGEST, PARAMS)
    await proposer.anchor(0, HEADER, NO_DIGEST, PARAMS)
    late = await registered(ledger, 9, Role.VALIDATOR)
    for chain, header, words in [
        (proposer, HEADER, "cannot attest"),
        (validator, CHILD, "no such checkpoint"),
        (late, HEADER, "joined after"),
    ]:
        with pytest.raises(ChainError, match=words):
            await chain.attest(0, header)
    await validator.attest(0, HEADER)
    with pytest.raises(ChainError, match="already"):
        await validator.attest(0, HEADER)
