"""What the errors of dispute games, their verifiers, aggregated votes and the court of dealings say to people."""

from __future__ import annotations

from typing import Final

JUSTICE_WORDS: Final[dict[str, str]] = {
    "AlreadyKeyed": "{account} has a key already; one that lost it votes by another account",
    "AlreadyReleased": "game {game} has paid already",
    "BadDegree": "polynomials of {length} bytes do not fit a threshold of {threshold}",
    "BadPossession": "{account} did not prove that it knows this key, or its halves differ",
    "BadRules": "a game needs a bond, a treasury, time to prove, and an extension of at most its clock",
    "BadSignature": "the signers did not sign this, or the keys' sum is not theirs",
    "BadSteps": "{steps} steps: a computation has 1 to {limit}",
    "NoKey": "{account} has registered no key for aggregated votes",
    "NoPoint": "no point of the curve follows from {message}",
    "NoSuchCombination": "there are combinations 0 to 8, not {combination}",
    "NoSuchMember": "there is no member {member} among {members}",
    "NotChallenger": "{caller} is not the challenger of game {game}",
    "NotDefender": "{caller} is not the proposer that game {game} challenges",
    "NotResolved": "game {game} is not resolved yet",
    "NotTimedOut": "who is to move in game {game} has until time {endsAt}",
    "NothingOwed": "{account} is owed nothing; a game's payout must be due and released first",
    "OpeningMisfits": "that is not the opening of what was sealed to member {member}",
    "PayoutPending": "game {game} pays from time {dueAt} on",
    "PrecompileFailed": "the chain has no precompile {precompile} for BN254, or was given no point",
    "ShareIsRight": "the share of member {member} is right in combination {combination}",
    "StillStands": "the checkpoint of game {game} was not rejected; play on",
    "TimedOut": "the time for this move of game {game} was over at {endedAt}",
    "TooLittleWeight": "the validators that signed weigh {weight} of {total}, less than two thirds",
    "UnexpectedPayment": "{payer} sent {amount} wei that nobody owes",
    "WrongChallengeBond": "a challenge's bond is {wanted} wei, not {sent}",
    "WrongCheckpoint": "game {game} is about another checkpoint than {key}",
    "WrongPhase": "this move is not due in game {game}, or there is no such game (phase {phase})",
    "WrongSealedShare": "the dealer stated another sealed share of member {member}: {expected}, not {actual}",
    "WrongState": "that is not the state which was committed for step {step} of game {game}",
}
