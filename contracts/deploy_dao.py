"""The DAO over a deployment: tokens, timelock, governor, rewards, royalties, datasets; it gets all powers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from eth_utils.crypto import keccak

from contracts.abi import function_selector
from contracts.bindings import Transaction
from contracts.dao import (
    DatasetRegistry,
    DMPToken,
    RewardDistributor,
    RoyaltyVault,
    Rules,
    SubnetGovernor,
    TwoPMToken,
)
from contracts.dao import Timelock as TimelockContract
from contracts.economy import ADMIN_ROLE, Authority, StakeVault

GOVERNOR: Final = 2
"""The role of the governor: it founds subnets, burns what backs them and gives backers their shares."""
GUARDIAN: Final = 3
"""The role of who may disable a root of rewards or royalty shares within its activation delay."""
GOVERNOR_MAY: Final = (
    ("subnets", "SubnetRegistry", ("found",)),
    ("dmp", "DMPToken", ("burn",)),
    ("royalties", "RoyaltyVault", ("open", "giveReserved")),
)
GUARDIAN_MAY: Final = (
    ("rewards", "RewardDistributor", ("disableRoot",)),
    ("royalties", "RoyaltyVault", ("disableRoot",)),
)


@dataclass(frozen=True, slots=True)
class Dao:
    """How the DAO is set up.

    Attributes:
        supply: of $2PM, all to the deployer, in the smallest unit (10^-18).
        token_weight: what one $2PM of stake counts, of 10^18 (the native coin counts 10^18).
        lock_s: between a vote and its execution, seconds.
        exit_s: between leaving the DAO and getting the stake back, seconds.
        activation_s: between posting a root and the first claim by it, seconds.
        guardian: 20 bytes; zero leaves its power to the timelock.
        rules: how it votes.
    """

    supply: int = 10**27
    token_weight: int = 10**16
    lock_s: int = 2 * 86400
    exit_s: int = 7 * 86400
    activation_s: int = 86400
    guardian: bytes = bytes(20)
    rules: Rules = field(default_factory=Rules)


class Steps(Protocol):
    """What a deployer does, each step once however often it is run."""

    def contract(self, name: str, transaction: Callable[[], Transaction]) -> bytes:
        """The address of a contract, deployed now if need be."""

    def call(self, name: str, transaction: Transaction) -> None:
        """Makes a call that sets something up."""


def timelock(steps: Steps, dao: Dao, me: bytes) -> bytes:
    """The DAO's hand and treasury; `me` sets it up and then gives it away."""
    return steps.contract("timelock", lambda: TimelockContract.deployment(dao.lock_s, me))


def token(steps: Steps, dao: Dao, me: bytes) -> bytes:
    """$2PM, all of it the deployer's."""
    return steps.contract("token", lambda: TwoPMToken.deployment(me, dao.supply))


def token_vault(steps: Steps, dao: Dao, me: bytes, epoch_s: int, treasury: bytes, authority: bytes) -> bytes:
    """$2PM, and the vault for stakes in it."""
    asset = token(steps, dao, me)
    return steps.contract("token_vault", lambda: StakeVault.deployment(asset, epoch_s, treasury, authority))


def found_dao(steps: Steps, dao: Dao, me: bytes, made: dict[str, bytes]) -> dict[str, bytes]:
    """Deploys the rest and hands all powers over.

    Args:
        steps: the deployer.
        dao: the set-up.
        me: the deployer's address, which has no power afterwards.
        made: addresses of "authority", "timelock", "token" and "subnets".

    Returns:
        All addresses by name.
    """
    asset, subnets, lock, authority = (made[name] for name in ("token", "subnets", "timelock", "authority"))
    more = dict(made)
    more["dmp"] = steps.contract("dmp", lambda: DMPToken.deployment(asset, dao.exit_s, authority))
    more["rewards"] = steps.contract(
        "rewards", lambda: RewardDistributor.deployment(asset, subnets, dao.activation_s, lock, authority)
    )
    more["royalties"] = steps.contract(
        "royalties",
        lambda: RoyaltyVault.deployment(asset, more["rewards"], subnets, dao.activation_s, authority),
    )
    more["datasets"] = steps.contract("datasets", lambda: DatasetRegistry.deployment(subnets))
    more["governor"] = steps.contract(
        "governor", lambda: SubnetGovernor.deployment(more["dmp"], lock, subnets, more["royalties"], dao.rules)
    )
    _hand_over(steps, dao, me, more)
    return more


def _hand_over(steps: Steps, dao: Dao, me: bytes, made: dict[str, bytes]) -> None:
    powers, lock = Authority(made["authority"]), TimelockContract(made["timelock"])
    _allow(steps, powers, made, GOVERNOR, GOVERNOR_MAY)
    steps.call("governor's role", powers.grant_role(GOVERNOR, made["governor"]))
    if dao.guardian != bytes(20):
        _allow(steps, powers, made, GUARDIAN, GUARDIAN_MAY)
        steps.call("guardian's role", powers.grant_role(GUARDIAN, dao.guardian))
    for role in ("PROPOSER_ROLE", "CANCELLER_ROLE"):
        steps.call(f"governor: {role}", lock.grant_role(keccak(text=role), made["governor"]))
    steps.call("anyone: EXECUTOR_ROLE", lock.grant_role(keccak(text="EXECUTOR_ROLE"), bytes(20)))
    steps.call("timelock is admin", powers.grant_role(ADMIN_ROLE, made["timelock"]))
    steps.call("deployer gives the timelock away", lock.renounce_role(bytes(32), me))
    steps.call("deployer gives its powers away", powers.renounce_role(ADMIN_ROLE, me))


def _allow(
    steps: Steps,
    powers: Authority,
    made: dict[str, bytes],
    role: int,
    table: tuple[tuple[str, str, tuple[str, ...]], ...],
) -> None:
    for name, contract, functions in table:
        selectors = [function_selector(contract, function) for function in functions]
        steps.call(
            f"role {role}: {name} {', '.join(functions)}",
            powers.set_target_function_role(made[name], selectors, role),
        )
