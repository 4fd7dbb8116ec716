"""Typed bindings of the tokens, the DAO, rewards, royalties and datasets, as in `contracts.bindings`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from contracts.abi import interface
from contracts.bindings import Contract, Transaction, View
from contracts.dao_words import STATES
from contracts.terms import Terms


class Pot(IntEnum):
    """For what a reward was earned; the DAO's is paid to its treasury alone."""

    VERIFIER = 0
    DAO = 1
    COMPUTE = 2
    DATA = 3


ROOT_BYTES = 26


class Vote(IntEnum):
    """What a member says to a proposal."""

    AGAINST = 0
    FOR = 1
    ABSTAIN = 2


@dataclass(frozen=True, slots=True)
class Rules:
    """How the DAO decides; times in seconds, votes in the smallest unit of $DMP."""

    voting_delay: int = 3600
    voting_period: int = 3 * 86400
    proposal_threshold: int = 100 * 10**18
    quorum_percent: int = 4
    backing_needed: int = 1000 * 10**18
    backing_period: int = 14 * 86400


class Claim(NamedTuple):
    """What an account claims from a pot of a subnet: all it ever earned there, and where that stands in which root."""

    subnet_id: int
    pot: Pot
    account: bytes
    cumulative: int
    root_index: int
    proof: Sequence[bytes]


class Draft(NamedTuple):
    """A subnet that somebody drafted."""

    proposer: bytes
    deadline: int
    backed: int
    proposal_id: int
    subnet_id: int


class Action(NamedTuple):
    """What a proposal does."""

    targets: tuple[bytes, ...]
    values: tuple[int, ...]
    calldatas: tuple[bytes, ...]
    description: str


class Exit(NamedTuple):
    """Stake on its way out of the DAO; `claimable_at` is 0 once it is paid."""

    amount: int
    claimable_at: int


class Dataset(NamedTuple):
    """What a provider committed to; see IDatasetRegistry.sol. `superseded_by` is 0 while it is current."""

    provider: bytes
    signer: bytes
    schema: bytes
    root: bytes
    rows: int
    committed_at: int
    supersedes: int
    superseded_by: int


def _int(value: int) -> int:
    return value


def _bytes(value: bytes) -> bytes:
    return value


class TwoPMToken(Contract):
    """See contracts/src/interfaces/ITwoPMToken.sol."""

    @staticmethod
    def deployment(holder: bytes, supply: int) -> Transaction:
        return Transaction(b"", interface("TwoPMToken").deployment(holder, supply))

    def approve(self, spender: bytes, amount: int) -> Transaction:
        return self._send("approve", spender, amount)

    def transfer(self, to: bytes, amount: int) -> Transaction:
        return self._send("transfer", to, amount)

    def balance_of(self, account: bytes) -> View[int]:
        return self._ask(_int, "balanceOf", account)

    def allowance(self, owner: bytes, spender: bytes) -> View[int]:
        return self._ask(_int, "allowance", owner, spender)


class DMPToken(Contract):
    """See contracts/src/interfaces/IDMPToken.sol."""

    @staticmethod
    def deployment(token: bytes, exit_delay_s: int, authority: bytes) -> Transaction:
        return Transaction(b"", interface("DMPToken").deployment(token, exit_delay_s, authority))

    def stake(self, amount: int) -> Transaction:
        return self._send("stake", amount)

    def request_exit(self, amount: int) -> Transaction:
        return self._send("requestExit", amount)

    def claim_exit(self, index: int) -> Transaction:
        return self._send("claimExit", index)

    def delegate(self, to: bytes) -> Transaction:
        return self._send("delegate", to)

    def balance_of(self, account: bytes) -> View[int]:
        return self._ask(_int, "balanceOf", account)

    def votes_of(self, account: bytes) -> View[int]:
        return self._ask(_int, "getVotes", account)

    def delegate_of(self, account: bytes) -> View[bytes]:
        return self._ask(_bytes, "delegates", account)

    def total_supply(self) -> View[int]:
        return self._ask(_int, "totalSupply")

    def staked(self) -> View[int]:
        return self._ask(_int, "staked")

    def queued(self) -> View[int]:
        return self._ask(_int, "queued")

    def burned(self) -> View[int]:
        return self._ask(_int, "burned")

    def exit_delay(self) -> View[int]:
        """Seconds."""
        return self._ask(_int, "EXIT_DELAY")

    def exits(self, account: bytes) -> View[tuple[Exit, ...]]:
        return self._ask(lambda found: tuple(Exit(*one) for one in found), "exits", account)

    def token(self) -> View[bytes]:
        return self._ask(_bytes, "TOKEN")


class Timelock(Contract):
    """See contracts/src/Timelock.sol."""

    @staticmethod
    def deployment(min_delay_s: int, admin: bytes) -> Transaction:
        return Transaction(b"", interface("Timelock").deployment(min_delay_s, admin))

    def grant_role(self, role: bytes, account: bytes) -> Transaction:
        return self._send("grantRole", role, account)

    def renounce_role(self, role: bytes, account: bytes) -> Transaction:
        return self._send("renounceRole", role, account)

    def has_role(self, role: bytes, account: bytes) -> View[bool]:
        return self._ask(bool, "hasRole", role, account)


