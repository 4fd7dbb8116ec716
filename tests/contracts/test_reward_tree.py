"""Trees of rewards, held to what the contract makes of them."""

import pytest
from eth_utils.crypto import keccak

from contracts.dao import Pot, RewardDistributor, RoyaltyVault, TwoPMToken
from contracts.reward_tree import RewardTree, reward_leaf, share_leaf
from contracts.terms import Economics


def climbed(leaf, proof):
    node = keccak(leaf)
    for other in proof:
        node = keccak(min(node, other) + max(node, other))
    return node


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 33])
def test_every_leaf_leads_to_the_root_and_nothing_else_does(count):
    leaves = [bytes([number]) * 32 for number in range(count)]
    tree = RewardTree(leaves)
    for position, leaf in enumerate(leaves):
        assert climbed(leaf, tree.proof(position)) == tree.root
        assert climbed(b"x" * 32, tree.proof(position)) != tree.root


def test_shares_have_leaves_of_their_own_as_the_vault_hashes_them(world):
    where = world.subnets.address
    vault = RoyaltyVault(world.deploy(RoyaltyVault.deployment(where, where, where, 0, world.authority)))
    leaf = share_leaf(world.ledger.chain_id, vault.address, 3, b"a" * 20, 7)
    assert leaf == world.ask(vault.leaf_of(3, b"a" * 20, 7))
    assert leaf != reward_leaf(world.ledger.chain_id, vault.address, 3, Pot.DATA, b"a" * 20, 7)


def test_without_leaves_there_is_no_tree():
    with pytest.raises(ValueError, match="nobody has earned anything"):
        RewardTree([])


def test_the_contract_pays_by_such_a_tree(world):
    founder = bytes.fromhex(world.founder.address[2:])
    world.send(world.founder, world.subnets.set_economics(1, Economics(poster=founder)))
    token = TwoPMToken(world.deploy(TwoPMToken.deployment(founder, 10**6)))
    made = RewardDistributor.deployment(token.address, world.subnets.address, 0, founder, world.authority)
    rewards = RewardDistributor(world.deploy(made))
    world.send(world.founder, token.approve(rewards.address, 10**6))
    world.send(world.founder, rewards.fund(1, 10**6))
    earned = [(pot, bytes([number]) * 20, 1000 + number) for number, pot in enumerate((0, 2, 3, 2, 3), 1)]
    chain_id, where = world.ledger.chain_id, rewards.address
    leaves = [reward_leaf(chain_id, where, 1, Pot(pot), account, amount) for pot, account, amount in earned]
    assert leaves == [world.ask(rewards.leaf_of(1, Pot(pot), account, amount)) for pot, account, amount in earned]
    tree = RewardTree(leaves)
    world.send(world.founder, rewards.post_root(1, tree.root))
    for position, (pot, account, amount) in enumerate(earned):
        world.send(world.founder, rewards.claim(1, Pot(pot), account, amount, 0, tree.proof(position)))
        assert world.ask(token.balance_of(account)) == amount
