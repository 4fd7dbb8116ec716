from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.encryption import expand
from protocols.encryption.layout import Layout, Section, uniform
from protocols.encryption.one_time_key import OneTimeKeyScheme, SpoiledSumError
from protocols.encryption.scheme import PublicContext, Residues, Share
from protocols.encryption.sharing import FIELD, add_shares
from protocols.errors import LocalError, MalformedError, RemoteError
from protocols.types import Secret

SCHEME = OneTimeKeyScheme()
KINDS = ["any", "lowest", "highest", "mixed"]
CONTEXT = PublicContext(bytes([9]) * 32, 7, 1)


@dataclass
class Cell:
    """What is public of a round of one cell, and what should come out."""

    total: Residues
    released: dict[int, Share]
    expected: np.ndarray
    contributors: int
    threshold: int

    def open(self, released: dict[int, Share] | None = None) -> tuple[np.ndarray, tuple[int, ...]]:
        opened = SCHEME.open(
            self.total,
            CONTEXT,
            self.released if released is None else released,
            self.threshold,
            self.contributors,
            uniform(self.expected.size),
        )
        return opened.lanes, opened.wrong


def run_cell(updates: np.ndarray, threshold: int, members: int) -> Cell:
    seeds = [Secret(bytes([1 + number]) * 32) for number in range(len(updates))]
    total = SCHEME.add([SCHEME.encrypt(lanes, seed, CONTEXT) for lanes, seed in zip(updates, seeds, strict=True)])
    dealt = [SCHEME.deal(seed, threshold, members) for seed in seeds]
    summed = {member: add_shares(shares) for member, shares in enumerate(zip(*dealt, strict=True), 1)}
    return Cell(total, summed, updates.sum(axis=0), len(updates), threshold)


@pytest.fixture(scope="module")
def cell() -> Cell:
    """Sixteen contributors, two ciphertexts, a committee of 11 in 16."""
    return run_cell(np.random.default_rng(4).integers(-(2**15), 2**15, (16, 16_384 + 777)), 11, 16)


def lie(share: Share, coefficient: int = 0, by: int = 1) -> Share:
    changed = share.copy()
    changed[coefficient] = (int(changed[coefficient]) + by) % FIELD
    return changed


def test_any_quorum_opens_the_exact_sum(cell: Cell) -> None:
    for members in (range(1, 12), range(6, 17), range(1, 17)):
        lanes, wrong = cell.open({member: cell.released[member] for member in members})
        assert (lanes == cell.expected).all()
        assert wrong == ()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 16), st.integers(1, 400), st.integers(0, 2**32), st.sampled_from(KINDS))
def test_sums_are_exact_for_every_number_of_contributors(count: int, size: int, seed: int, kind: str) -> None:
    rng, low, high = np.random.default_rng(seed), -(2**15), 2**15 - 1
    updates = rng.integers(low, high + 1, (count, size))
    if kind == "mixed":
        updates = rng.choice([low, high], (count, size))
    elif kind != "any":
        updates = np.full((count, size), low if kind == "lowest" else high)
    assert (run_cell(updates, 5, 7).open()[0] == updates.sum(axis=0)).all()


def test_addition_is_independent_of_order(cell: Cell) -> None:
    parts = [SCHEME.encrypt(np.array([number]), Secret(bytes([number]) * 32), CONTEXT) for number in range(5)]
    assert (SCHEME.add(parts) == SCHEME.add(parts[::-1])).all()
    assert (SCHEME.add([SCHEME.add(parts[:2]), SCHEME.add(parts[2:])]) == SCHEME.add(parts)).all()
    with pytest.raises(LocalError, match="one size"):
        SCHEME.add([parts[0], cell.total])
    with pytest.raises(LocalError, match="at least one"):
        SCHEME.add([])