class RewardDistributor(Contract):
    """See contracts/src/interfaces/IRewardDistributor.sol."""

    @staticmethod
    def deployment(token: bytes, subnets: bytes, delay_s: int, treasury: bytes, authority: bytes) -> Transaction:
        return Transaction(b"", interface("RewardDistributor").deployment(token, subnets, delay_s, treasury, authority))

    def fund(self, subnet_id: int, amount: int) -> Transaction:
        return self._send("fund", subnet_id, amount)

    def post_root(self, subnet_id: int, root: bytes) -> Transaction:
        return self._send("postRoot", subnet_id, root)

    def disable_root(self, subnet_id: int, index: int) -> Transaction:
        return self._send("disableRoot", subnet_id, index)

    def claim(
        self, subnet_id: int, pot: Pot, account: bytes, cumulative: int, index: int, proof: Sequence[bytes]
    ) -> Transaction:
        return self._send("claim", subnet_id, int(pot), account, cumulative, index, list(proof))

    def claim_many(self, claims: Sequence[Claim]) -> Transaction:
        """Pays many accounts in one transaction; what was claimed already is passed over."""
        return self._send("claimMany", [(*one[:-1], list(one.proof)) for one in claims])

    def prepare(self, subnet_id: int, pot: Pot, accounts: Sequence[bytes]) -> Transaction:
        """Makes the accounts' first claims as cheap as later ones, at the sender's cost."""
        return self._send("prepare", subnet_id, int(pot), list(accounts))

    def pay_dao(self, subnet_id: int) -> Transaction:
        return self._send("payDao", subnet_id)

    def balance_of(self, subnet_id: int, pot: Pot) -> View[tuple[int, int]]:
        """Funded and claimed."""
        return self._ask(lambda balance: (balance[0], balance[1]), "balanceOf", subnet_id, int(pot))

    def claimed_of(self, subnet_id: int, pot: Pot, account: bytes) -> View[int]:
        return self._ask(_int, "claimedOf", subnet_id, int(pot), account)

    def is_prepared(self, subnet_id: int, pot: Pot, account: bytes) -> View[bool]:
        return self._ask(bool, "isPrepared", subnet_id, int(pot), account)

    def root_count(self, subnet_id: int) -> View[int]:
        return self._ask(_int, "rootCount", subnet_id)

    def root_of(self, subnet_id: int, index: int) -> View[bytes]:
        """A root's first 26 bytes (`ROOT_BYTES`): more of it is not kept, or compared."""
        return self._ask(lambda posted: bytes(posted[0]), "rootOf", subnet_id, index)

    def leaf_of(self, subnet_id: int, pot: Pot, account: bytes, cumulative: int) -> View[bytes]:
        return self._ask(_bytes, "leafOf", subnet_id, int(pot), account, cumulative)


class RoyaltyVault(Contract):
    """See contracts/src/interfaces/IRoyaltyVault.sol."""

    @staticmethod
    def deployment(token: bytes, rewards: bytes, subnets: bytes, delay_s: int, authority: bytes) -> Transaction:
        return Transaction(b"", interface("RoyaltyVault").deployment(token, rewards, subnets, delay_s, authority))

    def pay(self, subnet_id: int, amount: int) -> Transaction:
        return self._send("pay", subnet_id, amount)

    def divide(self, subnet_id: int) -> Transaction:
        return self._send("divide", subnet_id)

    def claim(self, subnet_id: int, account: bytes) -> Transaction:
        return self._send("claim", subnet_id, account)

    def grant(self, subnet_id: int, root: bytes, shares: int) -> Transaction:
        """Grants contributors what a tree of `leaf_of` says, `shares` in all; the subnet's poster only."""
        return self._send("grant", subnet_id, root, shares)

    def disable_root(self, subnet_id: int, index: int) -> Transaction:
        return self._send("disableRoot", subnet_id, index)

    def claim_shares(
        self, subnet_id: int, account: bytes, shares: int, index: int, proof: Sequence[bytes]
    ) -> Transaction:
        """Gives an account what a root granted to it, with what that has earned since; once, root by root."""
        return self._send("claimShares", subnet_id, account, shares, index, list(proof))

    def granted(self, subnet_id: int) -> View[int]:
        """Shares that earn: in holders' hands, reserved for backers, or granted and not claimed yet."""
        return self._ask(_int, "granted", subnet_id)

    def given(self, subnet_id: int) -> View[int]:
        """Shares in holders' hands."""
        return self._ask(_int, "given", subnet_id)

    def reserved_of(self, subnet_id: int) -> View[int]:
        return self._ask(_int, "reservedOf", subnet_id)

    def unclaimed_of(self, subnet_id: int, index: int) -> View[int]:
        """Shares that a root granted and that nobody has claimed yet."""
        return self._ask(_int, "unclaimedOf", subnet_id, index)

    def was_given(self, subnet_id: int, index: int, account: bytes) -> View[bool]:
        return self._ask(bool, "wasGiven", subnet_id, index, account)

    def waiting(self, subnet_id: int) -> View[int]:
        """What came in and is not divided yet, without what children of the subnet hold back."""
        return self._ask(_int, "waiting", subnet_id)

    def root_count(self, subnet_id: int) -> View[int]:
        return self._ask(_int, "rootCount", subnet_id)

    def root_of(self, subnet_id: int, index: int) -> View[bytes]:
        """A root's first 26 bytes (`ROOT_BYTES`): more of it is not kept, or compared."""
        return self._ask(lambda posted: bytes(posted[0]), "rootOf", subnet_id, index)

    def leaf_of(self, subnet_id: int, account: bytes, shares: int) -> View[bytes]:
        return self._ask(_bytes, "leafOf", subnet_id, account, shares)

    def balance_of(self, account: bytes, subnet_id: int) -> View[int]:
        return self._ask(_int, "balanceOf", account, subnet_id)

    def dividend_of(self, subnet_id: int, account: bytes) -> View[int]:
        return self._ask(_int, "dividendOf", subnet_id, account)


