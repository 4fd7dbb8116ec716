"""The rules of contracts/src/OperatorRegistry.sol."""

from dataclasses import replace

import pytest

from contracts.bindings import OperatorLeft, OperatorRegistered, StakeWithdrawn, Standing, Transaction

MIN_STAKE, EXIT_DELAY, DATA, COMPUTE, VALIDATOR = 10**18, 5, 1, 2, 4
PEER, PROOF = b"\x07" * 32, b"\x08" * 64


def refused(name):
    return pytest.raises(Exception, match=f"^{name}: ")


def address(account):
    return bytes.fromhex(account.address[2:])


def test_registering_records_everything_a_reader_needs(world):
    account = world.account()
    found = world.send(account, world.operators.register(1, PEER, PROOF, DATA | VALIDATOR, MIN_STAKE + 1))
    assert found == (OperatorRegistered(1, address(account), PEER, 5, MIN_STAKE + 1),)
    (record,) = world.ask(world.operators.operators(1, 0, 10))
    assert (record.account, record.peer, record.peer_proof) == (address(account), PEER, PROOF)
    assert (record.stake, record.roles) == (MIN_STAKE + 1, 5)
    assert (record.joined_block, record.left_block) == (world.ledger.head.block_number, 0)
    assert world.ask(world.operators.standing(1, address(account))) == Standing(5, MIN_STAKE + 1, record.joined_block)
    assert world.ask(world.operators.validator_stake(1)) == MIN_STAKE + 1
    assert world.ledger.balance(world.operators.address) == MIN_STAKE + 1


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
    world.send(world.founder, world.subnets.found(b"p", b"t", world.anchor.address, world.anchor.address))
    with refused("NotThisRegistry"):
        world.send(world.account(), world.operators.register(2, PEER, PROOF, DATA, MIN_STAKE))


def test_one_peer_per_operator_and_one_operator_per_peer(world):
    account = world.account()
    world.send(account, world.operators.register(1, PEER, PROOF, DATA, MIN_STAKE))
    with refused("AlreadyRegistered"):
        world.send(account, world.operators.register(1, b"\x01" * 32, PROOF, DATA, MIN_STAKE))
    with refused("PeerTaken"):
        world.send(world.account(), world.operators.register(1, PEER, PROOF, DATA, MIN_STAKE))
    world.send(account, world.operators.deregister(1))
    with refused("PeerTaken"):
        world.send(world.account(), world.operators.register(1, PEER, PROOF, DATA, MIN_STAKE))


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


def test_stake_comes_back_once_after_the_exit_delay_and_to_its_owner_only(world):
    account = world.register(COMPUTE)
    with refused("StillActive"):
        world.send(account, world.operators.withdraw(1, 0))
    world.send(account, world.operators.deregister(1))
    with refused("StakeLocked"):
        world.send(account, world.operators.withdraw(1, 0))
    world.mine(EXIT_DELAY)
    with refused("NotYourStake"):
        world.send(world.account(), world.operators.withdraw(1, 0))
    with refused("UnknownOperator"):
        world.send(account, world.operators.withdraw(1, 1))
    before = world.ledger.balance(address(account))
    found = world.send(account, world.operators.withdraw(1, 0))
    assert found == (StakeWithdrawn(1, address(account), 0, MIN_STAKE),)
    assert MIN_STAKE - 10**16 < world.ledger.balance(address(account)) - before <= MIN_STAKE
    assert world.ledger.balance(world.operators.address) == 0
    with refused("AlreadyWithdrawn"):
        world.send(account, world.operators.withdraw(1, 0))


def test_stake_is_locked_until_exactly_the_last_block_of_the_delay(world):
    account = world.register(DATA)
    world.send(account, world.operators.deregister(1))
    world.mine(EXIT_DELAY - 2)  # a call runs in the block after the head
    with refused("StakeLocked"):
        world.refusal_of(account, world.operators.withdraw(1, 0))
    world.mine()
    world.refusal_of(account, world.operators.withdraw(1, 0))


def test_pages(world):
    accounts = [world.register(DATA) for _ in range(5)]
    assert world.ask(world.operators.operator_count(1)) == 5
    pages = [world.ask(world.operators.operators(1, start, 2)) for start in (0, 2, 4, 5, 99)]
    assert [len(page) for page in pages] == [2, 2, 1, 0, 0]
    assert [one.account for page in pages for one in page] == [address(account) for account in accounts]


def test_plain_money_is_refused(world):
    with refused(""):
        world.send(world.account(), Transaction(world.operators.address, b"", 1))


def test_a_receiver_that_calls_back_gets_its_stake_once(world):
    """The attacker's contract calls `withdraw` again while it is being paid."""
    code = thief(world.operators.address, world.operators.withdraw(1, 0).data)
    attacker = world.deploy(Transaction(b"", code))

    def act(transaction):
        world.send(world.founder, replace(transaction, to=attacker))

    act(world.operators.register(1, PEER, PROOF, DATA, MIN_STAKE))
    act(world.operators.deregister(1))
    world.register(DATA)  # somebody else's stake, to be stolen
    world.mine(EXIT_DELAY)
    act(world.operators.withdraw(1, 0))
    assert world.ledger.balance(attacker) == MIN_STAKE
    assert world.ledger.balance(world.operators.address) == MIN_STAKE


def thief(victim, again):
    """Creation code of a contract that forwards calls to `victim`, and calls it with `again` when it is paid."""
    push = lambda value: bytes([0x5F + len(value)]) + value  # noqa: E731  # reads as the opcode it is
    zero, size, gas_call = b"\x5f", b"\x36", b"\x5a\xf1"
    words = again.ljust(96, b"\0")
    store = b"".join(push(words[at : at + 32]) + push(bytes([at])) + b"\x52" for at in (0, 32, 64))
    paid = store + zero * 2 + push(bytes([len(again)])) + zero * 2 + push(victim) + gas_call + b"\x50\x00"
    start = len(paid) + 5
    copy = b"\x5b" + size + zero * 2 + b"\x37"
    forward = copy + zero * 2 + size + zero + b"\x34" + push(victim) + gas_call
    end = start + len(forward) + 7
    after = push(end.to_bytes(2, "big")) + b"\x57" + zero * 2 + b"\xfd" + b"\x5b\x00"
    runtime = size + push(start.to_bytes(2, "big")) + b"\x57" + paid + forward + after
    length = push(len(runtime).to_bytes(2, "big"))
    return length + push(b"\x0c") + zero + b"\x39" + length + zero + b"\xf3" + b"\x00" + runtime
