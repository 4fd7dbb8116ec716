"""Spoilers among many are found by mixing cells, and nobody else ever is, whatever the spoilers do."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.params import Params
from protocols.rounds.epoch import EpochView, draw_epoch
from protocols.rounds.suspects import (
    LISTED_MAX,
    MEMORY,
    SENTENCE,
    SPOILERS_MAX,
    after,
    convicted,
    seats,
    spoiled_sets,
)
from protocols.types import NO_DIGEST, PeerKey, Role
from protocols.wire.messages import (
    MAX_SPOILED,
    NO_SUSPECTS,
    CellResult,
    CellSet,
    Contribution,
    Excluded,
    SetList,
    Spoiled,
    Suspects,
)

PARAMS = Params()
FOUND_WITHIN = 20
"""Rounds in which one to three persistent spoilers among 64 peers are found; half of the time it takes 9."""


def some_peers(count: int, first: int = 0) -> list[PeerKey]:
    return [PeerKey(number.to_bytes(32, "big")) for number in range(first, first + count)]


PEERS = some_peers(64)


def a_view(epoch: int = 0, seed: int = 0, peers: Iterable[PeerKey] = PEERS) -> EpochView:
    roster = [(peer, Role.DATA) for peer in peers] + [(peer, Role.COMPUTE) for peer in some_peers(7, first=1000)]
    return draw_epoch(31337, 1, epoch, bytes([seed]) * 32, PARAMS, roster)


Spoils = Callable[[int, tuple[PeerKey, ...]], bool]
"""Whether a cell is spoiled at a height."""


def play(spoils: Spoils, rounds: int, seed: int = 0, peers: Iterable[PeerKey] = PEERS) -> list[set[PeerKey]]:
    """Who is excluded after each round of a run."""
    suspects, history = NO_SUSPECTS, []
    members = list(peers)
    for height in range(rounds):
        epoch = PARAMS.epoch(height)
        view = seats(a_view(epoch, seed, members), height, suspects)
        suspects = after(suspects, epoch, height, [cell for cell in view.cells if spoils(height, cell)])
        history.append({each.peer for each in suspects.excluded})
    return history


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_persistent_spoilers_among_64_are_found_and_nobody_else(count: int, seed: int) -> None:
    spoilers = set(PEERS[seed * 5 : seed * 5 + count])
    history = play(lambda _, cell: not spoilers.isdisjoint(cell), FOUND_WITHIN, seed)
    assert all(excluded <= spoilers for excluded in history)
    assert history[-1] == spoilers


@pytest.mark.parametrize("seed", range(3))
def test_a_score_of_spoiled_cells_would_exclude_a_victim_that_three_frame(seed: int) -> None:
    """They spoil only beside the victim. It stands in every spoiled set; each of them in a third."""
    victim, framers = PEERS[40], set(PEERS[:3])
    seen: dict[PeerKey, int] = {}

    def spoils(_: int, cell: tuple[PeerKey, ...]) -> bool:
        spoiled = victim in cell and not framers.isdisjoint(cell)
        for peer in cell if spoiled else ():
            seen[peer] = seen.get(peer, 0) + 1
        return spoiled

    history = play(spoils, 60, seed)
    assert max(seen, key=lambda peer: seen[peer]) == victim, "who counts, names the victim"
    assert all(victim not in excluded for excluded in history)
    assert all(excluded <= framers for excluded in history)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 255), st.integers(1, SPOILERS_MAX), st.binary(min_size=8, max_size=8))
def test_whatever_the_spoilers_do_no_honest_peer_is_excluded(seed: int, count: int, whim: bytes) -> None:
    spoilers = set(PEERS[:count])

    def spoils(height: int, cell: tuple[PeerKey, ...]) -> bool:
        return not spoilers.isdisjoint(cell) and hashlib.sha256(whim + bytes([height]) + cell[0]).digest()[0] < 128

    assert all(excluded <= spoilers for excluded in play(spoils, 25, seed))


def test_more_spoilers_than_assumed_convict_nobody_when_they_spoil_everywhere() -> None:
    assert play(lambda *_: True, 10) == [set()] * 10


# ---------------------------------------------------------------------------------------------------- explanations


def by_trying_all(sets: list[tuple[PeerKey, ...]]) -> frozenset[PeerKey]:
    peers = sorted({peer for each in sets for peer in each})
    explanations = [
        set(chosen)
        for size in range(1, SPOILERS_MAX + 1)
        for chosen in itertools.combinations(peers, size)
        if all(not set(chosen).isdisjoint(each) for each in sets)
    ]
    return frozenset(set.intersection(*explanations)) if explanations else frozenset()


sets_of_peers = st.lists(st.lists(st.sampled_from(some_peers(9)), min_size=1, max_size=4, unique=True), max_size=7)


@given(sets_of_peers)
def test_convicted_is_who_stands_in_every_explanation(drawn: list[list[PeerKey]]) -> None:
    sets = [tuple(sorted(each)) for each in drawn]
    assert convicted(sets) == by_trying_all(sets)


# ----------------------------------------------------------------------------------------------------------- seats


def test_without_suspicion_the_epochs_cells_stand() -> None:
    view = a_view()
    assert seats(view, 3, NO_SUSPECTS) is view


def test_while_a_spoiled_set_is_remembered_the_cells_are_mixed_each_round() -> None:
    view = a_view()
    suspects = after(NO_SUSPECTS, 0, 3, [view.cells[2]])
    drawn = [seats(view, height, suspects).cells for height in range(4, 8)]
    assert len({view.cells, *drawn}) == 5
    assert all(sorted(peer for cell in cells for peer in cell) == sorted(PEERS) for cells in drawn)
    assert seats(view, 4, suspects).committee_root == view.committee_root
    forgotten = after(suspects, PARAMS.epoch(3 + MEMORY), 3 + MEMORY, [])
    assert seats(view, 4, forgotten) is view


def test_who_is_excluded_sits_in_no_cell_until_its_sentence_is_over() -> None:
    suspects = Suspects((), (Excluded(PEERS[9], 1 + SENTENCE),))
    for epoch in (0, SENTENCE):
        assert seats(a_view(epoch), epoch * 5, suspects).cell_of(PEERS[9]) is None
    assert seats(a_view(1 + SENTENCE), (1 + SENTENCE) * 5, suspects).cell_of(PEERS[9]) is not None
    assert after(suspects, 1 + SENTENCE, (1 + SENTENCE) * 5, []) == NO_SUSPECTS


def test_where_too_few_would_be_left_nobody_is_excluded() -> None:
    few = PEERS[:8]
    suspects = Suspects((), (Excluded(few[0], 5),))
    assert seats(a_view(peers=few), 0, suspects).cell_of(few[0]) == 0


def test_what_a_header_carries_is_bounded_and_the_oldest_goes() -> None:
    sixteen = [tuple(some_peers(16, first=16 * number)) for number in range(100)]
    suspects = NO_SUSPECTS
    for height, each in enumerate(sixteen[:60]):
        suspects = after(suspects, 0, height, [each])
    assert sum(len(each.contributors) for each in suspects.spoiled) == LISTED_MAX
    assert suspects.spoiled[-1].height == 59
    fives = [tuple(some_peers(5, first=5 * number)) for number in range(MAX_SPOILED + 3)]
    assert len(after(NO_SUSPECTS, 0, 0, fives).spoiled) == MAX_SPOILED


def test_who_is_convicted_takes_its_sets_along() -> None:
    liar, others = PEERS[0], [tuple(some_peers(7, first=1 + 7 * number)) for number in range(5)]
    suspects = NO_SUSPECTS
    for height, each in enumerate(others):
        suspects = after(suspects, 2, height, [(liar, *each)])
    assert suspects == Suspects((), (Excluded(liar, 3 + SENTENCE),)) or suspects.spoiled == (
        Spoiled(4, (liar, *others[4])),
    )
    assert {each.peer for each in suspects.excluded} == {liar}


def test_the_spoiled_sets_are_those_certified_of_cells_that_count_nothing() -> None:
    view = a_view()
    cells = [CellSet(cell, tuple(Contribution(peer, NO_DIGEST) for peer in view.cells[cell][:5])) for cell in (0, 3, 4)]
    results = [CellResult(cell, 0 if cell == 3 else 5, NO_DIGEST, NO_DIGEST) for cell in (4, 3, 0)]
    assert spoiled_sets(SetList(view.slot(0), tuple(cells)), results) == [view.cells[3][:5]]
