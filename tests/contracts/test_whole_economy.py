"""One subnet's whole life, the same on the embedded chain and on anvil, by transactions alone; and then the books.

Everything that came into a contract has left it again, but for dust that is accounted for to the last wei.
"""

import pytest
from eth_utils.crypto import keccak

from contracts.anvil import anvil
from contracts.bindings import Checkpoint, Place, checkpoint_key
from contracts.dao import Pot
from contracts.dao_events import BackerSharesGiven, RewardClaimed
from contracts.deploy_justice import Justice
from contracts.devchain import devchain
from contracts.economy_events import Deposited, ExitClaimed, Slashed, Swept
from contracts.events import Finalised, QuorumReached, SnapshotTaken
from contracts.games import Outcome, Phase, ends, quorum_proof, step_place
from contracts.justice import Leaf, Position, Sum
from contracts.reward_tree import RewardTree, reward_leaf, share_leaf
from contracts.terms import Economics, Parent, Terms, Windows
from p2pnode.chain.statements import Kind, step_value, sum_value
from protocols.types import Digest
from protocols.verification.trace import Recomputed, Trace, states
from tests.contracts.conftest import COMPUTE, DATA, VALIDATOR
from tests.contracts.economy_kit import CHALLENGE_S, COMMIT_S, DAO, ONE, Economy, Refused, address
from tests.contracts.test_justice import PRIMES, packed, residues, tree
from tests.protocols.verification.test_trace import header

ROLES = [VALIDATOR] * 5 + [COMPUTE] * 6 + [DATA] * 5
EQUIVOCATOR, LIAR, LEAVER = 4, 10, 15
"""Which of the sixteen operators vote twice, add wrongly, and leave early."""
SALT = b"s" * 32
STAKE, DELEGATED = ONE + 3, 99 * ONE + 5
# Odd, so that halves and shares leave something over; half of both together is less than the least stake.
FEE_PAID = 12_345 * ONE + 678
BURNED = (700 * ONE + 1, 500 * ONE)
BURNED_BEFORE, PARENT_BPS = 1000 * ONE, 2000
"""For the subnet on whose model ours builds, and what its holders get of ours."""
CONTRIBUTED = (3 * 10**22 + 1, 10**22 + 7)
EPOCH_S, VETO_S, EXIT_S = 120, 120, 600
GAMES = Justice().games


@pytest.fixture(params=["embedded", "anvil"])
def economy(request, tmp_path):
    running = anvil(chain_id=4711) if request.param == "anvil" else devchain(tmp_path / "chain.jsonl", block_seconds=0)
    with running as chain:
        yield Economy(chain, tmp_path)


