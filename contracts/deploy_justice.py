"""Courts, slashing and dispute games over a deployment, and which of them may do what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from contracts.abi import function_selector
from contracts.bindings import Transaction
from contracts.economy import Authority
from contracts.games import DisputeGame, GameRules, QuorumStep
from contracts.justice import Court, DealingCourt, SlashingManager

ONE: Final = 10**18
COURT: Final = 4
"""The role of courts and dispute games: what they report is slashed, unless the DAO vetoes it."""
SOURCE_SLASHER: Final = 5
"""The role of the slashing manager: it alone slashes the stake source."""
DISPUTES: Final = 6
"""The role of the dispute games: they alone hold and settle checkpoints."""


@dataclass(frozen=True, slots=True)
class Justice:
    """What offences and disputes cost and how long they take; fixed for good.

    Attributes:
        slash_epoch_s, veto_s: seconds over which offences are gathered, and for which they may be vetoed then.
        slash_cap, equivocation, wrong_sum, bad_dealing: shares of a stake, of 10^18: the most an epoch costs, and what
            offences do.
        games: rules of dispute games. The DAO can annul a payout only if `payout_s` is longer than its vote and lock.
    """

    slash_epoch_s: int = 120
    veto_s: int = 120
    slash_cap: int = ONE
    equivocation: int = ONE // 2
    wrong_sum: int = ONE // 2
    bad_dealing: int = ONE // 2
    games: GameRules = field(default_factory=lambda: GameRules(10**16, 40, 5, 40, 60, ONE // 2))


class Steps(Protocol):
    """What a deployer does, each step once however often it is run."""

    def contract(self, name: str, transaction: Callable[[], Transaction]) -> bytes:
        """The address of a contract, deployed now if need be."""

    def call(self, name: str, transaction: Transaction) -> None:
        """Makes a call that sets something up."""


def deploy_justice(steps: Steps, justice: Justice, treasury: bytes, made: dict[str, bytes]) -> bytes:
    """Deploys slashing manager, court and dispute game, and gives them their powers; returns the court.

    Args:
        steps: the deployer.
        justice: the terms.
        treasury: who gets half of each lost bond.
        made: addresses of "authority", "subnets", "source", "anchor"; of "anchor_bn254" where votes may be aggregated.
    """
    authority, subnets, source = made["authority"], made["subnets"], made["source"]
    times = justice.slash_epoch_s, justice.veto_s
    slashing = steps.contract(
        "slashing", lambda: SlashingManager.deployment(subnets, *times, justice.slash_cap, authority)
    )
    court = steps.contract(
        "court", lambda: Court.deployment(subnets, slashing, justice.equivocation, justice.wrong_sum)
    )
    dealings = steps.contract("dealing_court", lambda: DealingCourt.deployment(subnets, slashing, justice.bad_dealing))
    verifier = steps.contract("step", lambda: QuorumStep.deployment(subnets))
    disputes = steps.contract(
        "disputes",
        lambda: DisputeGame.deployment(subnets, slashing, verifier, treasury, justice.games, authority),
    )
    powers = Authority(authority)
    for role, target, contract, functions, who in (
        (COURT, slashing, "SlashingManager", ("report",), court),
        (SOURCE_SLASHER, source, "LocalStakeSource", ("slash",), slashing),
        (DISPUTES, made["anchor"], "CheckpointAnchor", ("hold", "settle"), disputes),
    ):
        selectors = [function_selector(contract, function) for function in functions]
        steps.call(f"role {role} may", powers.set_target_function_role(target, selectors, role))
        steps.call(f"role {role} is held", powers.grant_role(role, who))
    steps.call(f"role {COURT} is held by disputes", powers.grant_role(COURT, disputes))
    steps.call(f"role {COURT} is held by the court of dealings", powers.grant_role(COURT, dealings))
    if "anchor_bn254" in made:
        selectors = [function_selector("CheckpointAnchor", function) for function in ("hold", "settle")]
        call = powers.set_target_function_role(made["anchor_bn254"], selectors, DISPUTES)
        steps.call(f"role {DISPUTES} may at the anchor of aggregated votes", call)
    return court
