"""The frozen parameters of a subnet. Their digest is part of every protocol id, so peers with others never meet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Final

import msgpack

from protocols.errors import LocalError, MalformedError
from protocols.types import Digest

CELL_MAX: Final = 16
COMMITTEE_MAX: Final = 16
VALUE_BITS: Final = 16
"""Bits of one lane's value at most, sign included; a lane is wider by what a sum of CELL_MAX adds."""
MAX_ENCODED_BYTES: Final = 1024
SCHEMES: Final = ("one-time-key", "plaintext")


@dataclass(frozen=True, slots=True)
class Params:
    """Everything that all peers of a subnet must agree on before the first message.

    Attributes:
        preset: the name under which these parameters were chosen; they must reach what it claims (presets.py).
        scheme: `one-time-key`, or `plaintext` for comparison only.
        k_min: contributors without which no sum is ever opened.
        dropouts: members of a cell (d) that may vanish in a round.
        committee: members n of an epoch's committee.
        threshold: t, the votes for a certificate and the shares that open a sum.
        rounds_per_epoch: heights that one committee serves.
        anchor_every: A, a checkpoint is anchored on the chain every A heights.
        confirmations: c, blocks above a beacon block before it counts.
        epoch_timeout_s: after so many seconds of chain time without an anchor the next epoch begins all the same.
        grace_s: seconds that the committee waits for the rest once every cell has m - d contributions.
        submit_s, agree_s, open_s: seconds from a round's start by which contributions are in, from then by which a
            certificate stands, and from then by which the sums are opened; afterwards the round is abandoned.
        final_height: heights of the whole run; 0 for no end.
    """

    preset: str = "dev"
    scheme: str = "one-time-key"
    k_min: int = 5
    dropouts: int = 3
    committee: int = 7
    threshold: int = 5
    rounds_per_epoch: int = 5
    anchor_every: int = 1
    confirmations: int = 0
    epoch_timeout_s: int = 600
    grace_s: int = 5
    submit_s: int = 30
    agree_s: int = 15
    open_s: int = 30
    final_height: int = 0

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise LocalError(f"parameters: {problem}")

    def _problems(self) -> list[str]:
        checks = {
            f"scheme must be one of {', '.join(SCHEMES)}, not {self.scheme!r}": self.scheme in SCHEMES,
            f"k_min {self.k_min} must be at least 2: the sum of one update is that update": self.k_min >= 2,
            f"dropouts {self.dropouts} must not be negative": self.dropouts >= 0,
            f"k_min + dropouts is {self.k_min + self.dropouts}, but a cell has at most {CELL_MAX} peers": (
                self.k_min + self.dropouts <= CELL_MAX
            ),
            f"committee {self.committee} must be 1 to {COMMITTEE_MAX}": 1 <= self.committee <= COMMITTEE_MAX,
            f"threshold {self.threshold} exceeds the committee of {self.committee}": self.threshold <= self.committee,
            f"threshold {self.threshold} of {self.committee} lets a minority certify; take more than half": (
                2 * self.threshold > self.committee
            ),
            "rounds_per_epoch and anchor_every must be at least 1": min(self.rounds_per_epoch, self.anchor_every) >= 1,
            f"anchor_every {self.anchor_every} may leave half an epoch of {self.rounds_per_epoch} rounds without a "
            "checkpoint on the chain, from which the next epoch follows": (
                2 * self.anchor_every <= self.rounds_per_epoch + 1
            ),
            "deadlines must be at least 1 second": min(
                self.grace_s, self.submit_s, self.agree_s, self.open_s, self.epoch_timeout_s
            )
            >= 1,
            "confirmations and final_height must not be negative": min(self.confirmations, self.final_height) >= 0,
        }
        return [problem for problem, holds in checks.items() if not holds]

    @property
    def cell_min(self) -> int:
        """Members that a cell needs at an epoch's start: k_min + d."""
        return self.k_min + self.dropouts

    @property
    def liars(self) -> int:
        """Members x that may lie without forking an agreement into two: the largest x with t > (n + x) / 2."""
        return 2 * self.threshold - self.committee - 1

    def quorum(self, members: int) -> int:
        """Contributors without whom a cell of so many members is not opened: at least m - d and at least k_min."""
        return max(self.k_min, members - self.dropouts)

    def encode(self) -> bytes:
        """Canonical bytes: a msgpack array of the fields in order."""
        packed: bytes = msgpack.packb([getattr(self, field.name) for field in fields(self)])
        return packed

    @property
    def digest(self) -> Digest:
        """SHA-256 of `encode()`."""
        return Digest(hashlib.sha256(self.encode()).digest())

    def with_(self, **changes: object) -> Params:
        """A copy with some fields changed, checked again."""
        return replace(self, **changes)  # type: ignore[arg-type]  # dataclasses.replace is untyped for **kwargs

    def anchored(self, height: int) -> bool:
        """Whether the checkpoint of a height goes on the chain by itself: every A-th one, and the last."""
        return (height + 1) % self.anchor_every == 0 or height == self.final_height - 1

    def epoch(self, height: int) -> int:
        """The epoch that a height belongs to."""
        return height // self.rounds_per_epoch


def decode_params(data: bytes) -> Params:
    """Inverse of `Params.encode`.

    Raises:
        MalformedError: not the canonical encoding of valid parameters.
    """
    try:
        values = msgpack.unpackb(data[:MAX_ENCODED_BYTES])
        wanted = [type(field.default) for field in fields(Params)]
        if [type(value) for value in values] != wanted:
            raise MalformedError("parameters: wrong number or types of fields")
        params = Params(*values)
    except (ValueError, TypeError, LocalError, msgpack.exceptions.UnpackException) as error:
        raise MalformedError(f"parameters cannot be read: {error}") from error
    if params.encode() != data:
        raise MalformedError("parameters: not in canonical encoding")
    return params
