"""Typed bindings of the economy's contracts, as in `contracts.bindings`."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.abi import interface
from contracts.bindings import Contract, Transaction, View

ADMIN_ROLE = 0
"""Held by the DAO's timelock alone, once powers are handed over."""


def _int(value: int) -> int:
    return value


def _bytes(value: bytes) -> bytes:
    return value


class Authority(Contract):
    """See contracts/src/Authority.sol."""

    @staticmethod
    def deployment(admin: bytes) -> Transaction:
        return Transaction(b"", interface("Authority").deployment(admin))

    def grant_role(self, role: int, account: bytes) -> Transaction:
        return self._send("grantRole", role, account, 0)

    def renounce_role(self, role: int, account: bytes) -> Transaction:
        return self._send("renounceRole", role, account)

    def set_target_function_role(self, target: bytes, selectors: Sequence[bytes], role: int) -> Transaction:
        return self._send("setTargetFunctionRole", target, list(selectors), role)

    def role_of(self, target: bytes, selector: bytes) -> View[int]:
        """The role that a function of a contract needs."""
        return self._ask(_int, "getTargetFunctionRole", target, selector)

    def has_role(self, role: int, account: bytes) -> View[bool]:
        return self._ask(lambda member, _delay: bool(member), "hasRole", role, account)


class StakeVault(Contract):
    """See contracts/src/interfaces/IStakeVault.sol."""

    @staticmethod
    def deployment(asset: bytes, epoch_seconds: int, treasury: bytes, authority: bytes) -> Transaction:
        return Transaction(b"", interface("StakeVault").deployment(asset, epoch_seconds, treasury, authority))

    def deposit(self, operator: bytes, owner: bytes, assets: int, *, value: int = 0) -> Transaction:
        return self._send("deposit", operator, owner, assets, value=value)

    def request_exit(self, operator: bytes, shares: int) -> Transaction:
        return self._send("requestExit", operator, shares)

    def claim(self, operator: bytes, epoch: int, to: bytes) -> Transaction:
        return self._send("claim", operator, epoch, to)

    def sweep(self) -> Transaction:
        """Pays what was slashed to the treasury."""
        return self._send("sweep")

    def asset(self) -> View[bytes]:
        return self._ask(_bytes, "ASSET")

    def epoch_seconds(self) -> View[int]:
        return self._ask(_int, "EPOCH_SECONDS")

    def staked(self, operator: bytes) -> View[int]:
        return self._ask(_int, "staked", operator)

    def stake_of(self, operator: bytes, owner: bytes) -> View[tuple[int, int]]:
        """Shares, and the assets they are worth."""
        return self._ask(lambda shares, assets: (shares, assets), "stakeOf", operator, owner)

    def exit_of(self, operator: bytes, epoch: int, owner: bytes) -> View[int]:
        return self._ask(_int, "exitOf", operator, epoch, owner)

    def exit_epochs(self, operator: bytes, owner: bytes) -> View[tuple[int, ...]]:
        return self._ask(lambda epochs: tuple(epochs), "exitEpochs", operator, owner)

    def current_epoch(self) -> View[int]:
        return self._ask(_int, "currentEpoch")


class LocalStakeSource(Contract):
    """See contracts/src/interfaces/ILocalStakeSource.sol."""

    @staticmethod
    def deployment(vaults: Sequence[tuple[bytes, int]], authority: bytes) -> Transaction:
        """`vaults` with their weights, of 10^18."""
        return Transaction(b"", interface("LocalStakeSource").deployment(list(vaults), authority))

    def stake(self, operator: bytes) -> View[int]:
        return self._ask(_int, "stake", operator)

    def exit_delay(self) -> View[int]:
        return self._ask(_int, "exitDelay")

    def vaults(self) -> View[tuple[tuple[bytes, int], ...]]:
        return self._ask(lambda found: tuple((one[0], one[1]) for one in found), "vaults")


class EigenLayerStakeSource(Contract):
    """See contracts/src/interfaces/IEigenLayerStakeSource.sol."""

    @staticmethod
    def deployment(
        allocations: bytes, delegations: bytes, strategies: Sequence[tuple[bytes, int]], block_s: int, authority: bytes
    ) -> Transaction:
        """`strategies` with their weights, of 10^18; blocks of `block_s` seconds."""
        ordered = sorted(strategies)
        parts = [one[0] for one in ordered], [one[1] for one in ordered]
        made = interface("EigenLayerStakeSource").deployment(allocations, delegations, *parts, block_s, authority)
        return Transaction(b"", made)

    def enrol(self, metadata_uri: str) -> Transaction:
        return self._send("enrol", metadata_uri)

    def note(self, operator: bytes) -> Transaction:
        return self._send("note", operator)

    def stake(self, operator: bytes) -> View[int]:
        return self._ask(_int, "stake", operator)

    def slashable_stake(self, operator: bytes, when: int) -> View[int]:
        return self._ask(_int, "slashableStake", operator, when)

    def exit_delay(self) -> View[int]:
        return self._ask(_int, "exitDelay")

    def strategies(self) -> View[tuple[tuple[bytes, int], ...]]:
        """With their weights, of 10^18."""
        return self._ask(lambda found, weights: tuple(zip(found, weights, strict=True)), "strategies")
