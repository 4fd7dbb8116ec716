"""Who serves an epoch's committee: the n candidates with the lowest hash under the beacon."""

from __future__ import annotations

from collections.abc import Iterable

from protocols.errors import LocalError
from protocols.hashing import tagged
from protocols.types import PeerKey


def draw_committee(beacon: bytes, candidates: Iterable[PeerKey], size: int) -> tuple[PeerKey, ...]:
    """The committee in the order of its members' indices 1 to n (by hash; nobody can choose a beacon's order).

    Raises:
        LocalError: fewer candidates than members.
    """
    ranked = sorted(set(candidates), key=lambda peer: tagged("committee", beacon, peer))
    if len(ranked) < size:
        raise LocalError(f"a committee of {size} needs as many computing-power providers; {len(ranked)} are registered")
    return tuple(ranked[:size])
