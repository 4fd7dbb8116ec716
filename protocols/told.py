"""What the machines of one node and round tell each other: effects carry it out, events bring it in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from protocols.types import Digest
from protocols.verification.proofs import WrongSum
from protocols.wire.messages import CellResult, Contribution, ListCertificate


@dataclass(frozen=True, slots=True)
class Ready:
    """Told by custody: for which contributions this member holds the share and knows the ciphertexts available.

    Attributes:
        contributions: by cell.
        final: nothing more is waited for.
    """

    contributions: Mapping[int, frozenset[Contribution]]
    final: bool


@dataclass(frozen=True, slots=True)
class Available:
    """Told by a cell's opening: the manifests whose ciphertexts can be had, as far as this member knows.

    Each stripe of them is vouched for by both of its aggregators, or verified here.
    """

    cell: int
    manifests: frozenset[Digest]


@dataclass(frozen=True, slots=True)
class Certified:
    """Told by agreement: the list of this round stands."""

    certificate: ListCertificate


@dataclass(frozen=True, slots=True)
class CellOpened:
    """Told by a cell's opening: its result, and its lane sums unless it counts nothing."""

    result: CellResult
    lanes: npt.NDArray[np.int64] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Told by whoever finds it: this round cannot be completed, and why, for people."""

    reason: str


Told = Ready | Available | Certified | CellOpened | Shortfall | WrongSum
"""What machines of one node and round tell each other."""
