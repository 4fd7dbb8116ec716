"""The rules of contracts/src/CheckpointAnchor.sol."""

import pytest

from contracts.bindings import FINALISE_GAS, Attested, Finalised, Proposed

MIN_STAKE, DATA, COMPUTE, VALIDATOR = 10**18, 1, 2, 4
A, B, C, D = (letter * 32 for letter in (b"a", b"b", b"c", b"d"))


def refused(name):
    return pytest.raises(Exception, match=f"^{name}: ")


def address(account):
    return bytes.fromhex(account.address[2:])


@pytest.fixture
def computing(world):
    return world.register(COMPUTE)


@pytest.fixture
def validators(world):
    return [world.register(VALIDATOR) for _ in range(4)]


def test_a_proposal_is_recorded(world, validators, computing):
    found = world.send(computing, world.anchor.propose(1, 3, A, bytes(32), D))
    assert found == (Proposed(1, 3, A, bytes(32), D, address(computing)),)
    (record,) = world.ask(world.anchor.checkpoints(1, 0, 9))
    assert (record.header, record.parent, record.params_digest, record.height) == (A, bytes(32), D, 3)
    assert (record.proposer, record.block_number) == (address(computing), world.ledger.head.block_number)
    assert (record.total_stake, record.attested_stake, record.is_final) == (4 * MIN_STAKE, 0, False)


def test_only_computing_operators_propose_and_only_in_an_open_subnet(world, validators, computing):
    for other in (world.account(), validators[0], world.register(DATA)):
        with refused("NotComputing"):
            world.propose(other, 1, A)
    world.send(world.founder, world.subnets.found(world.terms()))
    with refused("SubnetClosed"):
        world.send(computing, world.anchor.propose(2, 1, A, bytes(32), D))
    world.send(computing, world.operators.deregister(1))
    with refused("NotComputing"):
        world.propose(computing, 1, A)


def test_heights_may_be_skipped_but_must_rise_above_an_anchored_parent(world, computing):
    world.propose(computing, 1, A)
    world.propose(computing, 7, B, A)
    with refused("NotAboveParent"):
        world.propose(computing, 7, C, B)
    with refused("UnknownParent"):
        world.propose(computing, 8, C, D)
    with refused("AlreadyProposed"):
        world.propose(computing, 9, A, B)
    with refused("ZeroHeader"):
        world.propose(computing, 9, bytes(32), B)


def test_two_thirds_of_the_stake_make_it_final_and_less_do_not(world, validators, computing):
    world.propose(computing, 1, A)
    found = [world.send(validator, world.anchor.attest(1, 1, A)) for validator in validators[:3]]
    assert found[0] == (Attested(1, 1, A, address(validators[0]), MIN_STAKE),)
    assert [Finalised(1, 1, A) in events for events in found] == [False, False, True]
    assert world.final() == A
    world.send(validators[3], world.anchor.attest(1, 1, A))
    assert world.ask(world.anchor.checkpoints(1, 0, 1))[0].attested_stake == 4 * MIN_STAKE


def test_exactly_two_thirds_are_enough(world, computing):
    trio = [world.register(VALIDATOR) for _ in range(3)]
    world.propose(computing, 1, A)
    world.send(trio[0], world.anchor.attest(1, 1, A))
    assert world.final() == bytes(32)
    world.send(trio[1], world.anchor.attest(1, 1, A))
    assert world.final() == A


def test_stake_weighs_not_heads(world, validators, computing):
    whale = world.register(VALIDATOR, stake=20 * MIN_STAKE)
    world.propose(computing, 1, A)
    for validator in validators:
        world.send(validator, world.anchor.attest(1, 1, A))
    assert world.final() == bytes(32)
    world.send(whale, world.anchor.attest(1, 1, A))
    assert world.final() == A


def test_attesting_twice_at_a_height_is_refused_also_for_another_header(world, validators, computing):
    world.propose(computing, 1, A)
    world.propose(computing, 1, B)
    world.send(validators[0], world.anchor.attest(1, 1, A))
    for header in (A, B):
        with refused("AlreadyAttested"):
            world.send(validators[0], world.anchor.attest(1, 1, header))
    assert world.ask(world.anchor.attested_by(1, 1, address(validators[0]))) == A


