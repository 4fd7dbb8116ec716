"""From a proof to the slash, on the real stake source; contracts/test has the rules one by one."""

import hashlib
import json
import os
import struct
from pathlib import Path

import pytest

from contracts.abi import function_selector
from contracts.build import FOLDER
from contracts.economy import Authority
from contracts.justice import (
    Court,
    DealingCourt,
    DealingStated,
    Leaf,
    Opened,
    Position,
    SlashingManager,
    Sum,
)
from p2pnode.chain.statements import sum_value
from protocols import merkle
from tests.contracts.conftest import DATA, MIN_STAKE, VALIDATOR, address, signed
from tests.vectors import dealing_vectors as dealings

EPOCH_S, VETO_S, HALF = 1, 1, 10**18 // 2
PRIMES = (70368743587841, 70368743669761)
AGGREGATE, VOTE, DEALING = 5, 2, 7
SNAPSHOT = FOLDER / "gas_justice.json"
LIMITS = {"wrong sum, 16 contributors": 2_000_000, "bad dealing": 2_200_000}


@pytest.fixture
def court(world):
    manager = world.deploy(SlashingManager.deployment(world.subnets.address, EPOCH_S, VETO_S, HALF, world.authority))
    made = world.deploy(Court.deployment(world.subnets.address, manager, HALF // 2, HALF))
    powers = Authority(world.authority)
    for role, target, contract, function, who in (
        (91, manager, "SlashingManager", "report", made),
        (92, world.source.address, "LocalStakeSource", "slash", manager),
        (93, world.vault.address, "StakeVault", "slash", world.source.address),
    ):
        selectors = [function_selector(contract, function)]
        world.send(world.founder, powers.set_target_function_role(target, selectors, role))
        world.send(world.founder, powers.grant_role(role, who))
    return Court(made), SlashingManager(manager)


def executed(world, manager, operator, when):
    """What an operator has left after its sentence of the epoch at a time."""
    world.mine(EPOCH_S + VETO_S)
    world.send(world.founder, manager.execute(world.source.address, address(operator), when // EPOCH_S))
    _, assets = world.ask(world.vault.stake_of(address(operator), address(operator)))
    return assets


def test_an_equivocator_is_slashed_once(world, court):
    where, manager = court
    culprit = world.register(VALIDATOR)
    honest = world.register(VALIDATOR)
    one, other, third = ((VOTE, 1, 3, 15, 257, letter * 32) for letter in (b"x", b"y", b"z"))
    proofs = [signed(world, culprit, statement) for statement in (one, other, third)]
    world.send(world.founder, where.equivocation(one, proofs[0], other, proofs[1]))
    reported = world.ledger.head.timestamp
    world.send(world.founder, where.equivocation(one, proofs[0], third, proofs[2]))
    sentence = world.ask(manager.sentence_of(world.source.address, address(culprit), reported // EPOCH_S))
    assert sentence.share == HALF // 2
    left = executed(world, manager, culprit, reported)
    assert MIN_STAKE * 3 // 4 - 2 <= left <= MIN_STAKE * 3 // 4
    with pytest.raises(Exception, match=r"^AlreadyExecuted: "):
        world.send(world.founder, manager.execute(world.source.address, address(culprit), reported // EPOCH_S))
    assert world.ask(world.vault.stake_of(address(honest), address(honest)))[1] == MIN_STAKE


def residues(salt):
    return [(salt * 7919 + j * 104729 + PRIMES[1] - 40_000) % PRIMES[1] for j in range(64)]


def packed(values):
    return struct.pack(">64Q", *values)


def tree(values, chunk):
    """The root of an update of two chunks, and the path of prime 1's leaf 5 of the second; other leaves are made up."""
    leaves = [hashlib.sha256(bytes([position])).digest() for position in range(128)]
    leaves[69] = hashlib.sha256(struct.pack(">BIBI", 0, chunk, 1, 5) + packed(values)).digest()
    roots = [hashlib.sha256(b"other chunk").digest(), merkle.root(leaves)]
    return merkle.root(roots), merkle.path(leaves, 69) + merkle.path(roots, 1)


class Case:
    """Updates of two chunks, of whose second one the aggregator states a sum."""

    def __init__(self, world, where, aggregator, contributors):
        self.world, self.where, self.aggregator = world, where, aggregator
        updates = [residues(salt) for salt in range(contributors)]
        self.total = [sum(column) % PRIMES[1] for column in zip(*updates, strict=True)]
        self.roots, paths = zip(*(tree(values, 1) for values in updates), strict=True)
        self.leaves = [Leaf(packed(values), path) for values, path in zip(updates, paths, strict=True)]

    def proof(self, claimed):
        root, path = tree(claimed, 1)
        stated = Sum(1, 3, 15, 2, 2, self.roots, 2, root)
        value = sum_value(2, self.roots, 2, root)
        signature = signed(self.world, self.aggregator, (AGGREGATE, 1, 3, 15, 2, value))
        return self.where.wrong_sum(stated, signature, Position(1, 1, 5, 1), self.leaves, Leaf(packed(claimed), path))

    def wrong(self):
        return self.proof([*self.total[:63], (self.total[63] + 1) % PRIMES[1]])


def test_a_wrong_sum_is_slashed_and_a_right_one_never(world, court):
    where, manager = court
    aggregator = world.register(VALIDATOR)
    case = Case(world, where, aggregator, 3)
    with pytest.raises(Exception, match=r"^SumIsRight: "):
        world.send(world.founder, case.proof(case.total))
    world.send(world.founder, case.wrong())
    reported = world.ledger.head.timestamp
    assert executed(world, manager, aggregator, reported) <= MIN_STAKE // 2


def wrong_sum_gas(world, where):
    return world.gas_used(world.founder, Case(world, where, world.register(VALIDATOR), 16).wrong())


def equivocation_gas(world, where):
    culprit = world.register(VALIDATOR)
    one, other = ((VOTE, 1, 3, 15, 257, letter * 32) for letter in (b"x", b"y"))
    proofs = [signed(world, culprit, statement) for statement in (one, other)]
    return world.gas_used(world.founder, where.equivocation(one, proofs[0], other, proofs[1]))


def test_proofs_cost_what_the_snapshot_says_and_no_more_than_they_may(world, court):
    """Whole transactions, calldata included; TWOPM_GAS_SNAPSHOT=1 writes contracts/gas_justice.json anew."""
    where, manager = court
    dealer = Dealer(world, (world.subnets.address, manager.address), dealings.deal(dealings.one_value(5, 1234)))
    found = {
        "equivocation": equivocation_gas(world, where),
        "wrong sum, 16 contributors": wrong_sum_gas(world, where),
        "bad dealing": world.gas_used(world.founder, dealer.proof(5, 4)),
    }
    assert {name: found[name] for name, limit in LIMITS.items() if found[name] > limit} == {}
    if os.environ.get("TWOPM_GAS_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n")
    assert found == pytest.approx(json.loads(SNAPSHOT.read_text()), rel=0.005)


def test_leaves_have_64_residues():
    with pytest.raises(ValueError, match="512 bytes"):
        Leaf(bytes(511), ()).encoded()


class Dealer:
    """A dealing as a contributor makes it, stated by an operator of the subnet."""

    def __init__(self, world, powers_of, dealt):
        self.world, self.account, self.dealt = world, world.register(DATA), dealt
        self.court = DealingCourt(world.deploy(DealingCourt.deployment(*powers_of, HALF)))
        powers = Authority(world.authority)
        world.send(world.founder, powers.grant_role(91, self.court.address))

    def proof(self, member, combination):
        dealt = self.dealt
        stated = DealingStated(1, 3, 15, 2, dealings.THRESHOLD, dealt.challenge, dealt.shares, dealt.degree)
        signature = signed(self.world, self.account, (DEALING, 1, 3, 15, 2, self.dealt.value))
        context, opening, sealed = (found[member - 1] for found in (dealt.contexts, dealt.openings, dealt.sealed))
        return self.court.bad_dealing(stated, signature, Opened(member, combination, context, opening, sealed))


@pytest.mark.parametrize("member", [2, 5])
def test_a_dealer_of_one_wrong_value_is_slashed(world, court, member):
    _, manager = court
    dealer = Dealer(world, (world.subnets.address, manager.address), dealings.deal(dealings.one_value(member, 1234)))
    world.send(world.founder, dealer.proof(member, 4))
    reported = world.ledger.head.timestamp
    assert executed(world, manager, dealer.account, reported) <= MIN_STAKE // 2


def test_an_honest_dealer_is_not(world, court):
    _, manager = court
    dealer = Dealer(world, (world.subnets.address, manager.address), dealings.deal())
    with pytest.raises(Exception, match=r"^ShareIsRight: the share of member 5 is right in combination 8"):
        world.send(world.founder, dealer.proof(5, 8))


def test_the_vectors_that_the_contracts_read_are_these():
    made = json.loads(json.dumps(dealings.vectors()))
    assert json.loads((Path(dealings.__file__).parent / "dealing.json").read_text()) == made
