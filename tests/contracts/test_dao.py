"""A subnet's life through the DAO, by the bindings alone: founded, paid for, and everybody gets its part."""

import pytest
from eth_utils.crypto import keccak

from contracts.bindings import Transaction
from contracts.dao import (
    DatasetRegistry,
    DMPToken,
    Pot,
    RewardDistributor,
    RoyaltyVault,
    Rules,
    SubnetGovernor,
    Timelock,
    TwoPMToken,
    Vote,
)
from contracts.dao_events import BackerSharesGiven, DividendPaid, DraftFounded, RewardClaimed, SubnetSubmitted
from contracts.deploy_dao import Dao, found_dao
from contracts.economy import ADMIN_ROLE, Authority
from contracts.terms import Economics, Terms

ONE = 10**18
SALT = b"s" * 32
RULES = Rules(voting_delay=2, voting_period=10, backing_needed=50 * ONE, backing_period=1000, proposal_threshold=ONE)
DAO = Dao(lock_s=5, exit_s=10, activation_s=3, rules=RULES)


def address(account):
    return bytes.fromhex(account.address[2:])


class Steps:
    """What deploy.py does over JSON-RPC, on the test's ledger."""

    def __init__(self, world):
        self.world, self.done = world, []

    def contract(self, name, transaction):
        self.done.append(name)
        return self.world.deploy(transaction())

    def call(self, name, transaction):
        self.done.append(name)
        self.world.send(self.world.founder, transaction)


class Economy:
    def __init__(self, world):
        me, steps = address(world.founder), Steps(world)
        made = {"authority": world.authority, "subnets": world.subnets.address}
        made["timelock"] = steps.contract("timelock", lambda: Timelock.deployment(DAO.lock_s, me))
        made["token"] = steps.contract("token", lambda: TwoPMToken.deployment(me, DAO.supply))
        self.world, self.made = world, found_dao(steps, DAO, me, made)
        self.token = TwoPMToken(self.made["token"])
        self.dmp = DMPToken(self.made["dmp"])
        self.timelock = Timelock(self.made["timelock"])
        self.rewards = RewardDistributor(self.made["rewards"])
        self.royalties = RoyaltyVault(self.made["royalties"])
        self.datasets = DatasetRegistry(self.made["datasets"])
        self.governor = SubnetGovernor(self.made["governor"])

    def send(self, who, transaction):
        return self.world.send(who, transaction)

    def member(self, amount):
        account = self.world.account()
        self.send(self.world.founder, self.token.transfer(address(account), amount))
        self.send(account, self.token.approve(self.dmp.address, amount))
        self.send(account, self.dmp.stake(amount))
        return account

    def found(self, member, terms):
        """Drafts, backs, submits, votes and executes; the draft's id and the subnet's."""
        self.send(member, self.governor.propose_subnet(SALT, terms))
        draft = self.world.ask(self.governor.draft_id_of(SALT, terms))
        self.send(member, self.governor.back(draft, 60 * ONE))
        (submitted,) = [
            e for e in self.send(member, self.governor.submit(SALT, terms)) if isinstance(e, SubnetSubmitted)
        ]
        self.world.mine(RULES.voting_delay + 1)
        self.send(member, self.governor.cast_vote(submitted.proposal_id, Vote.FOR))
        self.world.mine(RULES.voting_period)
        action = self.world.ask(self.governor.action_of(SALT, terms))
        words = keccak(text=action.description)
        self.send(member, self.governor.queue(action, words))
        self.world.mine(DAO.lock_s)
        events = self.send(member, self.governor.execute(action, words))
        assert self.world.ask(self.governor.state(submitted.proposal_id)) == "executed"
        (founded,) = [e for e in events if isinstance(e, DraftFounded)]
        return draft, founded.subnet_id


@pytest.fixture
def economy(world):
    return Economy(world)


