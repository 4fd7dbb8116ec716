"""What the contracts refuse, in words for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from contracts.abi import CONTRACTS, AbiError, decode_error, interface, selector
from contracts.dao_words import STATES
from contracts.economy_words import ECONOMY_WORDS
from contracts.justice_words import JUSTICE_WORDS

WORDS: Final[dict[str, str]] = {
    "AlreadyBonded": "{proposer} has a bond in subnet {subnetId} already, or has not taken the last one back",
    "AlreadyCommitted": "validator {validator} has committed to a vote at height {height} of subnet {subnetId} already",
    "AlreadyExecuted": "operator {operator} was slashed for epoch {epoch} already, or there is nothing to slash it for",
    "AlreadyOpen": "subnet {subnetId} was opened in block {openedBlock} already",
    "AlreadyOpened": "checkpoint {key} of subnet {subnetId} was opened already",
    "AlreadyRegistered": "{account} is registered in subnet {subnetId} already; leave it first to change peer or roles",
    "BadLength": "params of {paramsBytes} and task of {taskBytes} bytes: neither over {limitBytes}, params not empty",
    "BadPeer": "peer {peer} with a proof of {proofBytes} bytes: a peer is not zero and its proof has 64 bytes",
    "BadProof": "the proof has {length} bytes, not {expected}",
    "BadRoles": "roles {roles}: a sum of 1 (data), 2 (compute), 4 (validator) is needed",
    "BelowFinal": "height {height} of subnet {subnetId} is settled: {finalHeight} is final",
    "BondLocked": "the bond of {proposer} in subnet {subnetId} stays until {untilTime}, and for {disputes} disputes",
    "CommittedTooLate": "validator {validator} committed at height {height} of subnet {subnetId} when votes were known",
    "ConflictsWithFinal": "checkpoint {key} of subnet {subnetId} conflicts with the final {finalKey}, or was rejected",
    "DifferentSigners": "the statements are of two signers, {one} and {other}",
    "Disputed": "checkpoint {key} of subnet {subnetId} is disputed",
    "ECDSAInvalidSignature": "that is no signature",
    "ECDSAInvalidSignatureLength": "a signature has not {length} bytes",
    "ECDSAInvalidSignatureS": "the signature is malleable: its s is too high",
    "FinalityLags": "{limit} checkpoints of subnet {subnetId} wait above final height {finalHeight}; attest first",
    "IncompleteTable": "the validators named weigh {weight}, all of subnet {subnetId} weigh {total}",
    "NoSha256": "this chain has no SHA-256 precompile: no court can stand on it",
    "NoContradiction": "the statements do not contradict each other: they are the same, or for two slots",
    "NoQuorum": "checkpoint {key} of subnet {subnetId} has no quorum",
    "NoSnapshot": "the weights of subnet {subnetId} were not taken down, or too long ago; call snapshot first",
    "NoSuchLeaf": "there is no leaf {position} among {count}",
    "NoSuchPosition": "there is no prime {prime} or no leaf {index}",
    "NobodySigned": "a vote needs at least one signer",
    "NotAContract": "there is no contract at {account}",
    "NotAboveParent": "height {height} is not above its parent's, {parentHeight}",
    "NotAnchor": "{caller} is not the anchor of subnet {subnetId}",
    "NotAscending": "validators must be named in the order of their addresses, each once: {account}",
    "NotBonded": "{proposer} has no bond in subnet {subnetId}",
    "NotCommitted": "validator {validator} committed to no such vote at height {height} of subnet {subnetId}",
    "NotComputing": "{account} is no computing operator of subnet {subnetId}; only those propose checkpoints",
    "NotFounder": "{caller} did not found subnet {subnetId}; only its founder may do this",
    "NotHeld": "no dispute is open against checkpoint {key} of subnet {subnetId}",
    "NotInTable": "signers {signers} are not all among the {validators} validators",
    "NotProposed": "{proposer} did not propose checkpoint {key} of subnet {subnetId}, or has proposed more since",
    "NotRegistered": "{account} is not registered in subnet {subnetId}",
    "NotThisRegistry": "subnet {subnetId} keeps its operators in another registry, {named}",
    "NotValidating": "{account} is no validator of subnet {subnetId}; only those attest",
    "NotVoting": "no vote is under way on checkpoint {key} at height {height} of subnet {subnetId}",
    "OtherSnapshotCounts": "votes at height {height} of subnet {subnetId} are weighed by snapshot {snapshotId}",
    "PathTooLong": "the path has {length} siblings, {needed} lead to the root",
    "PathTooShort": "{length} siblings do not lead to the root",
    "RevealsNotOpen": "votes for checkpoint {key} of subnet {subnetId} may be revealed from time {opensAt} on",
    "SubnetClosed": "subnet {subnetId} is not open yet",
    "SumIsRight": "the sum is right",
    "TooEarly": "this may be done from time {opensAt} on",
    "TooManyValidators": "{count} validators are more than {limit}",
    "UnknownCheckpoint": "there is no open checkpoint {key} in subnet {subnetId}",
    "UnknownOffence": "no offence {offence} stands",
    "UnknownParent": "parent {parent} is no checkpoint of subnet {subnetId} that the next one can build on",
    "UnknownSubnet": "there is no subnet {subnetId}",
    "UnknownTable": "that is not the table of snapshot {snapshotId} of subnet {subnetId}",
    "VotedAlready": "validators {again} have voted at height {height} of subnet {subnetId} already",
    "WindowClosed": "checkpoint {key} of subnet {subnetId} could be disputed until time {closedAt}",
    "WindowOpen": "checkpoint {key} of subnet {subnetId} may be disputed until time {closesAt}",
    "WrongBond": "the bond is {wanted} wei, not {sent}",
    "WrongCount": "{leaves} leaves for {contributors} contributors",
    "WrongRoot": "leaf {contributor} leads to root {actual}, not to {expected}",
    "WrongSigner": "signature {position} is of {actual}, not of {expected}",
    "ZeroHeader": "a checkpoint's header cannot be zero",
    **ECONOMY_WORDS,
    **JUSTICE_WORDS,
}
"""What each custom error of the contracts says to people."""


@dataclass(frozen=True, slots=True)
class Revert:
    """Why a contract refused.

    Attributes:
        name: the custom error's, "Error" for a message, "Panic" for a failed assertion, "" where there is no reason.
        words: for people.
    """

    name: str
    words: str


def revert(data: bytes) -> Revert:
    """Reads the data of a revert; whatever they are, there are words for them."""
    for name in CONTRACTS:
        entry = interface(name).errors.get(data[:4])
        if entry is not None:
            return _custom(entry, data)
    if not data:
        return Revert("", "the contract refused without a reason, or no such contract stands at this address")
    try:
        return _builtin(data)
    except AbiError:
        return Revert("", f"the contract refused with unknown data 0x{data[:36].hex()}")


def _custom(entry: Any, data: bytes) -> Revert:
    try:
        values = decode_error(entry, data)
    except AbiError as error:
        return Revert(entry["name"], str(error))
    shown = {key: _shown(value) for key, value in values.items()}
    if entry["name"] == "GovernorUnexpectedProposalState" and values["current"] < len(STATES):
        shown["current"] = STATES[values["current"]]
    return Revert(entry["name"], WORDS[entry["name"]].format(**shown))


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return _Number(value) if isinstance(value, int) and not isinstance(value, bool) else value


class _Number(int):
    """Its format `units` is that of an amount in whole coins or tokens."""

    def __format__(self, spec: str) -> str:
        if spec != "units":
            return int.__format__(self, spec)
        whole, rest = divmod(int(self), 10**18)
        return f"{whole}.{rest:018}".rstrip("0").rstrip(".")


def _builtin(data: bytes) -> Revert:
    for name, kind in (("Error", "string"), ("Panic", "uint256")):
        entry = {"type": "error", "name": name, "inputs": [{"name": "reason", "type": kind}]}
        if selector(entry) == data[:4]:
            return Revert(name, f"{name}: {decode_error(entry, data)['reason']}")
    raise AbiError("not one of Solidity's own errors")
