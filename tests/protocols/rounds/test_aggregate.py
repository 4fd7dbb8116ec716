from __future__ import annotations

import numpy as np
import pytest

from protocols.errors import LocalError, MalformedError
from protocols.rounds.aggregate import CHUNK_MAX_BYTES, add, verify_ciphertexts
from protocols.updates.chunks import chunk_roots
from tests.protocols.playbook import CELLS, SCHEME, submit

MADE = [submit(peer) for peer in CELLS[0]]
ROOTS = [tuple(root for root, _ in made.encrypted.chunks) for made in MADE]
VERIFIED = [verify_ciphertexts(SCHEME, made.blobs, roots) for made, roots in zip(MADE, ROOTS, strict=True)]


def test_the_sum_is_the_schemes_whatever_the_order_and_names_itself() -> None:
    summed = add(SCHEME, VERIFIED)
    assert summed.roots == add(SCHEME, VERIFIED[::-1]).roots == chunk_roots(summed.residues)
    assert (summed.residues == SCHEME.add([each.residues for each in VERIFIED])).all()
    again = verify_ciphertexts(SCHEME, summed.packed, summed.roots)
    assert (again.residues == summed.residues).all()
    assert all(len(blob) <= CHUNK_MAX_BYTES for blob in summed.packed)


def test_a_set_smaller_by_one_has_another_sum() -> None:
    assert add(SCHEME, VERIFIED[1:]).roots != add(SCHEME, VERIFIED).roots


@pytest.mark.parametrize("position", [0, 20_000, -1])
def test_changed_bytes_are_not_verified(position: int) -> None:
    changed = bytearray(MADE[0].blobs[0])
    changed[position] ^= 1
    with pytest.raises(MalformedError):
        verify_ciphertexts(SCHEME, [bytes(changed)], ROOTS[0])


def test_nor_are_another_contributors_or_too_few_or_none() -> None:
    for blobs in (MADE[1].blobs, (), MADE[0].blobs * 2, (b"",)):
        with pytest.raises(MalformedError):
            verify_ciphertexts(SCHEME, blobs, ROOTS[0])


def test_nothing_cannot_be_added() -> None:
    with pytest.raises(LocalError):
        add(SCHEME, [])


def test_what_was_verified_compares_by_identity_so_that_arrays_never_do() -> None:
    assert VERIFIED[0] != verify_ciphertexts(SCHEME, MADE[0].blobs, ROOTS[0])
    assert np.array_equal(VERIFIED[0].residues, verify_ciphertexts(SCHEME, MADE[0].blobs, ROOTS[0]).residues)