class Story:
    """What happens in a subnet, one chapter after the other."""

    def __init__(self, economy):
        self.e = economy
        self.elder = economy.member("elder", 1500 * ONE)
        self.members = [economy.member(f"member {number}", 2000 * ONE) for number in range(2)]
        self.poster = economy.person("poster")
        self.friend = economy.person("friend", 10_000 * ONE)
        self.user = economy.person("user", FEE_PAID)
        self.operators = [economy.person(f"operator {number}") for number in range(16)]

    def of(self, role, *culprits):
        """The operators of a role, but for some."""
        return [self.operators[n] for n, mine in enumerate(ROLES) if mine == role and n not in culprits]

    def found(self):
        """Members draft, back by burning, vote, and the timelock founds a subnet, and one that builds on its model."""
        e, (first, second) = self.e, self.members
        made = e.operators.address, e.anchor.address, b"params", b"task"
        self.base_draft, base = e.found(Terms(address(self.elder), *made), {self.elder: BURNED_BEFORE})
        economics, windows = Economics(poster=address(self.poster)), Windows(60, 120, 240)
        terms = Terms(address(first), *made, windows=windows, economics=economics, parents=(Parent(base, PARENT_BPS),))
        self.draft, self.subnet = e.found(terms, {first: BURNED[0], second: BURNED[1]}, SALT)
        assert (base, self.subnet) == (1, 2)
        assert e.ask(e.subnets.parents_of(self.subnet)) == (Parent(base, PARENT_BPS),)

    def stake(self):
        """Sixteen operators stake coins and join; a friend delegates $2PM to each of them."""
        e = self.e
        e.send(self.friend, e.token.approve(e.token_vault.address, 16 * DELEGATED))
        for number, (one, role) in enumerate(zip(self.operators, ROLES, strict=True)):
            e.send(one, e.operators.register(self.subnet, keccak(text=f"peer {number}"), bytes(64), role, STAKE))
            e.send(self.friend, e.token_vault.deposit(address(one), address(self.friend), DELEGATED))
        e.send(self.friend, e.operators.refresh(self.subnet, [address(one) for one in self.operators]))
        weight = STAKE + DELEGATED * DAO.token_weight // ONE
        assert e.ask(e.operators.validator_stake(self.subnet)) == 5 * weight

    def commit_to_data(self):
        """A provider commits to its rows, another vouches for a newer commitment; no money moves."""
        e, (provider, clinic, *_) = self.e, self.of(DATA)
        e.send(provider, e.datasets.commit(self.subnet, b"c" * 32, b"r" * 32, 7, address(provider)))
        said = address(provider), self.subnet, b"c" * 32, b"n" * 32, 9, 1
        signed = clinic.unsafe_sign_hash(e.ask(e.datasets.provenance_digest(*said))).signature
        newer = self.subnet, b"c" * 32, b"n" * 32, 9, address(clinic)
        with pytest.raises(Refused, match=r"^WrongSignature: "):
            e.send(provider, e.datasets.commit(*newer, signature=signed))
        e.send(provider, e.datasets.commit(*newer, supersedes=1, signature=signed))
        assert e.ask(e.datasets.dataset(self.subnet, 1)).superseded_by == 2
        assert e.ask(e.datasets.dataset(self.subnet, 2)).signer == address(clinic)

    def dispute(self, checkpoint, key, table, bits):
        """A friend challenges a right checkpoint, and loses its bond: half is the proposer's, half the treasury's."""
        e, (proposer, *_), game = self.e, self.of(COMPUTE), self.e.disputes
        e.send(self.friend, game.challenge(self.subnet, key, GAMES.bond_wei))
        with pytest.raises(Refused, match=r"^Disputed: "):
            e.send(proposer, e.anchor.finalise(self.subnet, key))
        first, last = map(Digest, ends(self.subnet, checkpoint))
        rounds = [header(number) for number in range(2)]
        trace = Trace(first, last, rounds)
        theirs = states(first, last, [Recomputed(each, sums=True, step=False) for each in rounds], trace.steps)
        e.send(proposer, game.commit(1, checkpoint, trace.steps, trace.root))
        while (standing := e.ask(game.game_of(1))).phase == Phase.REVEAL:
            step = standing.middle_step
            e.send(proposer, game.reveal(1, trace.states[step], trace.proof(step)))
            e.send(self.friend, game.answer(1, agreed=theirs[step] == trace.states[step]))
        assert (standing.phase, standing.low) == (Phase.PROVE, 1), "the first outer step is what they differ in"
        result = trace.states[standing.high]
        value, place = step_value(standing.task, standing.low_state, result), step_place(1, standing)
        voters = sorted(self.of(VALIDATOR, EQUIVOCATOR), key=address)
        votes = [e.statement(one, Kind.STEP, self.subnet, checkpoint.height, value, place=place)[1] for one in voters]
        signers = sum(bits[address(one)] for one in voters)
        e.send(self.user, game.prove(1, quorum_proof(0, result, table, signers, b"".join(votes))))
        assert e.ask(game.game_of(1)).outcome == Outcome.REFUTED
        e.chain.travel(GAMES.payout_s)
        e.send(self.user, game.release(1))
        for who in (address(proposer), e.places["timelock"]):
            e.send(self.user, game.withdraw(who))

    def checkpoint(self):
        """Two checkpoints are proposed under a bond, voted on by four of five validators, disputed, and final."""
        e, (proposer, *_) = self.e, self.of(COMPUTE)
        voters = sorted(self.of(VALIDATOR, EQUIVOCATOR), key=address)
        e.send(proposer, e.anchor.bond(self.subnet, 10**16))
        e.send(proposer, e.attestation.snapshot(self.subnet, sorted(map(address, self.of(VALIDATOR)))))
        table = e.said(SnapshotTaken)[-1].table
        bits = {who: 1 << i for i, who in enumerate(sorted(map(address, self.of(VALIDATOR))))}
        parent, signed = bytes(32), {}
        for height in (1, 2):
            before = e.ask(e.anchor.rolling_of(self.subnet, address(proposer)))
            checkpoint = Checkpoint(height, bytes([height]) * 32, parent, b"d" * 32)
            e.send(proposer, e.anchor.propose(self.subnet, checkpoint))
            head = e.chain.ask("eth_getBlockByNumber", "latest", False)
            place = Place(address(proposer), int(head["timestamp"], 16), int(head["number"], 16), before, ())
            e.send(proposer, e.anchor.open(self.subnet, checkpoint, place))
            parent = checkpoint_key(self.subnet, checkpoint)
            votes = [e.statement(one, Kind.ATTESTATION, self.subnet, height, parent)[1] for one in voters]
            for voter, vote in zip(voters, votes, strict=True):
                e.send(voter, e.attestation.commit(self.subnet, height, keccak(vote)))
            signed[height] = (parent, b"".join(votes))
        e.chain.travel(COMMIT_S)
        for height, (key, votes) in signed.items():
            signers = sum(bits[address(one)] for one in voters)
            e.send(proposer, e.attestation.reveal(self.subnet, 0, height, key, table, signers, votes))
        assert len(e.said(QuorumReached)) == 2
        with pytest.raises(Refused, match=r"^WindowOpen: "):
            e.send(proposer, e.anchor.finalise(self.subnet, parent))
        self.dispute(checkpoint, parent, table, bits)
        e.chain.travel(CHALLENGE_S + 1)
        e.send(proposer, e.anchor.finalise(self.subnet, parent))
        assert [one.height for one in e.said(Finalised)] == [2, 1]
        assert e.ask(e.anchor.final_key(self.subnet)) == parent

    def judge(self):
        """One validator signs two votes for one height, one aggregator a wrong sum; leaving helps neither."""
        e, twice, liar = self.e, self.operators[EQUIVOCATOR], self.operators[LIAR]
        proofs = [e.statement(twice, Kind.ATTESTATION, self.subnet, 2, value) for value in (b"x" * 32, b"y" * 32)]
        reported = e.now()
        e.send(self.user, e.court.equivocation(*proofs[0], *proofs[1]))
        updates = [residues(salt) for salt in range(5)]
        wrong = [sum(column) % PRIMES[1] for column in zip(*updates, strict=True)]
        wrong[7] = (wrong[7] + 1) % PRIMES[1]
        roots, paths = zip(*(tree(values, 1) for values in updates), strict=True)
        root, path = tree(wrong, 1)
        _, signature = e.statement(liar, Kind.AGGREGATE, self.subnet, 1, sum_value(2, roots, 2, root), place=3)
        stated, position = Sum(self.subnet, 0, 1, 3, 2, roots, 2, root), Position(1, 1, 5, 1)
        leaves = [Leaf(packed(values), way) for values, way in zip(updates, paths, strict=True)]
        e.send(self.user, e.court.wrong_sum(stated, signature, position, leaves, Leaf(packed(wrong), path)))
        e.send(liar, e.operators.deregister(self.subnet))
        e.send(liar, e.vault.request_exit(address(liar), e.ask(e.vault.stake_of(address(liar), address(liar)))[0]))
        epochs = {reported // EPOCH_S, e.now() // EPOCH_S}
        e.chain.travel(EPOCH_S + VETO_S)
        for culprit in (twice, liar):
            for epoch in epochs:
                if e.ask(e.slashing.sentence_of(e.source.address, address(culprit), epoch)).share:
                    e.send(self.user, e.slashing.execute(e.source.address, address(culprit), epoch))
        taken = [one for one in e.said(Slashed) if one.assets]
        assert [(one.operator, one.assets) for one in taken] == [
            (address(who), stake // 2) for who in (twice, liar) for stake in (STAKE, DELEGATED)
        ]
        for vault in (e.vault, e.token_vault):
            e.send(self.user, vault.sweep())
        e.send(self.user, e.operators.refresh(self.subnet, [address(twice)]))
        assert e.ask(e.operators.standing(self.subnet, address(twice))).roles == 0, "half its stake is too little"

    def reward(self):
        """A user pays; verifiers, DAO, computing power and data each get their part, and backers their dividends."""
        e, rewards = self.e, self.e.rewards
        for member in self.members:
            e.send(member, e.governor.claim_backer_shares(self.draft, address(member)))
        given = [(address(who), shares) for who, shares in zip(self.of(DATA), CONTRIBUTED, strict=False)]
        shares = RewardTree([share_leaf(e.chain_id, e.royalties.address, self.subnet, *one) for one in given])
        e.send(self.poster, e.royalties.grant(self.subnet, shares.root, sum(CONTRIBUTED)))
        e.send(self.user, e.token.approve(e.royalties.address, FEE_PAID))
        e.send(self.user, e.royalties.pay(self.subnet, FEE_PAID))
        earned = []
        for pot, workers in (
            (Pot.VERIFIER, self.of(VALIDATOR, EQUIVOCATOR)),
            (Pot.COMPUTE, self.of(COMPUTE, LIAR)),
            (Pot.DATA, self.of(DATA)),
        ):
            funded, _ = e.ask(rewards.balance_of(self.subnet, pot))
            earned += [(pot, address(worker), funded // len(workers)) for worker in workers]
        books = RewardTree([reward_leaf(e.chain_id, rewards.address, self.subnet, *one) for one in earned])
        e.send(self.poster, rewards.post_root(self.subnet, books.root))
        e.chain.travel(DAO.activation_s)
        for position, (pot, who, amount) in enumerate(earned):
            e.send(self.user, rewards.claim(self.subnet, pot, who, amount, 0, books.proof(position)))
            assert e.tokens(who) == amount
        e.send(self.user, rewards.pay_dao(self.subnet))
        for member in self.members:
            e.send(member, e.royalties.claim(self.subnet, address(member)))
        for position, (who, amount) in enumerate(given):
            e.send(self.user, e.royalties.claim_shares(self.subnet, who, amount, 0, shares.proof(position)))
            e.send(self.user, e.royalties.claim(self.subnet, who))
        e.send(self.elder, e.governor.claim_backer_shares(self.base_draft, address(self.elder)))
        e.send(self.elder, e.royalties.claim(1, address(self.elder)))
        assert len(e.said(RewardClaimed)) == 4 + 5 + 5 + 1

    def leave(self):
        """One operator leaves and is paid; then everybody, the DAO's members too."""
        e, leaver = self.e, self.operators[LEAVER]
        e.send(leaver, e.operators.deregister(self.subnet))
        self._ask_back(leaver, leaver, e.vault)
        (epoch,) = e.ask(e.vault.exit_epochs(address(leaver), address(leaver)))
        with pytest.raises(Refused, match=r"^ExitNotDue: "):
            e.send(leaver, e.vault.claim(address(leaver), epoch, address(leaver)))
        e.chain.travel(2 * EXIT_S)
        before = e.coins(e.vault.address)
        self._take(leaver, leaver, e.vault)
        assert before - e.coins(e.vault.address) == STAKE
        (proposer, *_) = self.of(COMPUTE)
        e.send(proposer, e.anchor.unbond(self.subnet))
        for one in self.operators:
            self._ask_back(one, one, e.vault)
            self._ask_back(self.friend, one, e.token_vault)
        for member in (*self.members, self.elder):
            e.send(member, e.dmp.request_exit(e.ask(e.dmp.balance_of(address(member)))))
            with pytest.raises(Refused, match=r"^ExitWaits: "):
                e.send(member, e.dmp.claim_exit(0))
        e.chain.travel(2 * EXIT_S)
        for one in self.operators:
            self._take(one, one, e.vault)
            self._take(self.friend, one, e.token_vault)
        for member in (*self.members, self.elder):
            e.send(member, e.dmp.claim_exit(0))
        e.send(proposer, e.anchor.withdraw_bond(self.subnet))
        e.send(self.user, e.operators.refresh(self.subnet, [address(one) for one in self.operators]))
        assert e.ask(e.operators.validator_stake(self.subnet)) == 0

    def _ask_back(self, owner, operator, vault):
        shares, worth = self.e.ask(vault.stake_of(address(operator), address(owner)))
        if worth:
            self.e.send(owner, vault.request_exit(address(operator), shares))

    def _take(self, owner, operator, vault):
        for epoch in self.e.ask(vault.exit_epochs(address(operator), address(owner))):
            if self.e.ask(vault.exit_of(address(operator), epoch, address(owner))):
                self.e.send(owner, vault.claim(address(operator), epoch, address(owner)))


def vault_dust(economy, vault, operators):
    """What rounding left in a vault, by what it said, and by what it holds for operators without owners."""
    came = sum(one.assets for one in economy.said(Deposited, vault.address))
    went = sum(one.assets for kind in (ExitClaimed, Swept) for one in economy.said(kind, vault.address))
    held = sum(economy.ask(vault.staked(address(one))) for one in operators)
    slashed = sum(one.assets > 0 for one in economy.said(Slashed, vault.address))
    assert held <= came - went <= slashed, "no more than a unit for each pool that was cut"
    return came - went


def rewards_dust():
    """What does not divide among the workers of a role, by the shares of the economics that the DAO founded."""
    funded = FEE_PAID // 2
    verifiers, dao = funded // 10, funded // 20
    compute = (funded - verifiers - dao) * 7 // 10
    pots = (verifiers, 4), (compute, 5), (funded - verifiers - dao - compute, 5)
    return sum(pot % workers for pot, workers in pots), dao


def royalties_dust(economy, draft):
    """Dividends are rounded up for a share and down for an owner; a share that no backer gets earns all the same."""
    dividends, backers = FEE_PAID - FEE_PAID // 2, [10**23 * one // sum(BURNED) for one in BURNED]
    assert [one.shares for one in economy.said(BackerSharesGiven) if one.draft_id == draft] == backers
    to_parent = dividends * PARENT_BPS // 10_000
    return _left(dividends - to_parent, 10**23 + sum(CONTRIBUTED), (*backers, *CONTRIBUTED)) + _left(
        to_parent, 10**23, (10**23,)
    )


def _left(dividends, earn, held):
    a_share = -(-(dividends << 128) // earn)
    return dividends - sum(one * a_share >> 128 for one in held)


def test_a_subnet_lives_and_nothing_is_left_over_but_dust(economy):
    story = Story(economy)
    story.found()
    story.stake()
    story.commit_to_data()
    story.checkpoint()
    story.judge()
    story.reward()
    story.leave()

    at, (left, dao_part) = economy.places, rewards_dust()
    swept = {vault: sum(one.assets for one in economy.said(Swept, at[vault])) for vault in ("vault", "token_vault")}
    assert swept == {"vault": 2 * (STAKE // 2), "token_vault": 2 * (DELEGATED // 2)}
    coins = {
        "vault": vault_dust(economy, economy.vault, story.operators),
        "timelock": swept["vault"] + GAMES.bond_wei // 2,
    }
    tokens = {
        "token_vault": vault_dust(economy, economy.token_vault, story.operators),
        "timelock": swept["token_vault"] + dao_part,
        "dmp": BURNED_BEFORE + sum(BURNED),
        "rewards": left,
        "royalties": royalties_dust(economy, story.draft),
    }
    assert {name: economy.coins(where) for name, where in at.items()} == dict.fromkeys(at, 0) | coins
    assert {name: economy.tokens(where) for name, where in at.items()} == dict.fromkeys(at, 0) | tokens
