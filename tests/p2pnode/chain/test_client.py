import re

import pytest
import trio

from p2pnode.chain.client import connect, found_subnet, open_reader, open_subnet, request_faucet
from p2pnode.chain.keystore import operator_address
from p2pnode.chain.roles import active, verify_binding
from p2pnode.errors import ChainError
from protocols.types import Address, Digest, Role, Secret

KEY, NONE = Secret(b"\x09" * 32), Digest(bytes(32))
A, B, C = (Digest(letter * 32) for letter in (b"a", b"b", b"c"))


async def test_a_stranger_finds_everything_by_url_registry_and_subnet_id(net):
    reader = await net.subnet()
    founder = await net.operator(reader, Role.DATA | Role.COMPUTE)
    stranger = await connect(net.url, net.contracts.subnets, reader.subnet_id, Secret(b"\x0a" * 32))
    subnet = await stranger.subnet()
    assert (subnet.params, subnet.task) == (b"params", b"task")
    assert (subnet.operators, subnet.anchor) == (net.contracts.operators, net.contracts.anchor)
    assert 0 < subnet.opened_block <= (await stranger.head()).number
    (record,) = await stranger.operators()
    assert (record.address, record.roles, record.stake) == (founder.operator, Role.DATA | Role.COMPUTE, 10**18)
    assert verify_binding(record, stranger.chain_id, subnet.operators, subnet.subnet_id)
    assert active(record, (await stranger.head()).number)
    await stranger.aclose()
    await founder.aclose()


async def test_checkpoints_become_final_at_two_thirds(net):
    reader = await net.subnet()
    proposer, *validators = await net.operators(reader, Role.COMPUTE, *[Role.VALIDATOR] * 3)
    await proposer.anchor(3, A, NONE, C)
    (record,) = await proposer.anchors(0)
    assert (record.height, record.header_digest, record.parent_key, record.params_digest) == (3, A, NONE, C)
    assert (record.proposer, record.quorum_block, record.finalised) == (proposer.operator, 0, False)
    await proposer.anchor(4, B, record.key, C)
    (_, child) = await proposer.anchors(0)
    async with trio.open_nursery() as nursery:
        for validator in validators[:2]:
            nursery.start_soon(validator.attest, child, 0)
    found = await proposer.anchors(0)
    assert [one.finalised for one in found] == [True, True]
    assert found[1].quorum_block > child.block_number
    assert found[0].quorum_block == 0
    assert await proposer.anchors(5) == ()
    await validators[2].attest(child, 0)  # it is done
    await reader.aclose()


async def test_once_told_to_transactions_wait_for_confirmations(net):
    reader = await net.subnet()
    proposer = await net.operator(reader, Role.COMPUTE)
    proposer.confirm(3)
    await proposer.anchor(1, A, NONE, C)
    (record,) = await proposer.anchors(0)
    reader.expire()
    assert (await proposer.head()).number >= record.block_number + 3
    await reader.aclose()


async def test_proposing_the_very_same_again_does_nothing(net):
    reader = await net.subnet()
    proposers = await net.operators(reader, *[Role.COMPUTE] * 3)
    async with trio.open_nursery() as nursery:
        for proposer in proposers:
            nursery.start_soon(proposer.anchor, 1, A, NONE, C)
    await proposers[0].anchor(1, A, NONE, C)
    assert len(await proposers[1].anchors(0)) == 1
    await proposers[0].anchor(1, A, NONE, B)  # another checkpoint, though of the same header
    assert len(await proposers[1].anchors(0)) == 2
    await reader.aclose()


async def test_refusals_are_told_in_words(net):
    reader = await net.subnet(opened=False)
    proposer, validator = await net.operators(reader, Role.COMPUTE, Role.VALIDATOR)
    with pytest.raises(ChainError, match=f"subnet {reader.subnet_id} is not open yet"):
        await proposer.anchor(1, A, NONE, C)
    await request_faucet(net.url, operator_address(KEY), 10**18)
    with pytest.raises(ChainError, match="did not found subnet"):
        await open_subnet(net.url, net.contracts.subnets, reader.subnet_id, KEY)
    await open_subnet(net.url, net.contracts.subnets, reader.subnet_id, Secret(b"\x05" * 32))
    assert (await reader.subnet()).opened_block > 0
    await proposer.anchor(1, A, NONE, C)
    await proposer.anchor(1, B, NONE, C)
    one, other = await proposer.anchors(0)
    with pytest.raises(ChainError, match="is no validator of subnet"):
        await proposer.attest(one, 0)
    await validator.attest(one, 0)
    with pytest.raises(ChainError, match="has committed to another vote at height 1"):
        await validator.attest(other, 0)
    poor = await net.account(reader)
    with pytest.raises(ChainError, match="the stake of 1 wei is below the minimum of 1000000000000000000 wei"):
        await poor.register(*net.bind(poor), Role.DATA, 1)
    await reader.aclose()


async def test_leaving_shows_and_the_stake_comes_back(net):
    reader = await net.subnet()
    chain = await net.operator(reader, Role.DATA)
    await chain.leave()
    (record,) = await chain.operators()
    assert record.left_block > record.joined_block
    assert not active(record, record.left_block)
    assert active(record, record.left_block - 1)
    with pytest.raises(ChainError, match="are paid from time"):
        await chain.withdraw()
    left = (await chain.head()).timestamp
    with trio.fail_after(20):
        while (await chain.head()).timestamp < left + 60:
            await trio.sleep(0.05)
    before = await chain.balance()
    await chain.withdraw()
    assert await chain.balance() > before + 10**18 - 10**16
    await reader.aclose()


async def test_twenty_sends_at_once_get_a_nonce_each(net):
    reader = await net.subnet()
    chain = await net.operator(reader, Role.COMPUTE)
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(chain.anchor, number, Digest(bytes([number + 1]) * 32), NONE, C)
    assert sorted(record.height for record in await chain.anchors(0)) == list(range(20))
    await reader.aclose()


async def test_a_dead_url_and_a_wrong_chain_have_names(net):
    with pytest.raises(ChainError, match=re.escape("no chain answers at http://127.0.0.1:1: ")):
        await connect("http://127.0.0.1:1", net.contracts.subnets, 1, KEY)
    with pytest.raises(ChainError, match="no chain answers at nonsense"):
        await connect("nonsense", net.contracts.subnets, 1, KEY)
    with pytest.raises(ChainError, match="but chain 1 is wanted"):
        await open_reader(net.url, net.contracts.subnets, 1, chain_id=1)
    with pytest.raises(ChainError, match="there is no subnet 999"):
        await connect(net.url, net.contracts.subnets, 999, KEY)
    with pytest.raises(ChainError, match="no contract of 2PM"):
        await connect(net.url, Address(b"\x01" * 20), 1, KEY)


async def test_founding_where_no_registry_stands_has_a_name(net):
    with pytest.raises(ChainError, match="stands no subnet registry"):
        await found_subnet(net.url, Address(b"\x77" * 20), Secret(b"\x05" * 32), b"p", b"t", KEY.reveal()[:20], A[:20])


async def test_an_account_without_funds_is_told(net):
    reader = await net.subnet()
    poor = await connect(net.url, net.contracts.subnets, reader.subnet_id, Secret(b"\x0b" * 32))
    with pytest.raises(ChainError, match="funds"):
        await poor.register(*net.bind(poor), Role.DATA, 10**18)
    await poor.aclose()
    await reader.aclose()