def test_only_validators_attest_what_was_proposed(world, validators, computing):
    world.propose(computing, 1, A)
    for other in (world.account(), computing):
        with refused("NotValidating"):
            world.send(other, world.anchor.attest(1, 1, A))
    for height, header in ((2, A), (1, B)):
        with refused("UnknownCheckpoint"):
            world.send(validators[0], world.anchor.attest(1, height, header))
    world.send(validators[0], world.operators.deregister(1))
    with refused("NotValidating"):
        world.send(validators[0], world.anchor.attest(1, 1, A))


def test_stake_that_came_after_the_proposal_does_not_count(world, validators, computing):
    world.propose(computing, 1, A)
    late = world.register(VALIDATOR, stake=100 * MIN_STAKE)
    with refused("JoinedTooLate"):
        world.send(late, world.anchor.attest(1, 1, A))


def test_who_leaves_and_comes_back_is_not_counted_twice(world, validators, computing):
    world.propose(computing, 1, A)
    world.send(validators[0], world.operators.deregister(1))
    stays = world.ask(world.operators.operators(1, 0, 9))
    peer = next(stay.peer for stay in stays if stay.account == address(validators[0]))
    world.send(validators[0], world.operators.register(1, peer, bytes(64), VALIDATOR, MIN_STAKE))
    with refused("JoinedTooLate"):
        world.send(validators[0], world.anchor.attest(1, 1, A))


def test_no_second_header_becomes_final_at_a_height(world, validators, computing):
    world.propose(computing, 1, A)
    world.propose(computing, 1, B)
    world.propose(computing, 2, C, B)
    for validator in validators[:3]:
        world.send(validator, world.anchor.attest(1, 1, A))
    assert world.final() == A
    with refused("UnknownParent"):
        world.propose(computing, 1, D)
    # A quorum for a child of the losing header would make that header final too.
    for validator in validators[:2]:
        world.send(validator, world.anchor.attest(1, 2, C))
    with refused("ConflictsWithFinal"):
        world.send(validators[2], world.anchor.attest(1, 2, C))
    assert world.final() == A


def test_a_fork_below_the_final_header_cannot_grow_past_it(world, validators, computing):
    world.propose(computing, 1, A)
    world.propose(computing, 5, B, A)
    for validator in validators[:3]:
        world.send(validator, world.anchor.attest(1, 5, B))
    with refused("BelowFinal"):
        world.propose(computing, 3, C, A)


def test_ancestors_become_final_with_their_descendant(world, validators, computing):
    """One missed attestation must not stop finality for good."""
    world.propose(computing, 1, A)
    world.propose(computing, 2, B, A)
    world.propose(computing, 4, C, B)
    for validator in validators[:2]:
        world.send(validator, world.anchor.attest(1, 1, A))
        world.send(validator, world.anchor.attest(1, 4, C))
    found = world.send(validators[3], world.anchor.attest(1, 4, C))
    assert [one for one in found if isinstance(one, Finalised)] == [
        Finalised(1, 4, C),
        Finalised(1, 2, B),
        Finalised(1, 1, A),
    ]
    assert [one.is_final for one in world.ask(world.anchor.checkpoints(1, 0, 9))] == [True] * 3


def test_attestations_in_one_block_finalise_with_the_gas_that_the_bindings_name(world, validators, computing):
    world.propose(computing, 1, A)
    found = world.send_together([(validator, world.anchor.attest(1, 1, A)) for validator in validators])
    assert sum(Finalised(1, 1, A) in events for events in found) == 1
    assert world.anchor.attest(1, 1, A, unfinal=2).extra_gas == 3 * FINALISE_GAS


def test_proposals_stop_when_finality_lags_too_far(world, computing):
    header = bytes(32)
    for height in range(1, 257):
        parent, header = header, height.to_bytes(32, "big")
        world.ledger.submit(world.sign(computing, world.anchor.propose(1, height, header, parent, D)))
        if height % 4 == 0:
            world.mine()
    world.mine(2)
    assert world.ask(world.anchor.checkpoint_count(1)) == 256
    with refused("FinalityLags"):
        world.propose(computing, 257, D, header)


def test_subnets_do_not_mix(world, validators, computing):
    world.send(world.founder, world.subnets.found(world.terms()))
    world.send(world.founder, world.subnets.open(2))
    world.propose(computing, 1, A)
    with refused("NotComputing"):
        world.send(computing, world.anchor.propose(2, 1, A, bytes(32), D))
    with refused("UnknownCheckpoint"):
        world.send(validators[0], world.anchor.attest(2, 1, A))
    assert world.ask(world.anchor.checkpoint_count(2)) == 0
