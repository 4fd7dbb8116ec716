"""The rules of contracts/src/OperatorRegistry.sol."""

from dataclasses import replace

import pytest

from contracts.bindings import OperatorRegistry, Standing, Transaction
from contracts.economy_events import StakeRefreshed
from contracts.events import OperatorLeft, OperatorRegistered

MIN_STAKE, DATA, COMPUTE, VALIDATOR = 10**18, 1, 2, 4
PEER, PROOF = b"\x07" * 32, b"\x08" * 64


def refused(name):
    return pytest.raises(Exception, match=f"^{name}: ")


def address(account):
    return bytes.fromhex(account.address[2:])


def test_registering_records_everything_a_reader_needs(world):
    account = world.account()
    found = world.send(account, world.operators.register(1, PEER, PROOF, DATA | VALIDATOR, MIN_STAKE + 1))
    assert found[-1] == OperatorRegistered(1, address(account), PEER, 5, MIN_STAKE + 1)
    (record,) = world.ask(world.operators.operators(1, 0, 10))
    assert (record.account, record.peer, record.peer_proof) == (address(account), PEER, PROOF)
    assert (record.stake, record.roles) == (MIN_STAKE + 1, 5)
    assert (record.joined_block, record.left_block) == (world.ledger.head.block_number, 0)
    assert world.ask(world.operators.standing(1, address(account))) == Standing(5, MIN_STAKE + 1, record.joined_block)
    assert world.ask(world.operators.validator_stake(1)) == MIN_STAKE + 1
    assert world.ledger.balance(world.vault.address) == MIN_STAKE + 1


@pytest.mark.parametrize(
    ("error", "peer", "proof", "roles", "stake"),
    [
        ("StakeTooSmall", PEER, PROOF, DATA, MIN_STAKE - 1),
        ("BadRoles", PEER, PROOF, 0, MIN_STAKE),
        ("BadRoles", PEER, PROOF, 8, MIN_STAKE),
        ("BadPeer", bytes(32), PROOF, DATA, MIN_STAKE),
        ("BadPeer", PEER, PROOF[1:], DATA, MIN_STAKE),
        ("BadPeer", PEER, PROOF + b"x", DATA, MIN_STAKE),
    ],
)
def test_entry_conditions(world, error, peer, proof, roles, stake):
    with refused(error):
        world.send(world.account(), world.operators.register(1, peer, proof, roles, stake))


def test_an_unknown_subnet_takes_no_stake(world):
    with refused("UnknownSubnet"):
        world.send(world.account(), world.operators.register(2, PEER, PROOF, DATA, MIN_STAKE))


def test_a_registry_that_the_subnet_does_not_name_takes_no_stake(world):
    where, economy = world.subnets.address, (world.source.address, world.vault.address)
    other = OperatorRegistry(world.deploy(OperatorRegistry.deployment(where, *economy, MIN_STAKE)))
    with refused("NotThisRegistry"):
        world.send(world.account(), other.register(1, PEER, PROOF, DATA, MIN_STAKE))


def test_one_stay_at_a_time_and_claiming_anothers_key_blocks_nobody(world):
    """Readers take the earliest stay whose proof verifies: the thief's does not."""
    thief, account = world.account(), world.account()
    world.send(thief, world.operators.register(1, PEER, PROOF, DATA, MIN_STAKE))
    world.send(account, world.operators.register(1, PEER, PROOF, DATA, MIN_STAKE))
    with refused("AlreadyRegistered"):
        world.send(account, world.operators.register(1, b"\x01" * 32, PROOF, DATA, MIN_STAKE))


def test_who_left_may_come_back_and_both_stays_stay_readable(world):
    account = world.register(VALIDATOR)
    peer = world.ask(world.operators.operators(1, 0, 1))[0].peer
    found = world.send(account, world.operators.deregister(1))
    left = world.ledger.head.block_number
    assert found == (OperatorLeft(1, address(account), left),)
    assert world.ask(world.operators.standing(1, address(account))) == Standing(0, 0, 0)
    assert world.ask(world.operators.validator_stake(1)) == 0
    with refused("NotRegistered"):
        world.send(account, world.operators.deregister(1))
    world.send(account, world.operators.register(1, peer, PROOF, DATA, MIN_STAKE))
    first, second = world.ask(world.operators.operators(1, 0, 10))
    assert (first.left_block, first.roles) == (left, VALIDATOR)
    assert (second.left_block, second.roles) == (0, DATA)


def test_stake_made_before_counts_and_secures_several_subnets(world):
    world.send(world.founder, world.subnets.found(world.terms()))
    account, friend = world.account(), world.account()
    world.send(account, world.vault.deposit(address(account), address(account), 1, value=1))
    world.send(friend, world.vault.deposit(address(account), address(friend), MIN_STAKE, value=MIN_STAKE))
    for subnet_id in (1, 2):
        world.send(account, world.operators.register(subnet_id, PEER, PROOF, VALIDATOR, 0))
        assert world.ask(world.operators.validator_stake(subnet_id)) == MIN_STAKE + 1


def test_weights_are_those_of_past_blocks(world):
    account = world.register(VALIDATOR)
    before = world.ledger.head.block_number
    world.send(account, world.vault.deposit(address(account), address(account), 5, value=5))
    assert world.ask(world.operators.validator_stake(1)) == MIN_STAKE
    found = world.send(world.account(), world.operators.refresh(1, [address(account), b"\x01" * 20]))
    assert found == (StakeRefreshed(1, address(account), MIN_STAKE + 5),)
    world.mine()
    after = world.ledger.head.block_number
    for block, weight in ((before - 1, 0), (before, MIN_STAKE), (after, MIN_STAKE + 5)):
        assert world.ask(world.operators.validator_weight_at(1, address(account), block)) == weight
        assert world.ask(world.operators.validator_weight_total_at(1, block)) == weight
    assert world.ask(world.operators.standing(1, address(account))).stake == MIN_STAKE + 5


def test_who_has_too_little_stake_left_is_out(world):
    account = world.register(VALIDATOR)
    world.send(account, world.vault.request_exit(address(account), 1000))
    found = world.send(world.account(), world.operators.refresh(1, [address(account)]))
    assert found[-1] == OperatorLeft(1, address(account), world.ledger.head.block_number)
    assert world.ask(world.operators.validator_stake(1)) == 0


def test_a_registry_without_a_vault_takes_no_money(world):
    where = world.subnets.address
    operators = OperatorRegistry(
        world.deploy(OperatorRegistry.deployment(where, world.source.address, bytes(20), MIN_STAKE))
    )
    world.send(world.founder, world.subnets.found(replace(world.terms(), operators=operators.address)))
    account = world.account()
    with refused("NoVault"):
        world.send(account, operators.register(2, PEER, PROOF, DATA, MIN_STAKE))
    world.send(account, world.vault.deposit(address(account), address(account), MIN_STAKE, value=MIN_STAKE))
    world.send(account, operators.register(2, PEER, PROOF, DATA, 0))


def test_pages(world):
    accounts = [world.register(DATA) for _ in range(5)]
    assert world.ask(world.operators.operator_count(1)) == 5
    pages = [world.ask(world.operators.operators(1, start, 2)) for start in (0, 2, 4, 5, 99)]
    assert [len(page) for page in pages] == [2, 2, 1, 0, 0]
    assert [one.account for page in pages for one in page] == [address(account) for account in accounts]


def test_plain_money_is_refused(world):
    with refused(""):
        world.send(world.account(), Transaction(world.operators.address, b"", 1))
