"""The events of the DAO, rewards, royalties and datasets: addresses and digests are plain bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class SubnetDrafted:
    draft_id: bytes
    proposer: bytes
    salt: bytes
    terms: tuple[object, ...]
    deadline: int


@dataclass(frozen=True, slots=True)
class SubnetBacked:
    draft_id: bytes
    backer: bytes
    amount: int
    backed: int


@dataclass(frozen=True, slots=True)
class SubnetSubmitted:
    draft_id: bytes
    proposal_id: int


@dataclass(frozen=True, slots=True)
class DraftFounded:
    draft_id: bytes
    subnet_id: int


@dataclass(frozen=True, slots=True)
class BackerSharesGiven:
    draft_id: bytes
    backer: bytes
    shares: int


@dataclass(frozen=True, slots=True)
class BackingSet:
    backing_needed: int
    backing_period: int


@dataclass(frozen=True, slots=True)
class VoteCast:
    voter: bytes
    proposal_id: int
    support: int
    weight: int
    reason: str


@dataclass(frozen=True, slots=True)
class Staked:
    account: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class ExitQueued:
    account: bytes
    index: int
    amount: int
    claimable_at: int


@dataclass(frozen=True, slots=True)
class ExitPaid:
    account: bytes
    index: int
    amount: int


@dataclass(frozen=True, slots=True)
class Burned:
    account: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class TreasurySpent:
    to: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Funded:
    subnet_id: int
    payer: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class RewardClaimed:
    subnet_id: int
    account: bytes
    pot: int
    amount: int


@dataclass(frozen=True, slots=True)
class RootPosted:
    subnet_id: int
    index: int
    root: bytes
    active_from: int


@dataclass(frozen=True, slots=True)
class RootDisabled:
    subnet_id: int
    index: int


@dataclass(frozen=True, slots=True)
class RoyaltiesOpened:
    subnet_id: int
    reserved: int


@dataclass(frozen=True, slots=True)
class FeePaid:
    subnet_id: int
    payer: bytes
    amount: int
    to_rewards: int


@dataclass(frozen=True, slots=True)
class Divided:
    subnet_id: int
    amount: int
    to_parents: int


@dataclass(frozen=True, slots=True)
class SharesGranted:
    subnet_id: int
    index: int
    shares: int


@dataclass(frozen=True, slots=True)
class SharesTakenBack:
    subnet_id: int
    index: int
    shares: int


@dataclass(frozen=True, slots=True)
class SharesGiven:
    subnet_id: int
    account: bytes
    shares: int
    as_backer: bool


@dataclass(frozen=True, slots=True)
class DividendPaid:
    subnet_id: int
    account: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class DatasetCommitted:
    subnet_id: int
    id: int
    provider: bytes
    root: bytes
    rows: int


@dataclass(frozen=True, slots=True)
class StakeNoted:
    operator: bytes
    stake: int


@dataclass(frozen=True, slots=True)
class OperatorEntered:
    operator: bytes


DaoEvent = (
    SubnetDrafted
    | SubnetBacked
    | SubnetSubmitted
    | DraftFounded
    | BackerSharesGiven
    | BackingSet
    | VoteCast
    | Staked
    | ExitQueued
    | ExitPaid
    | Burned
    | TreasurySpent
    | Funded
    | RewardClaimed
    | RootPosted
    | RootDisabled
    | RoyaltiesOpened
    | FeePaid
    | Divided
    | SharesGiven
    | SharesGranted
    | SharesTakenBack
    | DividendPaid
    | DatasetCommitted
    | StakeNoted
    | OperatorEntered
)
DAO_EVENTS: Final = (
    SubnetDrafted,
    SubnetBacked,
    SubnetSubmitted,
    DraftFounded,
    BackerSharesGiven,
    BackingSet,
    VoteCast,
    Staked,
    ExitQueued,
    ExitPaid,
    Burned,
    TreasurySpent,
    Funded,
    RewardClaimed,
    RootPosted,
    RootDisabled,
    RoyaltiesOpened,
    FeePaid,
    Divided,
    SharesGiven,
    SharesGranted,
    SharesTakenBack,
    DividendPaid,
    DatasetCommitted,
    StakeNoted,
    OperatorEntered,
)
