"""The rule on which privacy stands: for one (epoch, height, cell) a member releases for one set of k_min or more.

Two sets that differ by one contributor would open its update (protocol.md, Release).
"""

from __future__ import annotations

from collections.abc import Iterable

from protocols.effects import Journal
from protocols.errors import RemoteError
from protocols.hashing import tagged
from protocols.rounds.epoch import EpochView
from protocols.types import Digest, Height
from protocols.wire.codec import encode
from protocols.wire.messages import CellSet

KIND = "release"


def set_digest(cell_set: CellSet) -> Digest:
    """How a release names the set that it opens."""
    return tagged("cell-set", encode(cell_set))


class ReleaseRule:
    """Remembers every release of this member, from the journal on."""

    def __init__(self, k_min: int, journal: Iterable[Journal] = ()) -> None:
        self._k_min = k_min
        self._released: dict[tuple[int, bytes], bytes] = {
            (record.height, record.slot): record.payload for record in journal if record.kind == KIND
        }

    def permit(self, height: Height, cell_set: CellSet) -> Journal:
        """What must be journalled before the release is sent; the same for the same set again.

        Raises:
            RemoteError: fewer contributors than k_min, one twice, or another set than the one released before.
        """
        contributors = {contribution.contributor for contribution in cell_set.contributions}
        if len(contributors) != len(cell_set.contributions):
            raise RemoteError(f"cell {cell_set.cell}: a contributor stands twice in the set")
        if len(contributors) < self._k_min:
            raise RemoteError(
                f"cell {cell_set.cell}: a sum of {len(contributors)} is never opened; k_min {self._k_min}"
            )
        slot, digest = cell_set.cell.to_bytes(2, "big"), set_digest(cell_set)
        if self._released.setdefault((height, slot), digest) != digest:
            raise RemoteError(f"cell {cell_set.cell}: this member has released for another set in round {height}")
        return Journal(KIND, height, slot, digest)


class WrongShares:
    """Which members certainly released a wrong share: nothing of theirs is opened with for the rest of that epoch.

    Honest ones never do: they take no share that lies off its dealing's polynomials.
    """

    def __init__(self) -> None:
        self._found: set[tuple[int, int]] = set()

    def note(self, epoch: int, members: Iterable[int]) -> None:
        """These members' shares misfit every explanation of a summed key that proved itself."""
        self._found = {each for each in self._found if each[0] >= epoch - 1} | {(epoch, member) for member in members}

    def excluded(self, view: EpochView) -> frozenset[int]:
        """The members whose shares are passed over; none if too few were left to open anything."""
        found = frozenset(member for epoch, member in self._found if epoch == view.epoch)
        return found if len(view.committee) - len(found) >= view.params.threshold else frozenset()