class DatasetRegistry(Contract):
    """See contracts/src/interfaces/IDatasetRegistry.sol."""

    @staticmethod
    def deployment(subnets: bytes) -> Transaction:
        return Transaction(b"", interface("DatasetRegistry").deployment(subnets))

    def commit(
        self,
        subnet_id: int,
        schema: bytes,
        root: bytes,
        rows: int,
        signer: bytes,
        *,
        supersedes: int = 0,
        signature: bytes = b"",
    ) -> Transaction:
        return self._send("commit", subnet_id, schema, root, rows, supersedes, signer, signature)

    def dataset_count(self, subnet_id: int) -> View[int]:
        return self._ask(_int, "datasetCount", subnet_id)

    def dataset(self, subnet_id: int, number: int) -> View[Dataset]:
        return self._ask(lambda found: Dataset(*found), "dataset", subnet_id, number)

    def provenance_digest(
        self, provider: bytes, subnet_id: int, schema: bytes, root: bytes, rows: int, supersedes: int
    ) -> View[bytes]:
        """What another signer than the provider signs, 32 bytes."""
        return self._ask(_bytes, "provenanceDigest", provider, subnet_id, schema, root, rows, supersedes)


class SubnetGovernor(Contract):
    """See contracts/src/interfaces/ISubnetGovernor.sol."""

    @staticmethod
    def deployment(votes: bytes, timelock: bytes, subnets: bytes, royalties: bytes, rules: Rules) -> Transaction:
        values = tuple(getattr(rules, name) for name in rules.__slots__)
        return Transaction(b"", interface("SubnetGovernor").deployment(votes, timelock, subnets, royalties, values))

    def propose_subnet(self, salt: bytes, terms: Terms) -> Transaction:
        return self._send("proposeSubnet", salt, terms.encoded())

    def back(self, draft_id: bytes, amount: int) -> Transaction:
        return self._send("back", draft_id, amount)

    def submit(self, salt: bytes, terms: Terms) -> Transaction:
        return self._send("submit", salt, terms.encoded())

    def cast_vote(self, proposal_id: int, vote: Vote) -> Transaction:
        return self._send("castVote", proposal_id, int(vote))

    def queue(self, action: Action, description_hash: bytes) -> Transaction:
        return self._send("queue", *self._action(action), description_hash)

    def execute(self, action: Action, description_hash: bytes) -> Transaction:
        return self._send("execute", *self._action(action), description_hash)

    def claim_backer_shares(self, draft_id: bytes, backer: bytes) -> Transaction:
        return self._send("claimBackerShares", draft_id, backer)

    def backing_of(self, draft_id: bytes, backer: bytes) -> View[int]:
        """What an account burned for a draft; 0 once it has got its shares for it."""
        return self._ask(_int, "backingOf", draft_id, backer)

    def draft_id_of(self, salt: bytes, terms: Terms) -> View[bytes]:
        return self._ask(_bytes, "draftIdOf", salt, terms.encoded())

    def draft(self, draft_id: bytes) -> View[Draft]:
        return self._ask(lambda found: Draft(*found), "draft", draft_id)

    def action_of(self, salt: bytes, terms: Terms) -> View[Action]:
        return self._ask(Action, "actionOf", salt, terms.encoded())

    def state(self, proposal_id: int) -> View[str]:
        return self._ask(lambda number: STATES[number], "state", proposal_id)

    def backing_needed(self) -> View[int]:
        return self._ask(_int, "backingNeeded")

    @staticmethod
    def _action(action: Action) -> tuple[object, ...]:
        return list(action.targets), list(action.values), list(action.calldatas)
