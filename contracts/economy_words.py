"""What the custom errors of the economy's contracts, and of the libraries they use, say to people."""

from __future__ import annotations

from typing import Final

from contracts.dao_words import DAO_WORDS

ECONOMY_WORDS: Final[dict[str, str]] = {
    **DAO_WORDS,
    "AccessManagedInvalidAuthority": "{authority} is no contract that could say who may do what",
    "AccessManagedRequiredDelay": "{caller} must announce this call {delay} seconds before",
    "AccessManagedUnauthorized": "{caller} may not do this; only the DAO or the contract it gave the power to may",
    "AccessManagerAlreadyScheduled": "call {operationId} is announced already",
    "AccessManagerBadConfirmation": "a role is given up only by its holder for itself",
    "AccessManagerExpired": "the announced call {operationId} has expired; announce it again",
    "AccessManagerInvalidInitialAdmin": "{initialAdmin} cannot be the first admin",
    "AccessManagerLockedFunction": "who may call function {selector} cannot be changed",
    "AccessManagerLockedRole": "role {roleId} cannot be changed",
    "AccessManagerNotReady": "the announced call {operationId} must wait longer",
    "AccessManagerNotScheduled": "call {operationId} has not been announced",
    "AccessManagerUnauthorizedAccount": "{msgsender} does not hold role {roleId}, which this needs",
    "AccessManagerUnauthorizedCall": "{caller} may not call {selector} of {target}",
    "AccessManagerUnauthorizedCancel": "{msgsender} may not cancel what {caller} announced",
    "AccessManagerUnauthorizedConsume": "{target} cannot use up an announced call",
    "AddressEmptyCode": "there is no contract at {target}",
    "AlreadySlashed": "offence {offence} has been slashed already",
    "BadEconomics": "parts of more than the whole, or neither computing power nor data has a part",
    "BadParents": "{count} parents that get {bps} basis points are more than a subnet may have",
    "BadShare": "a share of {share} is not between 1 and 10^18",
    "CheckpointUnorderedInsertion": "the chain's clock went backwards",
    "ExitNotDue": "the exits of epoch {epoch} are paid from time {dueAt} (Unix seconds) on",
    "ExitTooShort": "stake can leave after {exitSeconds} s, before disputes of {windowSeconds} s are over",
    "ExitWouldShorten": "stake can leave this vault after {delay} s, but subnets were founded on {least} s",
    "FailedCall": "the receiver refused the payment",
    "InsufficientBalance": "the contract holds {balance} wei, but {needed} are due",
    "NoVault": "no vault takes this stake; deposit it where the subnet's stake source counts it",
    "NotFor": "{account} serves another subnet registry than {subnets}",
    "NothingToClaim": "{owner} has nothing to claim from operator {operator} with the exits of epoch {epoch}",
    "OffenceInFuture": "an offence at time {when} is in the future",
    "ReentrancyGuardReentrantCall": "the receiver called back into the contract",
    "SafeCastOverflowedUintDowncast": "{value} does not fit {bits} bits",
    "SafeERC20FailedOperation": "token {token} refused the transfer",
    "StakeTooSmall": "the stake of {stake} wei is below the minimum of {minimum} wei",
    "TooFewShares": "{owner} owns {owned} shares, fewer than {wanted}",
    "TooManyVaults": "there are {limit} vaults already, the most there may be",
    "WrongValue": "{sent} wei came with the call, {wanted} are wanted",
    "ZeroAddress": "the zero address owns nothing",
    "ZeroAmount": "nothing is no amount; a rounding may have made it nothing",
}