@pytest.mark.parametrize("liars", [(3,), (1, 16), (2, 5, 9), (4, 5, 6, 7), (2, 5, 9, 11, 16)])
def test_wrong_shares_are_named_and_the_sum_opens_without_them(cell: Cell, liars: tuple[int, ...]) -> None:
    released = dict(cell.released)
    for number, liar in enumerate(liars):
        released[liar] = lie(released[liar], 1000 * number)
    lanes, wrong = cell.open(released)
    assert (lanes == cell.expected).all()
    assert wrong == liars


def test_liars_that_agree_on_a_polynomial_do_not_pass_the_proof(cell: Cell) -> None:
    """Five liars and ten honest members lie on one polynomial through a key that differs by one in one coefficient."""
    released = dict(cell.released)
    for liar in (12, 13, 14, 15, 16):
        shift = int(np.prod([(liar - x) * pow(-x, -1, FIELD) % FIELD for x in range(1, 11)], dtype=object))
        released[liar] = lie(released[liar], 0, shift % FIELD)
    lanes, wrong = cell.open(released)
    assert (lanes == cell.expected).all()
    assert set(wrong) <= {12, 13, 14, 15, 16}


def test_liars_cannot_frame_the_honest() -> None:
    """Errors that cancel at 0 give two explanations of the right key by five of seven, and neither is certain.

    For the members 2, 3, 4, 5, 7 the weights at 0 of members 2 and 5 are 14 and -14.
    """
    cell = run_cell(np.arange(20).reshape(5, 4), 5, 7)
    released = {**cell.released, 2: lie(cell.released[2]), 5: lie(cell.released[5])}
    lanes, wrong = cell.open(released)
    assert (lanes == cell.expected).all()
    assert wrong == ()
    released[5] = lie(cell.released[5], by=2)
    assert cell.open(released)[1] == (2, 5)


def test_too_few_or_too_many_wrong_shares_open_nothing(cell: Cell) -> None:
    with pytest.raises(RemoteError, match="10 members released"):
        cell.open({member: cell.released[member] for member in range(1, 11)})
    with pytest.raises(RemoteError, match="0 members released"):
        cell.open({})
    released = {member: cell.released[member] for member in range(1, 12)}
    with pytest.raises(RemoteError, match="wait for the shares of other members") as caught:
        cell.open({**released, 4: lie(released[4])})
    assert not isinstance(caught.value, SpoiledSumError)


@pytest.mark.parametrize("index", [0, 1])
def test_a_contributor_whose_key_does_not_fit_spoils_the_sum_and_no_member_is_blamed(cell: Cell, index: int) -> None:
    """In the first case nothing fits; in the second one the key fits the first index, so all have to be checked."""
    spoiled = cell.total.copy()
    spoiled[index, 0, 5] ^= np.uint64(1)
    with pytest.raises(SpoiledSumError, match="contributor") as caught:
        SCHEME.open(spoiled, CONTEXT, cell.released, 11, 16, uniform(cell.expected.size))
    assert caught.value.culprits == frozenset()


def test_a_key_over_its_bound_is_a_contributors_fault(cell: Cell) -> None:
    two, layout = 2, uniform(cell.expected.size)  # contributors, but it holds 16 keys
    with pytest.raises(SpoiledSumError):
        SCHEME.open(cell.total, CONTEXT, cell.released, 11, two, layout)


def test_another_context_does_not_open(cell: Cell) -> None:
    with pytest.raises(SpoiledSumError):
        SCHEME.open(cell.total, PublicContext(CONTEXT.beacon, 8, 1), cell.released, 11, 16, uniform(cell.expected.size))


def test_impossible_arguments_are_refused(cell: Cell) -> None:
    with pytest.raises(LocalError, match="shape"):
        SCHEME.open(cell.total[:1], CONTEXT, cell.released, 11, 16, uniform(cell.expected.size))
    with pytest.raises(LocalError, match="not 17"):
        SCHEME.open(cell.total, CONTEXT, cell.released, 11, 17, uniform(cell.expected.size))
    with pytest.raises(LocalError, match="1 to 16"):
        cell.open({**cell.released, 17: cell.released[1]})
    with pytest.raises(MalformedError, match="below 65537"):
        cell.open({**cell.released, 1: cell.released[1][:10]})
    for threshold, members in ((0, 5), (6, 5), (9, 17)):
        with pytest.raises(LocalError, match="cannot share a key"):
            SCHEME.deal(Secret(bytes(32)), threshold, members)


