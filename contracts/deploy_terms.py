"""What is fixed for good when the contracts are deployed, and which of it is unsafe where strangers have money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.deploy_dao import Dao
from contracts.deploy_justice import Justice
from contracts.games import GameRules

DAY_S: Final = 86400
TURN_S: Final = 600
"""How long anybody has at least for what must not be missed: a block producer holds transactions back for minutes."""
DEV_CLIENTS: Final = ("2pm-devchain/", "anvil/", "hardhatnetwork/")
"""How dev chains begin to answer `web3_clientVersion`."""
GAME_ROUNDS: Final = 20
"""`DisputeGame.MAX_ROUNDS`."""


@dataclass(frozen=True, slots=True)
class Economics(Justice):
    """By name, since `Justice` has its terms before these. The defaults are for a dev chain, where nobody waits.

    Attributes:
        min_stake_wei: the least stake.
        exit_delay_s: for how many seconds at least (twice as many at most) a stake can be slashed after its owner asked
            for it back.
        bond_wei: what a proposer of checkpoints puts down.
        commit_s: seconds for which validators commit to their votes before any is revealed.
        challenge_s: seconds for which a checkpoint may be disputed.
        snapshot_s: seconds for which the validators' weights are good for new votes once taken down.
    """

    min_stake_wei: int = 10**18
    exit_delay_s: int = 600
    bond_wei: int = 10**16
    commit_s: int = 3
    challenge_s: int = 6
    snapshot_s: int = 300


LIVE: Final = Economics(
    slash_epoch_s=DAY_S,
    veto_s=7 * DAY_S,
    games=GameRules(10**17, 3600, TURN_S, 3600, 7 * DAY_S, 5 * 10**17),
    exit_delay_s=14 * DAY_S,
    bond_wei=10**17,
    commit_s=TURN_S,
    challenge_s=DAY_S,
    snapshot_s=3600,
)
"""For any other chain. A vote of the DAO ends within a veto and before a payout; a stake outlasts it all."""


def longest_game_s(games: GameRules) -> int:
    """As `DisputeGame.longest`."""
    return 2 * games.clock_s + (2 * GAME_ROUNDS - 1) * games.extension_s + games.prove_s + 1


def longest_sentence_s(economics: Economics) -> int:
    """How long after its proposal a false checkpoint is slashed at the latest; `SubnetRegistry` adds a second."""
    games = longest_game_s(economics.games)
    return economics.challenge_s + games + economics.slash_epoch_s + economics.veto_s


def unsafe(economics: Economics, dao: Dao | None) -> list[str]:
    """What nobody should deploy where strangers have money, and why; a line each, empty if all is well."""
    games = economics.games
    short = {
        "commit_s": economics.commit_s,
        "challenge_s": economics.challenge_s,
        "games.clock_s": games.clock_s,
        "games.extension_s": games.extension_s,
        "games.prove_s": games.prove_s,
    }
    found = [
        f"{name} is {seconds} s: less than {TURN_S} s can be missed"
        for name, seconds in short.items()
        if seconds < TURN_S
    ]
    needed = longest_sentence_s(economics)
    if economics.exit_delay_s <= needed:
        found.append(f"exit_delay_s is {economics.exit_delay_s} s: a dispute and its sentence take up to {needed} s")
    if dao is None:
        return found
    vote = dao.rules.voting_delay + dao.rules.voting_period + dao.lock_s
    for name, seconds in {"games.payout_s": games.payout_s, "veto_s": economics.veto_s}.items():
        if seconds <= vote:
            found.append(f"{name} is {seconds} s: the DAO needs {vote} s to annul or veto")
    return found
