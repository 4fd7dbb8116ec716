from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError
from protocols.rounds.epoch import EpochKeys, EpochView, draw_epoch
from protocols.types import Digest, PeerKey, Role
from protocols.wire.messages import CellSet, Contribution, EpochKey
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    CONTRIBUTORS,
    MEMBERS,
    PARAMS,
    PUBLIC_KEYS,
    STRANGER,
    VALIDATOR,
    VIEW,
    Peer,
    a_view,
)

ZERO = Digest(bytes(32))


def test_roles_decide_who_serves_where() -> None:
    assert set(VIEW.committee) == {peer.key for peer in MEMBERS}
    assert {peer for cell in VIEW.cells for peer in cell} == {peer.key for peer in CONTRIBUTORS}
    assert VIEW.validators == {VALIDATOR.key}
    assert [VIEW.member_index(peer.key) for peer in COMMITTEE] == [1, 2, 3, 4]
    assert [VIEW.cell_of(cell[0].key) for cell in CELLS] == [0, 1]
    assert VIEW.member_index(STRANGER.key) is VIEW.cell_of(STRANGER.key) is None


def test_most_peers_have_to_do_with_few() -> None:
    cell = {peer.key for peer in CELLS[0]}
    members = {peer.key for peer in MEMBERS}
    everybody = {peer.key for peer in CONTRIBUTORS} | members | {VALIDATOR.key}
    assert VIEW.partners(CELLS[0][0].key) == cell | members
    assert VIEW.partners(STRANGER.key) == members
    assert VIEW.partners(VALIDATOR.key) == VIEW.partners(MEMBERS[0].key) == everybody


def test_one_peer_may_hold_every_role() -> None:
    everything = Role.DATA | Role.COMPUTE | Role.VALIDATOR
    view = draw_epoch(1, 1, 0, bytes(32), PARAMS, [(peer.key, everything) for peer in CONTRIBUTORS])
    assert view.validators == {peer.key for peer in CONTRIBUTORS} >= set(view.committee)


def test_too_few_operators_are_an_error_for_people() -> None:
    with pytest.raises(LocalError, match="computing-power providers; 0 are registered"):
        draw_epoch(1, 1, 0, bytes(32), PARAMS, [(peer.key, Role.DATA) for peer in CONTRIBUTORS])


def test_slots_and_contexts_bind_chain_subnet_epoch_committee_and_height() -> None:
    views = [VIEW, a_view(epoch=1)]
    views += [dataclasses.replace(VIEW, **change) for change in ({"chain_id": 1}, {"subnet": 2}, {"beacon": b"x" * 32})]
    views.append(dataclasses.replace(VIEW, committee=VIEW.committee[::-1]))
    slots = {view.slot(height) for view in views for height in (0, 1)}
    beacons = {view.round_beacon(height) for view in views for height in (0, 1)}
    assert len(slots) == len(beacons) == 2 * len(views)
    places = list(itertools.product((0, 1), (0, 1), VIEW.committee[:2], (1, 2), (ZERO, Digest(b"r" * 32))))
    assert len({view.sealing_context(*place) for view in views for place in places}) == 32 * len(views)


def test_everybody_proposes_in_turn() -> None:
    ranks = [[VIEW.proposer_rank(height, member) for member in (1, 2, 3, 4)] for height in range(5)]
    assert ranks == [[0, 1, 2, 3], [3, 0, 1, 2], [2, 3, 0, 1], [1, 2, 3, 0], [0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("k_min", "dropouts", "quorum"),
    [(3, 1, 3), (4, 0, 4), (2, 2, 2), (3, 0, 4)],
)
def test_a_cell_needs_all_but_its_dropouts_and_never_under_k_min(k_min: int, dropouts: int, quorum: int) -> None:
    view = a_view(PARAMS.with_(k_min=k_min, dropouts=dropouts))
    assert [len(cell) for cell in view.cells] == [4, 4]
    assert view.cell_quorum(0) == quorum


def contributions(*peers: Peer) -> tuple[Contribution, ...]:
    return tuple(sorted((Contribution(peer.key, ZERO) for peer in peers), key=lambda each: each.contributor))


@pytest.mark.parametrize(
    ("cell_set", "admitted"),
    [
        (CellSet(0, contributions(*CELLS[0])), True),
        (CellSet(1, contributions(*CELLS[1][:3])), True),
        (CellSet(0, contributions(*CELLS[0][:2])), False),
        (CellSet(2, contributions(*CELLS[1])), False),
        (CellSet(0, contributions(*CELLS[1])), False),
        (CellSet(0, contributions(*CELLS[0][:3], CELLS[1][0])), False),
        (CellSet(0, contributions(*CELLS[0][:3], STRANGER)), False),
        (CellSet(0, contributions(*CELLS[0][:2], CELLS[0][0])), False),
        (CellSet(0, contributions(*CELLS[0])[::-1]), False),
    ],
)
def test_which_sets_may_be_opened(cell_set: CellSet, admitted: bool) -> None:
    assert VIEW.admits(cell_set) == admitted


# ------------------------------------------------------------------------------------------------------------- keys


def a_key(sequence: int, public: bytes = PUBLIC_KEYS[1], view: EpochView = VIEW) -> EpochKey:
    return EpochKey(view.chain_id, view.subnet, view.epoch, view.committee_root, sequence, public)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=12))
def test_the_newest_key_of_each_member_counts(arrivals: list[tuple[int, int]]) -> None:
    keys, newest = EpochKeys(VIEW), dict[int, int]()
    for member, sequence in arrivals:
        accepted = keys.accept(VIEW.committee[member - 1], a_key(sequence, PUBLIC_KEYS[sequence + 1]))
        assert accepted == (sequence > newest.get(member, -1))
        newest[member] = max(sequence, newest.get(member, -1))
    assert keys.public == {member: PUBLIC_KEYS[sequence + 1] for member, sequence in newest.items()}


@pytest.mark.parametrize(
    ("sender", "key"),
    [
        (STRANGER.key, a_key(1)),
        (CONTRIBUTORS[0].key, a_key(1)),
        (VIEW.committee[0], a_key(1, view=a_view(epoch=1))),
        (VIEW.committee[0], dataclasses.replace(a_key(1), committee_root=ZERO)),
    ],
)
def test_a_key_of_nobody_or_for_elsewhere_means_nothing(sender: PeerKey, key: EpochKey) -> None:
    keys = EpochKeys(VIEW)
    assert not keys.accept(sender, key)
    assert keys.public == {}


@pytest.mark.parametrize("public", [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
def test_a_key_that_nothing_can_be_sealed_to_is_no_key(public: bytes) -> None:
    """Else one dishonest member would make every contributor's encryption fail."""
    keys = EpochKeys(VIEW)
    assert not keys.accept(VIEW.committee[0], a_key(5, public))
    assert keys.accept(VIEW.committee[0], a_key(1))
