"""What the economy's transactions cost (calldata and the 21,000 included), against contracts/gas_economy.json."""

import json
import os

import pytest
from eth_utils.crypto import keccak

from contracts.build import FOLDER
from contracts.dao import Claim, Pot, RewardDistributor, TwoPMToken
from contracts.terms import Economics

SNAPSHOT = FOLDER / "gas_economy.json"
CLAIM_LIMIT = 75_000
WITHIN = ("claim", "claim, an account's first, prepared", "claim, as the last, one of 16 in a transaction")
"""Nothing else may cost more; what does, writes a slot anew: see docs/decisions/0028-first-claims.md."""
TOGETHER = 16
LEVELS = 10
"""A tree of 1,024 claims."""


def address(account):
    return bytes.fromhex(account.address[2:])


def gas(world, account, transaction):
    sent = world.ledger.submit(world.sign(account, transaction))
    world.mine()
    mined = world.ledger.find(sent)
    receipts = world.ledger.receipts(mined.block)
    assert receipts[mined.index].state_root == b"\x01"
    return receipts[mined.index].gas_used  # alone in its block


def root_over(inner, levels):
    node, proof = keccak(inner), [keccak(bytes([level])) for level in range(levels)]
    for other in proof:
        node = keccak(min(node, other) + max(node, other))
    return node, proof


def rewards_of(world, poster):
    """$2PM and a distributor whose roots count at once, 100 $2PM in its pots."""
    world.send(world.founder, world.subnets.set_economics(1, Economics(poster=address(poster))))
    token = TwoPMToken(world.deploy(TwoPMToken.deployment(address(world.founder), 10**27)))
    fund = address(world.founder)
    made = RewardDistributor.deployment(token.address, world.subnets.address, 0, fund, world.authority)
    rewards = RewardDistributor(world.deploy(made))
    world.send(world.founder, token.approve(rewards.address, 10**27))
    world.send(world.founder, rewards.fund(1, 10**20))
    return token, rewards


def due(world, rewards, poster, account, cumulative):
    """A claim by a root of its own."""
    root, proof = root_over(world.ask(rewards.leaf_of(1, Pot.COMPUTE, account, cumulative)), LEVELS)
    index = world.ask(rewards.root_count(1))
    world.send(poster, rewards.post_root(1, root))
    return Claim(1, Pot.COMPUTE, account, cumulative, index, proof)


def claims(world):
    """First and later claims of accounts that hold $2PM already or do not, alone and together."""
    poster, holder, ready, newcomer = (world.account() for _ in range(4))
    token, rewards = rewards_of(world, poster)
    first = due(world, rewards, poster, address(poster), 10**18)
    world.send(poster, rewards.claim(*first))
    for who in (holder, ready):
        world.send(world.founder, token.transfer(address(who), 1))
    world.send(poster, rewards.prepare(1, Pot.COMPUTE, [address(ready)]))
    found = {}
    for name, who, cumulative in (
        ("claim", poster, 2 * 10**18),
        ("claim, an account's first, prepared", ready, 10**18),
        ("claim, an account's first", holder, 10**18),
        ("claim, an account's first, and its first $2PM", newcomer, 10**18),
    ):
        found[name] = gas(world, who, rewards.claim(*due(world, rewards, poster, address(who), cumulative)))
    many = [due(world, rewards, poster, bytes([number]) * 20, 10**18) for number in range(1, 1 + TOGETHER)]
    all_of_them = gas(world, poster, rewards.claim_many(many))
    found["claim, as the last, one of 16 in a transaction"] = all_of_them // TOGETHER
    others = [bytes([number]) * 20 for number in range(101, 101 + TOGETHER)]
    prepared = gas(world, poster, rewards.prepare(1, Pot.COMPUTE, others))
    found["prepare, one of 16 in a transaction"] = prepared // TOGETHER
    return found


def stakes(world):
    operator, friend = world.account(), world.account()
    found = {
        "register with a stake": gas(world, operator, world.operators.register(1, b"p" * 32, bytes(64), 4, 10**18)),
        "delegate": gas(world, friend, world.vault.deposit(address(operator), address(friend), 10**18, value=10**18)),
        "refresh one operator": gas(world, friend, world.operators.refresh(1, [address(operator)])),
        "request exit": gas(world, friend, world.vault.request_exit(address(operator), 10**21)),
    }
    world.mine(2 * world.ask(world.vault.epoch_seconds()))
    epoch = world.ask(world.vault.exit_epochs(address(operator), address(friend)))[0]
    found["claim exit"] = gas(world, friend, world.vault.claim(address(operator), epoch, address(friend)))
    return found


def test_gas_is_as_committed(world):
    """TWOPM_GAS=write commits new figures; what costs more than a fiftieth more than committed fails."""
    measured = {**claims(world), **stakes(world)}
    assert {name: measured[name] for name in WITHIN if measured[name] > CLAIM_LIMIT} == {}
    if os.environ.get("TWOPM_GAS") == "write":
        SNAPSHOT.write_text(json.dumps(measured, indent=1) + "\n")
    committed = json.loads(SNAPSHOT.read_text())
    assert sorted(measured) == sorted(committed)
    for name, used in measured.items():
        assert used == pytest.approx(committed[name], rel=0.02), name
