import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bindings import Checkpoint, checkpoint_key
from contracts.events import (
    Bonded,
    BondForfeited,
    Committed,
    Finalised,
    Opened,
    Proposed,
    QuorumReached,
    Revealed,
    Settled,
    SnapshotTaken,
    VotingBegan,
)
from p2pnode.chain.checkpoints import ENTRIES_MAX, CheckpointLog, Entry
from p2pnode.ports import Block
from protocols.types import Address, Digest

ALICE, BOB = (Address(letter * 20) for letter in (b"a", b"b"))
ZERO = bytes(32)


def block(number):
    return Block(number, b"hash", 1000 + number)


def checkpoint(height, parent=ZERO):
    return Checkpoint(height, b"h" * 32, parent, b"d" * 32)


def key(height, parent=ZERO):
    return Digest(checkpoint_key(1, checkpoint(height, parent)))


def proposed(height, who=ALICE, parent=ZERO):
    return Proposed(1, height, b"h" * 32, parent, b"d" * 32, who)


@pytest.fixture
def log():
    made = CheckpointLog(1)
    made.apply(Bonded(1, ALICE, b"r" * 32), block(1))
    made.apply(Bonded(1, BOB, b"s" * 32), block(1))
    return made


def test_a_checkpoints_way_to_finality(log):
    log.apply(proposed(3), block(5))
    log.apply(proposed(3, BOB), block(6))
    log.apply(VotingBegan(1, 3, key(3), 1), block(7))
    log.apply(Opened(1, 3, key(3), ALICE), block(7))
    log.apply(Committed(1, 3, BOB, b"c" * 32), block(8))
    log.apply(QuorumReached(1, 3, key(3)), block(9))
    log.apply(Finalised(1, 3, key(3)), block(12))
    (record,) = log.records.values()
    assert (record.key, record.height, record.proposer, record.block_number) == (key(3), 3, ALICE, 5)
    assert (record.quorum_block, record.finalised) == (9, True)
    assert (log.opened_at[key(3)], log.weighed_by[key(3)], log.committed[3]) == (1007, 1, {BOB})
    assert log.checkpoint(key(3)) == checkpoint(3)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.data())
def test_a_place_leads_to_the_present_rolling_hash(heights, data):
    log = CheckpointLog(1)
    log.apply(Bonded(1, ALICE, b"r" * 32), block(1))
    rolling = b"r" * 32
    for number, height in enumerate(heights):
        log.apply(proposed(height), block(10 + number))
        rolling = Entry(key(height), block(10 + number), rolling).after
    wanted = key(data.draw(st.sampled_from(heights)))
    place = log.place(wanted)
    folded = Entry(wanted, Block(place.block_number, b"", place.time), place.before).after
    for one, when in zip(place.later[::2], place.later[1::2], strict=True):
        at = int.from_bytes(when, "big")
        folded = Entry(Digest(one), Block(at % 2**48, b"", at >> 48), folded).after
    assert folded == rolling


def test_the_shortest_place_is_taken_and_a_lost_bond_leaves_none(log):
    for height in (3, 4, 5):
        log.apply(proposed(height), block(5))
    log.apply(proposed(3, BOB), block(6))
    assert log.place(key(3)).proposer == BOB
    log.apply(BondForfeited(1, BOB, 9), block(7))
    assert log.place(key(3)).proposer == ALICE
    log.apply(BondForfeited(1, ALICE, 9), block(7))
    assert log.place(key(3)) is None


def test_what_must_be_opened_first(log):
    first, second = key(1), key(2, key(1))
    log.apply(proposed(1), block(5))
    log.apply(proposed(2, parent=first), block(5))
    assert log.unopened(second) == [first, second]
    log.apply(Opened(1, 1, first, ALICE), block(6))
    assert log.unopened(second) == [second]


def test_rejected_and_weighed(log):
    log.apply(proposed(1), block(5))
    log.apply(Settled(1, key(1), upheld=True), block(6))
    assert log.rejected == {key(1)}
    words = tuple(int.from_bytes(who, "big") << 96 | weight for who, weight in ((ALICE, 1), (BOB, 3)))
    assert log.latest is None
    log.apply(SnapshotTaken(1, 4, 6, words), block(6))
    assert log.latest.validators == (ALICE, BOB)
    assert log.latest.share({BOB}) == 0.75


def test_who_voted_is_read_from_the_table_that_weighs_the_vote(log):
    log.apply(proposed(1), block(5))
    words = tuple(int.from_bytes(who, "big") << 96 | weight for who, weight in ((ALICE, 1), (BOB, 3)))
    log.apply(SnapshotTaken(1, 4, 6, words), block(6))
    log.apply(VotingBegan(1, 1, key(1), 4), block(7))
    log.apply(Revealed(1, 1, key(1), 0b10, 3), block(8))
    assert log.voters[key(1)] == {BOB}
    log.apply(Revealed(1, 1, key(1), 0b01, 1), block(9))
    assert log.voters[key(1)] == {ALICE, BOB}


def test_only_so_many_proposals_of_one_are_remembered(log):
    for number in range(ENTRIES_MAX + 5):
        log.apply(proposed(number), block(5))
    assert len(log._entries[ALICE]) == ENTRIES_MAX
    assert log.place(key(2)) is None
