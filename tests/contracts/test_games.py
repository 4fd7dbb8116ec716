"""Whole disputes through the bindings, decided by validators' statements; contracts/test has the rules one by one."""

import hashlib

import pytest

from contracts.abi import function_selector
from contracts.bindings import Checkpoint, Place
from contracts.economy import Authority
from contracts.games import (
    DisputeGame,
    GameRules,
    Outcome,
    Phase,
    QuorumStep,
    ends,
    is_of,
    quorum_proof,
    state_leaf,
    step_place,
)
from contracts.justice import SlashingManager
from contracts.justice_events import Resolved
from p2pnode.chain.statements import step_value
from protocols import merkle
from tests.contracts import conftest
from tests.contracts.conftest import BOND, COMPUTE, MIN_STAKE, VALIDATOR, address, signed

EPOCH_S, VETO_S, HALF, STEP = 1, 1, 10**18 // 2, 6
RULES = GameRules(bond_wei=10**17, clock_s=30, extension_s=5, prove_s=20, payout_s=10, false_share=HALF)
STEPS = 6
CHECKPOINT = Checkpoint(5, b"h" * 32, bytes(32), b"d" * 32)


class Dispute:
    """A challenged checkpoint of a subnet with four validators."""

    def __init__(self, world):
        self.world = world
        self.deploy()
        self.proposer, self.challenger = world.register(COMPUTE), world.account()
        self.validators = sorted((world.register(VALIDATOR) for _ in range(4)), key=address)
        snapshot = world.attestation.snapshot(1, [address(one) for one in self.validators])
        self.table = world.send(world.founder, snapshot)[0].table
        world.send(self.proposer, world.anchor.bond(1, BOND))
        before = world.ask(world.anchor.rolling_of(1, address(self.proposer)))
        self.key = world.propose(self.proposer, CHECKPOINT)
        place = Place(address(self.proposer), world.ledger.head.timestamp, world.ledger.head.block_number, before, ())
        world.send(self.proposer, world.anchor.open(1, CHECKPOINT, place))
        world.send(self.challenger, self.game.challenge(1, self.key, RULES.bond_wei))
        first, last = ends(1, CHECKPOINT)
        self.states = [first, *(hashlib.sha256(bytes([step])).digest() for step in range(1, STEPS)), last]
        self.leaves = [hashlib.sha256(state_leaf(step, self.states[step])).digest() for step in range(1, STEPS)]

    def deploy(self):
        world, where = self.world, self.world.subnets.address
        manager = world.deploy(SlashingManager.deployment(where, EPOCH_S, VETO_S, HALF, world.authority))
        verifier = world.deploy(QuorumStep.deployment(where))
        treasury = address(world.founder)
        made = DisputeGame.deployment(where, manager, verifier, treasury, RULES, world.authority)
        self.slashing, self.game = SlashingManager(manager), DisputeGame(world.deploy(made))
        powers = Authority(world.authority)
        for role, target, contract, functions, who in (
            (91, manager, "SlashingManager", ("report",), self.game.address),
            (92, world.source.address, "LocalStakeSource", ("slash",), manager),
            (93, world.vault.address, "StakeVault", ("slash",), world.source.address),
            (94, world.anchor.address, "CheckpointAnchor", ("hold", "settle"), self.game.address),
        ):
            selectors = [function_selector(contract, function) for function in functions]
            world.send(world.founder, powers.set_target_function_role(target, selectors, role))
            world.send(world.founder, powers.grant_role(role, who))

    @property
    def standing(self):
        return self.world.ask(self.game.game_of(1))

    def halve(self, wrong):
        """The moves of both sides, where the challenger's run differs from step `wrong` on; what step is left."""
        send = self.world.send
        send(self.proposer, self.game.commit(1, CHECKPOINT, STEPS, merkle.root(self.leaves)))
        while self.standing.phase == Phase.REVEAL:
            step = self.standing.middle_step
            send(self.proposer, self.game.reveal(1, self.states[step], merkle.path(self.leaves, step - 1)))
            send(self.challenger, self.game.answer(1, agreed=step < wrong))
        return self.standing.low

    def prove(self, result):
        standing = self.standing
        value = step_value(standing.task, standing.low_state, result)
        stated = (STEP, 1, 2, CHECKPOINT.height, step_place(1, standing), value)
        votes = b"".join(signed(self.world, one, stated) for one in self.validators[:3])
        return self.world.send(self.challenger, self.game.prove(1, quorum_proof(2, result, self.table, 7, votes)))


@pytest.fixture
def world(monkeypatch):
    """One whose stake stays slashable for as long as a dispute may take."""
    monkeypatch.setattr(conftest, "EXIT_DELAY", 600)
    return conftest.World()


@pytest.fixture
def dispute(world):
    return Dispute(world)


def test_a_false_checkpoint_costs_its_proposer_bond_and_stake(world, dispute):
    assert is_of(dispute.standing, CHECKPOINT)
    assert dispute.halve(wrong=4) == 3
    (resolved,) = (one for one in dispute.prove(b"right".ljust(32)) if isinstance(one, Resolved))
    assert resolved == Resolved(1, Outcome.UPHELD, proven=True, forfeited=BOND)
    assert world.ask(world.anchor.record_of(1, dispute.key)).status == 3
    when = world.ledger.head.timestamp
    world.mine(RULES.payout_s)
    world.send(world.founder, dispute.game.release(1))
    had = world.ledger.balance(address(dispute.challenger))
    world.send(world.founder, dispute.game.withdraw(address(dispute.challenger)))
    assert world.ledger.balance(address(dispute.challenger)) - had == RULES.bond_wei + BOND // 2
    assert world.ask(dispute.game.owed_to(address(world.founder))) == BOND // 2
    sentence = dispute.slashing.execute(world.source.address, address(dispute.proposer), when // EPOCH_S)
    world.send(world.founder, sentence)
    assert world.ask(world.vault.stake_of(address(dispute.proposer), address(dispute.proposer)))[1] <= MIN_STAKE // 2


def test_a_right_checkpoint_costs_its_challenger_the_bond(world, dispute):
    step = dispute.halve(wrong=1)
    dispute.prove(dispute.states[step + 1])
    assert dispute.standing.outcome == Outcome.REFUTED
    world.mine(RULES.payout_s)
    world.send(world.founder, dispute.game.release(1))
    assert world.ask(dispute.game.owed_to(address(dispute.proposer))) == RULES.bond_wei // 2
    assert world.ask(world.anchor.bond_of(1, address(dispute.proposer))).amount == BOND


def test_who_is_silent_loses_but_no_stake(world, dispute):
    end = world.ask(dispute.game.ends_at(1))
    with pytest.raises(Exception, match=rf"^NotTimedOut: who is to move in game 1 has until time {end}"):
        world.send(world.founder, dispute.game.timeout(1))
    world.mine(end - world.ledger.head.timestamp + 1)
    world.send(world.founder, dispute.game.timeout(1))
    assert dispute.standing.outcome == Outcome.UPHELD
    assert world.ask(world.vault.stake_of(address(dispute.proposer), address(dispute.proposer)))[1] == MIN_STAKE
    with pytest.raises(Exception, match=r"^WrongPhase: "):
        world.send(world.founder, dispute.game.timeout(1))


def test_the_rules_bound_a_game(world, dispute):
    assert world.ask(dispute.game.longest()) == 2 * 30 + 39 * 5 + 20 + 1
    assert world.ask(dispute.game.game_count()) == 1
