"""Checkpoints through the bindings, as the product is compiled; contracts/test has the rules one by one."""

import pytest
from eth_utils.crypto import keccak

from contracts.bindings import Checkpoint, Place, checkpoint_key
from contracts.events import Bonded, Finalised, Opened, Proposed, QuorumReached

COMPUTE, VALIDATOR, BOND, COMMIT_S, CHALLENGE_S = 2, 4, 10**16, 3, 6
ZERO = bytes(32)
A = Checkpoint(1, b"a" * 32, ZERO, b"d" * 32)


def refused(name):
    return pytest.raises(Exception, match=f"^{name}: ")


def address(account):
    return bytes.fromhex(account.address[2:])


@pytest.fixture
def computing(world):
    return world.register(COMPUTE)


@pytest.fixture
def validators(world):
    return sorted((world.register(VALIDATOR) for _ in range(3)), key=address)


def opened(world, proposer, checkpoint):
    """Proposes and opens; the key."""
    if not world.ask(world.anchor.bond_of(1, address(proposer))).amount:
        world.send(proposer, world.anchor.bond(1, BOND))
    before = world.ask(world.anchor.rolling_of(1, address(proposer)))
    key = world.propose(proposer, checkpoint)
    head = world.ledger.head
    place = Place(address(proposer), head.timestamp, head.block_number, before, ())
    assert Opened(1, checkpoint.height, key, address(proposer)) in world.send(
        proposer, world.anchor.open(1, checkpoint, place)
    )
    return key


def weighed(world, validators):
    """The table that the validators' weights were taken down in."""
    return world.send(validators[0], world.attestation.snapshot(1, [address(one) for one in validators]))[0].table


def test_from_the_bond_to_finality(world, computing, validators, votes):
    assert isinstance(world.send(computing, world.anchor.bond(1, BOND))[0], Bonded)
    world.mine()
    table = weighed(world, validators)
    key = opened(world, computing, A)
    proofs = [votes(world, one, A.height, key) for one in validators]
    for validator, proof in zip(validators[:2], proofs, strict=False):
        world.send(validator, world.attestation.commit(1, A.height, keccak(proof)))
    world.mine(COMMIT_S)
    found = world.send(computing, world.attestation.reveal(1, 0, A.height, key, table, 0b11, b"".join(proofs[:2])))
    assert QuorumReached(1, A.height, key) in found
    world.mine(CHALLENGE_S)
    assert world.send(computing, world.anchor.finalise(1, key)) == (Finalised(1, A.height, key),)
    assert world.ask(world.anchor.final_key(1)) == key


def test_refusals_have_their_words(world, computing, validators):
    with refused("NotBonded"):
        world.send(computing, world.anchor.propose(1, A))
    with refused("NotComputing"):
        world.send(validators[0], world.anchor.bond(1, BOND))
    with refused("WrongBond"):
        world.send(computing, world.anchor.bond(1, BOND + 1))
    with refused("NoQuorum"):
        world.send(computing, world.anchor.finalise(1, checkpoint_key(1, A)))


def test_a_proposal_is_a_log_and_a_hash(world, computing):
    world.send(computing, world.anchor.bond(1, BOND))
    found = world.send(computing, world.anchor.propose(1, A))
    assert found == (Proposed(1, A.height, A.header, A.parent, A.params_digest, address(computing)),)
    assert world.ask(world.anchor.record_of(1, checkpoint_key(1, A))).status == 0
