"""What the custom errors of dispute games and their verifiers say to people."""

from __future__ import annotations

from typing import Final

JUSTICE_WORDS: Final[dict[str, str]] = {
    "AlreadyReleased": "game {game} has paid already",
    "BadRules": "a game needs a bond, a treasury, time to prove, and an extension of at most its clock",
    "BadSteps": "{steps} steps: a computation has 1 to {limit}",
    "NotChallenger": "{caller} is not the challenger of game {game}",
    "NotDefender": "{caller} is not the proposer that game {game} challenges",
    "NotResolved": "game {game} is not resolved yet",
    "NotTimedOut": "who is to move in game {game} has until time {endsAt}",
    "NothingOwed": "{account} is owed nothing; a game's payout must be due and released first",
    "PayoutPending": "game {game} pays from time {dueAt} on",
    "StillStands": "the checkpoint of game {game} was not rejected; play on",
    "TimedOut": "the time for this move of game {game} was over at {endedAt}",
    "TooLittleWeight": "the validators that signed weigh {weight} of {total}, less than two thirds",
    "UnexpectedPayment": "{payer} sent {amount} wei that nobody owes",
    "WrongChallengeBond": "a challenge's bond is {wanted} wei, not {sent}",
    "WrongCheckpoint": "game {game} is about another checkpoint than {key}",
    "WrongPhase": "this move is not due in game {game}, or there is no such game (phase {phase})",
    "WrongState": "that is not the state which was committed for step {step} of game {game}",
}
