"""The total of a round: the lane sums of all opened cells and how many contributions they hold, as one blob."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from protocols.encryption.scheme import Lanes
from protocols.errors import MalformedError
from protocols.types import Digest
from protocols.updates.pieces import blob_digest


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """Sums over all contributors of all counted cells.

    Attributes:
        lanes: int64[lanes]; at most 512 cells of 16 contributors, so every sum fits in 32 bits.
        contributors: how many updates were added.
    """

    lanes: Lanes
    contributors: int


def add_cells(cells: Iterable[tuple[Lanes, int]]) -> bytes:
    """Canonical bytes of the total: contributors as u32 BE, then each lane sum as int32 LE."""
    opened = list(cells)
    lanes = reduce(np.add, (lanes for lanes, _ in opened))
    contributors = sum(count for _, count in opened)
    assert -(2**31) < lanes.min(initial=0) <= lanes.max(initial=0) < 2**31
    return b"".join([contributors.to_bytes(4, "big"), lanes.astype("<i4").data])


def total_of(lanes: Lanes, contributors: int) -> tuple[bytes, Digest]:
    """The job: a total's bytes, and the digest that names them."""
    total = add_cells([(lanes, contributors)])
    return total, blob_digest(total)


def decode_total(data: bytes, lanes: int) -> Total:
    """Inverse of `add_cells`.

    Raises:
        MalformedError: not the length of an update of so many lanes, or no contributors.
    """
    if len(data) != 4 + 4 * lanes or data[:4] == bytes(4):
        raise MalformedError(
            f"a total of {lanes} lanes has {4 + 4 * lanes} bytes and contributors; this has {len(data)}"
        )
    return Total(np.frombuffer(data, "<i4", offset=4).astype(np.int64), int.from_bytes(data[:4], "big"))
