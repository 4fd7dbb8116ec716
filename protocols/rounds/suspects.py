"""Who spoils cells: found by mixing the cells anew and asking which few peers could explain all that was spoiled.

Every certified header carries what is known (`Suspects`), so all who stand on it draw the same cells and exclude the
same peers; nobody needs the headers before. A cell is spoiled only by one of its contributors, so the spoilers hit
every spoiled set. A peer is excluded once every choice of at most `SPOILERS_MAX` peers that hits all of them contains
it: then no honest peer ever is, whatever the spoilers do, as long as they are no more. A clean cell acquits nobody: a
spoiler may behave. (Group testing, D.-Z. Du and F. Hwang, Combinatorial Group Testing and Its Applications, 2000, but
with an adversary that chooses which of its tests are positive.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from protocols.hashing import tagged
from protocols.rounds.cells import draw_cells
from protocols.rounds.epoch import EpochView
from protocols.types import PeerKey
from protocols.wire.messages import MAX_EXCLUDED, MAX_SPOILED, CellResult, Excluded, SetList, Spoiled, Suspects

SPOILERS_MAX: Final = 3
"""Spoilers at large at a time that are assumed at most."""
MEMORY: Final = 64
"""Heights for which a spoiled set is remembered."""
SENTENCE: Final = 8
"""Epochs behind the present one for which a spoiler sits out."""
LISTED_MAX: Final = 640
"""Contributors of all remembered sets together: 22 kB in a header, which must fit into gossip."""

Contributors = tuple[PeerKey, ...]


def seats(view: EpochView, height: int, suspects: Suspects) -> EpochView:
    """The epoch as it is for one round: cells mixed anew while spoiled sets are remembered, without who is excluded.

    Where too few would be left for a cell, nobody is excluded.
    """
    excluded = {each.peer for each in suspects.excluded if each.until > view.epoch}
    if not excluded and not suspects.spoiled:
        return view
    everybody = [peer for cell in view.cells for peer in cell]
    admitted = [peer for peer in everybody if peer not in excluded]
    enough = len(admitted) >= view.params.cell_min
    beacon = tagged("mixing", view.beacon, height)
    return replace(view, cells=draw_cells(beacon, admitted if enough else everybody, view.params.cell_min))


def after(before: Suspects, epoch: int, height: int, spoiled: Iterable[Contributors]) -> Suspects:
    """What a round's header carries: what its parent did, these sets, and whom they convict together."""
    sets = [each for each in before.spoiled if each.height + MEMORY > height]
    sets += [Spoiled(height, contributors) for contributors in spoiled]
    excluded = [each for each in before.excluded if each.until > epoch]
    while certain := convicted([each.contributors for each in sets]):
        excluded += [Excluded(peer, epoch + 1 + SENTENCE) for peer in sorted(certain)]
        sets = [each for each in sets if certain.isdisjoint(each.contributors)]
    while len(sets) > MAX_SPOILED or sum(len(each.contributors) for each in sets) > LISTED_MAX:
        del sets[0]
    return Suspects(tuple(sets), tuple(excluded[-MAX_EXCLUDED:]))


def spoiled_sets(sets: SetList, results: Iterable[CellResult]) -> list[Contributors]:
    """The certified sets of the cells that count nothing, in the list's order."""
    void = {result.cell for result in results if not result.contributors}
    return [tuple(each.contributor for each in cell.contributions) for cell in sets.cells if cell.cell in void]


def convicted(sets: Sequence[Contributors]) -> frozenset[PeerKey]:
    """The peers in every explanation of these sets by at most `SPOILERS_MAX`; none if so few cannot explain them."""
    peers = sorted({peer for each in sets for peer in each})
    bits = {peer: 1 << number for number, peer in enumerate(peers)}
    masks = [sum(bits[peer] for peer in each) for each in sets]
    common: int | None = None

    def explain(chosen: int, left: int) -> None:
        nonlocal common
        if common == 0 or (common is not None and chosen & common == common):
            return  # what is chosen so far keeps all that is common: no explanation below can take anything from it
        open_set = next((mask for mask in masks if not mask & chosen), 0)
        if not open_set:
            common = chosen if common is None else common & chosen
            return
        while open_set and left:
            bit = open_set & -open_set
            open_set ^= bit
            explain(chosen | bit, left - 1)

    if masks:
        explain(0, SPOILERS_MAX)
    return frozenset(peer for peer in peers if common and bits[peer] & common)
