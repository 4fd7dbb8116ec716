"""Bindings of what finds and punishes offences: the court and the slashing manager."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from contracts.abi import interface
from contracts.bindings import Contract, Transaction, View

Stated = tuple[int, int, int, int, int, bytes]
"""A statement's fields: kind, subnet, epoch, height, place, value."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What an aggregator stated; see ICourt.sol."""

    subnet_id: int
    epoch: int
    height: int
    cell: int
    chunks: int
    roots: tuple[bytes, ...]
    summed: int
    sum_root: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Which leaf; see ICourt.sol."""

    chunk: int
    prime: int
    index: int
    summed_at: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """64 residues, and the siblings up to the root. Raises `ValueError` unless the residues have 512 bytes."""

    residues: bytes
    path: tuple[bytes, ...]

    def encoded(self) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
        """As the contract takes it."""
        if len(self.residues) != 512:
            raise ValueError(f"a leaf has 512 bytes of residues, not {len(self.residues)}")
        return tuple(self.residues[start : start + 32] for start in range(0, 512, 32)), self.path


@dataclass(frozen=True, slots=True)
class Sentence:
    share: int
    when: int
    executed: bool


@dataclass(frozen=True, slots=True)
class Offence:
    operator: bytes
    share: int
    epoch: int
    vetoed: bool
    source: bytes


def wrong_sum_offence(subnet_id: int, operator: bytes, height: int, cell: int) -> bytes:
    """The name under which the court reports a wrong sum."""
    return keccak(
        encode(["string", "uint256", "address", "uint64", "uint64"], ("wrong sum", subnet_id, operator, height, cell))
    )


def equivocation_offence(subnet_id: int, operator: bytes, kind: int, height: int, place: int) -> bytes:
    """The name under which the court reports two statements for one slot."""
    types = ["string", "uint256", "address", "uint8", "uint64", "uint64"]
    return keccak(encode(types, ("equivocation", subnet_id, operator, kind, height, place)))


class Court(Contract):
    """See contracts/src/interfaces/ICourt.sol. Signatures have 64 bytes (EIP-2098)."""

    @staticmethod
    def deployment(subnets: bytes, slashing: bytes, equivocation_share: int, wrong_sum_share: int) -> Transaction:
        data = interface("Court").deployment(subnets, slashing, equivocation_share, wrong_sum_share)
        return Transaction(b"", data)

    def equivocation(self, one: Stated, signature: bytes, other: Stated, another: bytes) -> Transaction:
        return self._send("equivocation", one, _words(signature), other, _words(another))

    def wrong_sum(
        self, stated: Sum, signature: bytes, position: Position, contributions: Sequence[Leaf], result: Leaf
    ) -> Transaction:
        leaves = [leaf.encoded() for leaf in contributions]
        where = astuple(position)
        return self._send("wrongSum", astuple(stated), _words(signature), where, leaves, result.encoded())

    def slashing(self) -> View[bytes]:
        """Where it reports to."""
        return self._ask(bytes, "SLASHING")


@dataclass(frozen=True, slots=True)
class DealingStated:
    """What a dealer stated; see IDealingCourt.sol."""

    subnet_id: int
    epoch: int
    height: int
    cell: int
    threshold: int
    challenge: bytes
    shares: tuple[bytes, ...]
    degree: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A sealed share and what opens it; see IDealingCourt.sol. Members count from 1, combinations from 0."""

    member: int
    combination: int
    context: bytes
    opening: bytes
    sealed: bytes


class DealingCourt(Contract):
    """See contracts/src/interfaces/IDealingCourt.sol."""

    @staticmethod
    def deployment(subnets: bytes, slashing: bytes, bad_dealing_share: int) -> Transaction:
        return Transaction(b"", interface("DealingCourt").deployment(subnets, slashing, bad_dealing_share))

    def bad_dealing(self, stated: DealingStated, signature: bytes, opened: Opened) -> Transaction:
        return self._send("badDealing", astuple(stated), _words(signature), astuple(opened))


class SlashingManager(Contract):
    """See contracts/src/interfaces/ISlashingManager.sol. Shares are of 10^18."""

    @staticmethod
    def deployment(subnets: bytes, epoch_seconds: int, veto_seconds: int, cap: int, authority: bytes) -> Transaction:
        data = interface("SlashingManager").deployment(subnets, epoch_seconds, veto_seconds, cap, authority)
        return Transaction(b"", data)

    def veto(self, offence: bytes) -> Transaction:
        return self._send("veto", offence)

    def execute(self, source: bytes, operator: bytes, epoch: int) -> Transaction:
        return self._send("execute", source, operator, epoch)

    def offence_of(self, offence: bytes) -> View[Offence]:
        """Zeros if nothing of this name was reported."""
        return self._ask(lambda values: Offence(*values), "offenceOf", offence)

    def epoch_seconds(self) -> View[int]:
        return self._ask(int, "EPOCH_SECONDS")

    def veto_seconds(self) -> View[int]:
        return self._ask(int, "VETO_SECONDS")

    def sentence_of(self, source: bytes, operator: bytes, epoch: int) -> View[Sentence]:
        return self._ask(lambda values: Sentence(*values), "sentenceOf", source, operator, epoch)


def _words(signature: bytes) -> tuple[bytes, bytes]:
    return signature[:32], signature[32:]
