"""Which stake secures a deployment's subnets: our own vaults, or what is restaked in EigenLayer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from eth_utils.crypto import keccak

from contracts.abi import function_selector
from contracts.bindings import Transaction
from contracts.economy import Authority, EigenLayerStakeSource, LocalStakeSource

VAULT_SLASHER: Final = 1
"""The role of the stake source: it alone slashes vaults."""
STRATEGIES_MAX: Final = 32
"""More would make every count of a stake dear."""
ADDRESS_BYTES: Final = 20


@dataclass(frozen=True, slots=True)
class EigenLayer:
    """EigenLayer's core contracts on the chain, and what of their stake counts; addresses of 20 bytes.

    Attributes:
        strategies: with what one share of each weighs, of 10^18.
        block_s: seconds between blocks: EigenLayer's delays are in blocks.
        metadata_uri: where this AVS is described.
    """

    allocations: bytes
    delegations: bytes
    strategies: tuple[tuple[bytes, int], ...]
    block_s: int = 12
    metadata_uri: str = ""


class Steps(Protocol):
    """What a deployer does, each step once however often it is run."""

    def contract(self, name: str, transaction: Callable[[], Transaction]) -> bytes:
        """The address of a contract, deployed now if need be."""

    def call(self, name: str, transaction: Transaction) -> None:
        """Makes a call that sets something up."""


def local_source(steps: Steps, vaults: dict[bytes, int], authority: bytes) -> bytes:
    """A source over our own vaults, with their weights, which it alone may slash."""
    source = steps.contract("source", lambda: LocalStakeSource.deployment(list(vaults.items()), authority))
    powers, selectors = Authority(authority), [function_selector("StakeVault", "slash")]
    steps.call("source may slash", powers.grant_role(VAULT_SLASHER, source))
    for number, vault in enumerate(vaults):
        steps.call(f"vault {number} is slashed by", powers.set_target_function_role(vault, selectors, VAULT_SLASHER))
    return source


def eigenlayer_source(steps: Steps, eigenlayer: EigenLayer, authority: bytes) -> bytes:
    """A source over EigenLayer's stake, enrolled there as an AVS with its operator set."""
    terms = eigenlayer.allocations, eigenlayer.delegations, eigenlayer.strategies, eigenlayer.block_s, authority
    source = steps.contract("source", lambda: EigenLayerStakeSource.deployment(*terms))
    steps.call("source is enrolled in EigenLayer", EigenLayerStakeSource(source).enrol(eigenlayer.metadata_uri))
    return source


def exit_delay_s(eigenlayer: EigenLayer, ask: Callable[[bytes, bytes], int]) -> int:
    """For how long EigenLayer's stake stays slashable at least; `ask` calls a contract with data for a number."""
    deallocation = ask(eigenlayer.allocations, keccak(text="DEALLOCATION_DELAY()")[:4])
    withdrawal = ask(eigenlayer.delegations, keccak(text="minWithdrawalDelayBlocks()")[:4])
    return min(deallocation, withdrawal) * eigenlayer.block_s


def read_eigenlayer(path: Path) -> EigenLayer:
    """Reads a JSON file: allocation_manager, delegation_manager, strategies (address to weight), block_s, metadata_uri.

    Raises:
        ValueError: naming what is missing or wrong.
    """
    try:
        said = json.loads(path.read_text())
        unknown = said.keys() - {"allocation_manager", "delegation_manager", "strategies", "block_s", "metadata_uri"}
        if unknown:
            raise ValueError(f"unknown {', '.join(sorted(unknown))}")
        strategies = tuple((_address(where), _positive(weight)) for where, weight in said["strategies"].items())
        found = EigenLayer(
            _address(said["allocation_manager"]),
            _address(said["delegation_manager"]),
            strategies,
            _positive(said.get("block_s", 12)),
            str(said.get("metadata_uri", "")),
        )
    except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} does not describe EigenLayer on this chain: {error!r}") from error
    if not 0 < len({where for where, _ in strategies}) == len(strategies) <= STRATEGIES_MAX:
        raise ValueError(f"{path} names {len(strategies)} strategies; 1 to {STRATEGIES_MAX} are needed, each once")
    return found


def _address(text: Any) -> bytes:
    found = bytes.fromhex(str(text).removeprefix("0x"))
    if len(found) != ADDRESS_BYTES:
        raise ValueError(f"{text!r} is no address")
    return found


def _positive(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**48 * 10**18:
        raise ValueError(f"{number!r} is no positive number")
    return number
