"""Which lists may be voted for: what the list itself says, what a member holds, and what must not be left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from protocols.rounds.epoch import EpochView
from protocols.types import Digest, Height
from protocols.wire.messages import CellSet, Contribution, SetList

Held = Mapping[int, frozenset[Contribution]]
"""By cell: contributions of which a member holds the share and knows the ciphertexts available."""


def is_well_formed(sets: SetList, view: EpochView, height: Height) -> bool:
    """What can be told from the list alone: this round, cells in order, sets that may be opened."""
    cells = [cell_set.cell for cell_set in sets.cells]
    return sets.slot == view.slot(height) and cells == sorted(set(cells)) and all(map(view.admits, sets.cells))


def lacking(sets: SetList, held: Held) -> frozenset[Digest]:
    """Manifests in the list that this member does not hold."""
    return frozenset(
        each.manifest
        for cell_set in sets.cells
        for each in cell_set.contributions
        if each not in held.get(cell_set.cell, frozenset())
    )


def leaves_out(sets: SetList, due: Held, view: EpochView) -> bool:
    """Whether a contribution that is due is missing: of a cell in the list, or of one that has its quorum."""
    listed = {cell_set.cell: frozenset(cell_set.contributions) for cell_set in sets.cells}
    return any(
        not contributions <= listed.get(cell, frozenset())
        for cell, contributions in due.items()
        if cell in listed or len(contributions) >= view.cell_quorum(cell)
    )


def without(held: Held, manifests: Iterable[Digest]) -> dict[int, frozenset[Contribution]]:
    """All contributions but these."""
    left_out = frozenset(manifests)
    return {
        cell: frozenset(each for each in contributions if each.manifest not in left_out)
        for cell, contributions in held.items()
    }


def fullest_list(held: Held, view: EpochView, height: Height) -> SetList | None:
    """Every cell that has its quorum, with all that is held; the rest of the cells sit this round out."""
    cells = tuple(
        CellSet(cell, tuple(sorted(contributions, key=lambda each: each.contributor)))
        for cell, contributions in sorted(held.items())
        if len(contributions) >= view.cell_quorum(cell)
    )
    return SetList(view.slot(height), cells) if cells else None


def missed_by(missing: Mapping[int, frozenset[Digest]], members: int) -> frozenset[Digest]:
    """Manifests that at least so many members say they do not hold."""
    counts = Counter(manifest for said in missing.values() for manifest in said)
    return frozenset(manifest for manifest, count in counts.items() if count >= members)


def shortfall(held: Held, view: EpochView) -> str:
    """Why there is nothing to propose, for people."""
    counts = [f"cell {cell}: {len(each)} of at least {view.cell_quorum(cell)}" for cell, each in sorted(held.items())]
    return "too few contributions (" + ", ".join(counts or ["none"]) + ")"
