"""What the custom errors of tokens, DAO, rewards, royalties, datasets and their libraries say to people."""

from __future__ import annotations

from typing import Final

STATES: Final = ("pending", "active", "canceled", "defeated", "succeeded", "queued", "expired", "executed")
"""A proposal's states, by the governor's numbers."""
DAO_WORDS: Final[dict[str, str]] = {
    "AccessControlBadConfirmation": "a role is given up only by its holder for itself",
    "AccessControlUnauthorizedAccount": (
        "{account} does not hold role {neededRole} of the timelock; only the governor proposes to it"
    ),
    "AlreadyDrafted": "the very same draft {draftId} stands already; another salt makes another draft",
    "AlreadySuperseded": "commitment {id} of subnet {subnetId} has been superseded by {by} already",
    "BeyondGrant": (
        "{wanted:units} royalty shares are claimed by root {index} of subnet {subnetId}, and of those that it grants"
        " {left:units} are left"
    ),
    "BeyondPool": "{wanted:units} royalty shares of subnet {subnetId} are wanted, and {left:units} are left",
    "BeyondPot": "{due:units} $2PM are due from pot {pot} of subnet {subnetId}, and it has {left:units}; fund it",
    "BeyondTreasury": "the treasury holds {available:units} to spend, less than {amount:units}",
    "DraftClosed": (
        "draft {draftId} takes no more backing: its time ended at {deadline} (Unix seconds), or its vote began"
    ),
    "ECDSAInvalidSignature": "that is no signature",
    "ECDSAInvalidSignatureLength": "a signature has not {length} bytes",
    "ECDSAInvalidSignatureS": "the signature is malleable: its s is too high",
    "ERC20ExceededSafeSupply": "there would be more tokens than votes can count",
    "ERC20InsufficientAllowance": "{spender} may take {allowance:units} and needs {needed:units}; approve it first",
    "ERC20InsufficientBalance": "{sender} holds {balance:units} of the token and needs {needed:units}",
    "ERC20InvalidApprover": "{approver} cannot approve",
    "ERC20InvalidReceiver": "{receiver} cannot receive",
    "ERC20InvalidSender": "{sender} cannot send",
    "ERC20InvalidSpender": "{spender} cannot spend",
    "ERC2612ExpiredSignature": "the permit ended at time {deadline}",
    "ERC2612InvalidSigner": "the permit was signed by {signer}, not by {owner}",
    "ERC5805FutureLookup": "votes at time {timepoint} are not known yet",
    "ERC6372InconsistentClock": "the token counts time otherwise than the governor",
    "ERC6909InsufficientAllowance": "{spender} may take {allowance} royalty shares of subnet {id} and needs {needed}",
    "ERC6909InsufficientBalance": "{sender} holds {balance} royalty shares of subnet {id} and needs {needed}",
    "ERC6909InvalidApprover": "{approver} cannot approve",
    "ERC6909InvalidReceiver": "{receiver} cannot receive",
    "ERC6909InvalidSender": "{sender} cannot send",
    "ERC6909InvalidSpender": "{spender} cannot spend",
    "EmptyDataset": "a commitment needs a root and at least one row",
    "ExitWaits": "the exit is paid from time {claimableAt} (Unix seconds) on",
    "GovernorAlreadyCastVote": "{voter} has voted already",
    "GovernorAlreadyQueuedProposal": "proposal {proposalId} waits in the timelock already",
    "GovernorDisabledDeposit": "the governor takes no coins; the timelock is the treasury",
    "GovernorInsufficientProposerVotes": (
        "{proposer} has {votes} votes, fewer than the {threshold} that a proposal needs"
    ),
    "GovernorInvalidProposalLength": (
        "a proposal of {targets} targets, {calldatas} calls and {values} values does not fit together"
    ),
    "GovernorInvalidQuorumFraction": "a quorum of {quorumNumerator} of {quorumDenominator} cannot be",
    "GovernorInvalidSignature": "the vote was not signed by {voter}",
    "GovernorInvalidVoteParams": "the vote's parameters are wrong",
    "GovernorInvalidVoteType": "a vote is against (0), for (1) or abstain (2)",
    "GovernorInvalidVotingPeriod": "a vote cannot last {votingPeriod} s",
    "GovernorNonexistentProposal": "there is no proposal {proposalId}",
    "GovernorOnlyExecutor": "{account} may not do this; only a vote through the timelock does",
    "GovernorProposalQueueingFailed": "proposal {proposalId} could not be queued",
    "GovernorProposalQueueingNotRequired": "proposal {proposalId} need not be queued",
    "GovernorRestrictedProposer": "{proposer} may not make this proposal: its text names another, or is a draft's",
    "GovernorUnableToCancel": "{account} may not cancel proposal {proposalId}",
    "GovernorUnexpectedProposalState": ("proposal {proposalId} is {current}, and this needs another state"),
    "InvalidAccountNonce": "the signature of {account} was used already; the next number is {currentNonce}",
    "InvalidShortString": "the text is too long",
    "LengthsDiffer": "{strategies} strategies and {weights} weights: as many of both are needed, at least one",
    "NotAllocationManager": "{caller} is not EigenLayer's AllocationManager",
    "NotBackedEnough": "draft {draftId} is backed with {backed:units} $DMP, and a vote needs {needed:units}",
    "NotClaimable": "pot {pot} is the DAO's, paid to its treasury alone",
    "NotEigenLayerOperator": "{operator} is no operator of EigenLayer",
    "OtherSubnetFounded": "the registry founded subnet {actual}, not {expected}",
    "NotFounded": "draft {draftId} has become no subnet yet",
    "NotPoster": "{caller} does not post the roots of subnet {subnetId}",
    "NotSubmitted": "draft {draftId} was not backed and submitted, or is founded already",
    "NotTransferable": "$DMP cannot be transferred; leave the DAO and send the $2PM",
    "NotYourDataset": "commitment {id} of subnet {subnetId} belongs to {provider}",
    "NothingBacked": "{backer} has nothing in draft {draftId}, or has got its shares",
    "NothingDue": "{account} earned {cumulative:units} in all and got {claimed:units}: nothing is due",
    "NothingToPay": "{account} has no dividends of subnet {subnetId}",
    "RootNotActive": (
        "root {index} of subnet {subnetId} counts from time {activeFrom} (Unix seconds) on, unless "
        "disabled ({disabled})"
    ),
    "RoyaltiesClosed": "subnet {subnetId} has no royalty shares; only the DAO opens them",
    "RoyaltiesOpen": "the royalty shares of subnet {subnetId} were minted already",
    "SharesGivenBefore": "{account} was given its royalty shares of root {index} of subnet {subnetId} already",
    "StrategiesNotAscending": "strategy {strategy} is not above the one before it",
    "StringTooLong": "the text is too long: {str}",
    "StringsInsufficientHexLength": "{value} does not fit {length} hex digits",
    "TimelockInsufficientDelay": "a delay of {delay} s is below the timelock's {minDelay} s",
    "TimelockInvalidOperationLength": "{targets} targets, {payloads} calls and {values} values do not fit together",
    "TimelockUnauthorizedCaller": "{caller} may not; only the timelock changes itself",
    "TimelockUnexecutedPredecessor": "operation {predecessorId} must be executed before",
    "TimelockUnexpectedOperationState": (
        "operation {operationId} is not in the state that this needs; most likely its delay is not over"
    ),
    "UnknownDataset": "subnet {subnetId} has no commitment {id}",
    "UnknownDraft": "there is no draft {draftId}",
    "UnknownExit": "{account} has no unpaid exit {index}",
    "UnknownRoot": "no root {index} was posted for subnet {subnetId}",
    "VotesExpiredSignature": "the signature ended at time {expiry}",
    "WrongOperatorSet": "AVS {avs} or its operator set is not ours",
    "WrongProof": "the proof does not lead to root {index} of subnet {subnetId}",
    "WrongSchema": "subnet {subnetId} wants data of schema {wanted}, not {schema}",
    "WrongSignature": "{signer} did not sign this very commitment",
}