def test_after_the_hand_over_the_deployer_can_do_nothing(world, economy):
    powers = Authority(world.authority)
    assert not world.ask(powers.has_role(ADMIN_ROLE, address(world.founder)))
    assert world.ask(powers.has_role(ADMIN_ROLE, economy.timelock.address))
    assert not world.ask(economy.timelock.has_role(bytes(32), address(world.founder)))
    for forbidden in (
        world.subnets.found(world.terms()),
        world.subnets.set_economics(1, Economics()),
        economy.rewards.disable_root(1, 0),
        powers.grant_role(ADMIN_ROLE, address(world.founder)),
    ):
        with pytest.raises(Exception, match="AccessManage"):
            world.send(world.founder, forbidden)


def test_a_subnet_is_founded_paid_for_and_everybody_gets_its_part(world, economy):
    member, user, poster = economy.member(1000 * ONE), world.account(), world.account()
    economics = Economics(poster=address(poster))
    terms = Terms(address(member), world.operators.address, world.anchor.address, b"p", b"t", economics=economics)
    draft, subnet = economy.found(member, terms)
    assert world.ask(economy.dmp.burned()) == 60 * ONE
    given = economy.send(user, economy.governor.claim_backer_shares(draft, address(member)))
    assert next(e for e in given if isinstance(e, BackerSharesGiven)).shares == 10**23
    world.send(member, world.subnets.open(subnet))

    workers = {pot: world.account() for pot in (Pot.VERIFIER, Pot.COMPUTE, Pot.DATA)}
    world.send(world.founder, economy.token.transfer(address(user), 2000))
    world.send(user, economy.token.approve(economy.royalties.address, 2000))
    world.send(user, economy.royalties.pay(subnet, 2000))
    assert DividendPaid(subnet, address(member), 1000) in world.send(
        user, economy.royalties.claim(subnet, address(member))
    )
    earned = {Pot.VERIFIER: 100, Pot.COMPUTE: 595, Pot.DATA: 255}
    for index, (pot, worker) in enumerate(workers.items()):  # a tree of one leaf for each
        inner = world.ask(economy.rewards.leaf_of(subnet, pot, address(worker), earned[pot]))
        world.send(poster, economy.rewards.post_root(subnet, keccak(inner)))
        claim = economy.rewards.claim(subnet, pot, address(worker), earned[pot], index, [])
        with pytest.raises(Exception, match="RootNotActive"):
            world.send(worker, claim)
        world.mine(DAO.activation_s)
        assert world.send(worker, claim) == (RewardClaimed(subnet, address(worker), pot, earned[pot]),)
        with pytest.raises(Exception, match="NothingDue"):
            world.send(worker, claim)
    world.send(user, economy.rewards.pay_dao(subnet))
    assert world.ask(economy.token.balance_of(economy.timelock.address)) == 50
    for empty in (economy.rewards.address, economy.royalties.address):
        assert world.ask(economy.token.balance_of(empty)) == 0


def test_members_leave_with_what_they_did_not_burn(world, economy):
    member = economy.member(100 * ONE)
    world.send(member, economy.dmp.request_exit(40 * ONE))
    assert (world.ask(economy.dmp.queued()), world.ask(economy.dmp.total_supply())) == (40 * ONE, 60 * ONE)
    (leaving,) = world.ask(economy.dmp.exits(address(member)))
    with pytest.raises(Exception, match="ExitWaits"):
        world.send(member, economy.dmp.claim_exit(0))
    world.mine(DAO.exit_s)
    world.send(member, economy.dmp.claim_exit(0))
    assert leaving.amount == world.ask(economy.token.balance_of(address(member))) == 40 * ONE
    assert world.ask(economy.dmp.votes_of(address(member))) == 60 * ONE


def test_data_are_committed_without_being_shown(world, economy):
    provider = world.account()
    world.send(provider, economy.datasets.commit(1, bytes(32), b"r" * 32, 569, address(provider)))
    assert world.ask(economy.datasets.dataset_count(1)) == 1
    with pytest.raises(Exception, match="WrongSignature"):
        world.send(provider, economy.datasets.commit(1, bytes(32), b"r" * 32, 5, b"\x05" * 20, signature=bytes(65)))


def test_the_treasury_takes_coins(world, economy):
    world.send(world.founder, Transaction(economy.timelock.address, b"", 5))
    assert world.ledger.balance(economy.timelock.address) == 5