def test_a_ciphertext_is_what_the_protocol_says() -> None:
    """Slot by slot: c0 = a k + NTT(e + message)."""
    seed, lanes, ring = Secret(bytes([5]) * 32), np.arange(-2000, 2000), SCHEME.ring
    c0 = SCHEME.encrypt(lanes, seed, CONTEXT)[0]
    key = ring.forward(ring.reduce(expand.key(seed)))
    rest = ring.inverse(ring.subtract(c0, ring.product(expand.public_polynomial(CONTEXT, 0), key)))
    message = np.concatenate([lanes << 11, np.zeros(96, dtype=np.int64)]) + expand.error(seed, CONTEXT, 0)
    assert (rest == ring.reduce(message)).all()


MIXED = Layout((Section(20_000), Section(30_000, 8), Section(7, 4)))


def test_an_update_goes_through_index_by_index_as_it_does_at_once() -> None:
    """Encrypted, added and opened in slices of any size; sections of 16, 8 and 4 bits."""
    rng, seeds = np.random.default_rng(8), [Secret(bytes([1 + number]) * 32) for number in range(5)]
    bits = np.concatenate([np.full(section.lanes, section.value_bits) for section in MIXED.sections])
    updates = [rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1)) for _ in seeds]
    whole = [SCHEME.encrypt(lanes, seed, CONTEXT, MIXED) for lanes, seed in zip(updates, seeds, strict=True)]
    total, expected = SCHEME.add(whole), np.sum(updates, axis=0)
    dealt = [SCHEME.deal(seed, 3, 5) for seed in seeds]
    released = {member: add_shares(shares) for member, shares in enumerate(zip(*dealt, strict=True), 1)}
    found = SCHEME.find_key(total[:1], CONTEXT, released, 3, 5, MIXED)
    assert found.key == SCHEME.open(total, CONTEXT, released, 3, 5, MIXED).key
    for size in (1, 2, 3):
        lanes = []
        for indices in MIXED.blocks(size):
            rows = slice(indices.start, indices.stop)
            part = np.zeros_like(total[rows])
            for update, seed, one in zip(updates, seeds, whole, strict=True):
                encrypted = SCHEME.encrypt(update, seed, CONTEXT, MIXED, indices)
                assert (encrypted == one[rows]).all()
                SCHEME.add_to(part, encrypted)
            assert (part == total[rows]).all()
            lanes.append(SCHEME.reopen(part, CONTEXT, found.key, 5, MIXED, indices))
        assert (np.concatenate(lanes) == expected).all()


def test_a_slice_that_the_key_does_not_open_is_spoiled(cell: Cell) -> None:
    layout = uniform(cell.expected.size)
    found = SCHEME.find_key(cell.total[:1], CONTEXT, cell.released, 11, 16, layout)
    tail = cell.total[1:].copy()
    assert (SCHEME.reopen(tail, CONTEXT, found.key, 16, layout, range(1, 2)) == cell.expected[16_384:]).all()
    changed = tail.copy()
    changed[0, 1, 7] ^= np.uint64(1)
    for spoilt in (changed, cell.total[:1]):  # one residue, or another ciphertext in its place
        with pytest.raises(SpoiledSumError, match="does not prove itself"):
            SCHEME.reopen(spoilt, CONTEXT, found.key, 16, layout, range(1, 2))
    with pytest.raises(LocalError, match="ciphertexts 0 to 0 of 2"):
        SCHEME.reopen(cell.total, CONTEXT, found.key, 16, layout, range(1))
    with pytest.raises(LocalError, match="one size"):
        SCHEME.add_to(cell.total[:1].copy(), cell.total)
