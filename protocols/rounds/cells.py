"""Which contributors are summed together in an epoch, and who adds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocols.errors import LocalError
from protocols.hashing import tagged
from protocols.params import CELL_MAX
from protocols.types import PeerKey

REPLICAS: Final = 2
"""Aggregators of a stripe: one honest one suffices for the sum, two that differ convict one of them."""
STRIPE: Final = 16
"""Successive ciphertext indices that share their aggregators: 0.75 MB, what one request for blobs brings.

A small model is one stripe, so that it costs no more messages than two aggregators send.
"""


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


def stripes(chunks: int) -> range:
    """The stripes of an update of so many ciphertexts."""
    return range(-(-chunks // STRIPE))


def indices(stripe: int, chunks: int) -> range:
    """The ciphertext indices of a stripe; the last one may be short."""
    return range(stripe * STRIPE, min(chunks, (stripe + 1) * STRIPE))


def draw_aggregators(
    beacon: bytes, height: int, cell: int, stripe: int, members: Iterable[PeerKey]
) -> tuple[PeerKey, ...]:
    """The two members that add a stripe in a round, by rendezvous hashing (Thaler and Ravishankar, 1998)."""
    ranked = sorted(members, key=lambda peer: tagged("aggregator", beacon, height, cell, stripe, peer))
    return tuple(ranked[:REPLICAS])
