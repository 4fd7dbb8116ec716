import trio

from p2pnode.chain.client import EvmChain
from protocols.types import Digest, Role

NONE = Digest(bytes(32))
A, B, C = (Digest(letter * 32) for letter in (b"a", b"b", b"c"))


async def test_a_vote_goes_on_where_it_was_broken_off_and_is_never_given_twice(net):
    """As after a crash: the signature is the same again, and every step looks whether it is done."""
    reader = await net.subnet()
    proposer, one, two = await net.operators(reader, Role.COMPUTE, *[Role.VALIDATOR] * 2)
    await proposer.anchor(1, A, NONE, C)
    (record,) = await proposer.anchors(0)
    committed = trio.Event()
    with trio.CancelScope() as crash:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.attest, record, 0)
            with trio.fail_after(60):
                while one.operator not in (await reader.checkpoints()).committed[1]:
                    await trio.sleep(0.1)
            committed.set()
            crash.cancel()
    assert committed.is_set()
    async with trio.open_nursery() as nursery:
        for validator in (one, two):
            nursery.start_soon(validator.attest, record, 0)
    assert [each.finalised for each in await proposer.anchors(0)] == [True]
    await reader.aclose()


async def test_new_weights_are_taken_down_when_validators_change(net):
    reader = await net.subnet()
    proposer, one = await net.operators(reader, Role.COMPUTE, Role.VALIDATOR)
    await proposer.anchor(1, A, NONE, C)
    (first,) = await proposer.anchors(0)
    await one.attest(first, 0)
    two: EvmChain = await net.operator(reader, Role.VALIDATOR)
    await proposer.anchor(2, B, first.key, C)
    (second,) = await proposer.anchors(2)
    async with trio.open_nursery() as nursery:
        for validator in (one, two):
            nursery.start_soon(validator.attest, second, 0)
    log = await reader.checkpoints()
    assert [len(log.snapshots[log.weighed_by[each.key]].table) for each in (first, second)] == [1, 2]
    assert all(each.finalised for each in log.records.values())
    await reader.aclose()
