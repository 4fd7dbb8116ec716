"""Which contributors are summed together in an epoch, and who adds them."""

from __future__ import annotations

from collections.abc import Iterable

from protocols.errors import LocalError
from protocols.hashing import tagged
from protocols.params import CELL_MAX
from protocols.types import PeerKey

REPLICAS = 2
"""Aggregators of a cell: one honest one suffices for the sum, two that differ convict one of them."""


def draw_cells(beacon: bytes, peers: Iterable[PeerKey], cell_min: int) -> tuple[tuple[PeerKey, ...], ...]:
    """Deals the peers, in the beacon's order, over as many cells of at least `cell_min` as there can be.

    Every cell has cell_min <= m < 2 cell_min members, and at most CELL_MAX: of more peers the last in the beacon's
    order sit this epoch out. Members are sorted within their cell.

    Raises:
        LocalError: fewer peers than one cell needs.
    """
    ranked = sorted(set(peers), key=lambda peer: tagged("cell", beacon, peer))
    count = len(ranked) // cell_min
    if count == 0:
        raise LocalError(f"a cell needs {cell_min} data providers (k_min + d); {len(ranked)} are registered")
    ranked = ranked[: count * CELL_MAX]
    return tuple(tuple(sorted(ranked[cell::count])) for cell in range(count))


def draw_aggregators(beacon: bytes, height: int, cell: int, members: Iterable[PeerKey]) -> tuple[PeerKey, ...]:
    """The cell's two aggregators for a round, by rendezvous hashing (Thaler and Ravishankar, 1998)."""
    ranked = sorted(members, key=lambda peer: tagged("aggregator", beacon, height, cell, peer))
    return tuple(ranked[:REPLICAS])
